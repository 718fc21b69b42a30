/** The list of contents: its filter, its place on a narrow screen, and where the reader is. */
import { find } from "./element.js";
import { matches } from "./match.js";

const contents = find(document, "#navigation", HTMLElement);
const filter = find(contents, "#filter", HTMLInputElement);
const found = find(contents, ".found", HTMLElement);
const menu = find(document, "button.menu", HTMLButtonElement);
const entries = [...contents.querySelectorAll("li")];
const groups = [...contents.querySelectorAll(".group")];

const wordsOf = entries.map((entry) => (entry.dataset.words ?? "").split(" "));

/** Shows the entries that fit the text best. */
function applyFilter() {
  const text = filter.value.trim();
  const shown = matches(wordsOf, text);
  for (const [index, entry] of entries.entries()) entry.hidden = shown[index] !== true;
  for (const group of groups) {
    group.toggleAttribute("hidden", group.querySelector("li:not([hidden])") === null);
    if (group instanceof HTMLDetailsElement) group.open = text !== "";
  }
  const count = shown.filter(Boolean).length;
  found.textContent = text === "" ? "" : `${count === 0 ? "Nothing" : count} found`;
}

/** @returns {HTMLAnchorElement[]} */
const shownLinks = () => [...contents.querySelectorAll("a")].filter((link) => link.checkVisibility());

/** @param {boolean} open */
function openMenu(open) {
  menu.setAttribute("aria-expanded", String(open));
  contents.classList.toggle("open", open);
}

filter.addEventListener("input", applyFilter);
filter.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    if (filter.value === "") filter.blur();
    filter.value = "";
    applyFilter();
    event.preventDefault();
  } else if (event.key === "Enter") {
    contents.querySelector("li:not([hidden])")?.querySelector("a")?.click();
  } else if (event.key === "ArrowDown") {
    shownLinks()[0]?.focus();
    event.preventDefault();
  }
});

contents.addEventListener("keydown", (event) => {
  const links = shownLinks();
  const at = links.findIndex((link) => link.matches(":focus"));
  if (at === -1 || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
  const next = links[at + (event.key === "ArrowDown" ? 1 : -1)];
  (next ?? filter).focus();
  event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && contents.classList.contains("open")) {
    openMenu(false);
    menu.focus();
  }
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.activeElement?.closest("input, textarea, select, dialog")) return;
  event.preventDefault();
  openMenu(true);
  filter.focus();
  filter.select();
});

menu.addEventListener("click", () => openMenu(menu.getAttribute("aria-expanded") !== "true"));
contents.addEventListener("click", ({ target }) => {
  if (target instanceof Element && target.closest("a")) openMenu(false);
});

/** @type {Map<string, HTMLAnchorElement>} */
const links = new Map();
for (const link of contents.querySelectorAll("a")) links.set(link.hash.slice(1), link);

/** @param {string} id */
function markCurrent(id) {
  const link = links.get(id);
  if (link === undefined || link.hasAttribute("aria-current")) return;
  contents.querySelector("[aria-current]")?.removeAttribute("aria-current");
  link.setAttribute("aria-current", "location");
  if (!link.checkVisibility()) return;
  // Only the list moves: `scrollIntoView` would move the page too.
  const [list, place] = [contents.getBoundingClientRect(), link.getBoundingClientRect()];
  if (place.top < list.top + 80 || place.bottom > list.bottom)
    contents.scrollTop += place.top - list.top - list.height / 2;
}

// What crosses a line in the upper part of the window is being read.
const reading = new IntersectionObserver(
  (changes) => {
    for (const { isIntersecting, target } of changes) if (isIntersecting) markCurrent(target.id);
  },
  { rootMargin: "-15% 0px -84% 0px" },
);
for (const section of document.querySelectorAll("main section[id]")) reading.observe(section);
