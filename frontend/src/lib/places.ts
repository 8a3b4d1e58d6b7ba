/** The pages that the navigation names. */
export const PLACES = [
  { href: "/", label: "Home", key: "h" },
  { href: "/datasets/", label: "Datasets", key: "d" },
  { href: "/jobs/", label: "Jobs", key: "j" },
  { href: "/playground/", label: "Playground", key: "p" },
  { href: "/compare/", label: "Compare", key: "c" },
  { href: "/runs/", label: "Runs", key: "r" },
] as const;

export type PlaceHref = (typeof PLACES)[number]["href"];

/** Pages that belong to a place of the navigation without being it. */
const WITHIN: Record<string, PlaceHref> = {
  "/dataset/": "/datasets/",
  "/job/": "/jobs/",
  "/comparison/": "/compare/",
  "/evaluation/": "/compare/",
  "/run/": "/runs/",
};

/** The place of the navigation that a path belongs to. */
export function placeOf(pathname: string): PlaceHref | null {
  const path = pathname.endsWith("/") ? pathname : `${pathname}/`;
  const within = Object.entries(WITHIN).find(([start]) => path.startsWith(start))?.[1];
  if (within) return within;
  const places = PLACES.filter(({ href }) => (href === "/" ? path === "/" : path.startsWith(href)));
  return places[0]?.href ?? null;
}

export const jobHref = (id: string) => `/job/?id=${encodeURIComponent(id)}`;
export const datasetHref = (id: string) => `/dataset/?id=${encodeURIComponent(id)}`;
export const runHref = (id: string) => `/run/?id=${encodeURIComponent(id)}`;
export const comparisonHref = (id: string) => `/comparison/?id=${encodeURIComponent(id)}`;
export const evaluationHref = (id: string) => `/evaluation/?id=${encodeURIComponent(id)}`;
export const newJobHref = (query: Record<string, string> = {}) => {
  const text = new URLSearchParams(query).toString();
  return text ? `/jobs/new/?${text}` : "/jobs/new/";
};
export const playgroundHref = (model: string) => `/playground/?model=${encodeURIComponent(model)}`;
