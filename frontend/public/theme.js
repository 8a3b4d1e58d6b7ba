// Before the first paint, so that no page flashes in the wrong colours. A file of its own: the page's policy allows no
// inline script of ours.
(function () {
  var chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // storage is blocked: the system's choice it is
  }
  var dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.toggle("dark", dark);
})();
