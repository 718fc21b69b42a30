/**
 * Light, dark, or as the system has it. Runs before the page is drawn, so that it never shows in the wrong
 * colours; what was chosen is kept in this browser, and nothing else is.
 */
(() => {
  const root = document.documentElement;
  const key = "crest-theme";
  const choices = ["auto", "light", "dark"];

  // Without a script the page shows what works without one.
  root.classList.add("scripted");

  /** @returns {string} */
  function kept() {
    try {
      return localStorage.getItem(key) ?? "auto";
    } catch {
      return "auto";
    }
  }

  /** @param {string} choice */
  function keep(choice) {
    try {
      localStorage.setItem(key, choice);
    } catch {
      // A browser that stores nothing has the choice until the page is reloaded.
    }
  }

  /** @param {string} choice */
  function show(choice) {
    if (choice === "auto") delete root.dataset.theme;
    else root.dataset.theme = choice;
    for (const place of document.querySelectorAll("button.appearance .choice")) place.textContent = choice;
  }

  let current = choices.includes(kept()) ? kept() : "auto";
  show(current);
  document.addEventListener("DOMContentLoaded", () => show(current));
  document.addEventListener("click", ({ target }) => {
    if (!(target instanceof Element) || !target.closest("button.appearance")) return;
    current = choices[(choices.indexOf(current) + 1) % choices.length] ?? "auto";
    keep(current);
    show(current);
  });
})();
