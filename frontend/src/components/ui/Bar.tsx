/** How far something is: `value` of `max`; nothing known yet is a bar without an end. */
export function Bar({ value, max = 1, label }: { value: number | null; max?: number; label: string }) {
  return (
    <progress
      aria-label={label}
      value={value ?? undefined}
      max={max}
      className="h-2 w-full appearance-none overflow-hidden rounded-full bg-sunken [&::-moz-progress-bar]:bg-accent [&::-webkit-progress-bar]:bg-sunken [&::-webkit-progress-value]:bg-accent"
    />
  );
}
