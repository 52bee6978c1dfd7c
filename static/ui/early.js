// Runs before the first paint, so that no page flashes in the wrong colours; ui/theme.js does the rest.
(() => {
  /** @type {{theme?: string, present?: boolean}} */
  let saved = {};
  try {
    saved = JSON.parse(localStorage.getItem("ringfence.ui") ?? "{}") ?? {};
  } catch {
    // Storage is off: the system's colours.
  }
  const light = matchMedia("(prefers-color-scheme: light)").matches;
  const chosen = saved.theme === "light" || saved.theme === "dark" ? saved.theme : light ? "light" : "dark";
  document.documentElement.dataset.theme = chosen;
  document.documentElement.toggleAttribute("data-present", saved.present === true);
})();
