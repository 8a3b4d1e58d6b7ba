/** Bars that rise, in the palette's colours. */
export function Logo() {
  return (
    <svg viewBox="0 0 20 20" className="size-5 shrink-0" aria-hidden>
      <rect x="0" y="12" width="4" height="8" rx="1" fill="#ffd21f" />
      <rect x="5.330" y="7" width="4" height="13" rx="1" fill="#ffaf00" />
      <rect x="10.660" y="9.500" width="4" height="10.500" rx="1" fill="#ff8205" />
      <rect x="16" y="0" width="4" height="20" rx="1" fill="#fa500f" />
    </svg>
  );
}
