/** Fills a tree with a component's fields when it is opened; they stand once in the page, at its heading. */

document.addEventListener(
  "toggle",
  ({ target: tree }) => {
    if (!(tree instanceof HTMLDetailsElement) || !tree.open) return;
    const { component } = tree.dataset;
    if (component === undefined || tree.childElementCount > 1) return;
    const section = document.getElementById(component);
    if (section === null) return;
    for (const part of section.querySelectorAll(":scope > :not(h3)")) {
      // A description is told again only where there are no fields that tell it.
      if (part.matches(".fields") || section.querySelector(":scope > .fields") === null)
        tree.append(pristine(part));
    }
  },
  // `toggle` does not bubble.
  { capture: true },
);

/**
 * A copy in which no tree is open yet: someone may have opened some at the component's own heading.
 *
 * @param {Element} part
 * @returns {Node}
 */
function pristine(part) {
  const copy = document.importNode(part, true);
  for (const tree of copy.querySelectorAll("details[data-component]")) {
    tree.removeAttribute("open");
    while (tree.childElementCount > 1) tree.lastElementChild?.remove();
  }
  return copy;
}
