/** Keeps the lines for shells and scripts current: the gateway's address, the token's file, what is filled in. */
import { find } from "./element.js";
import { acceptOf, bodyOf, encodePart, filled, queryOf } from "./request.js";

for (const place of document.querySelectorAll("[data-origin]")) place.textContent = location.origin;

const tokenFile = find(document, "#token-file", HTMLInputElement);
tokenFile.addEventListener("input", () => {
  const name = tokenFile.value.trim() || tokenFile.defaultValue;
  // The default is a word of a shell already.
  const isPlain = name === tokenFile.defaultValue || /^[\w@%+=:,./~-]+$/.test(name);
  for (const place of document.querySelectorAll("[data-token-file]"))
    place.textContent = isPlain ? name : `'${withinQuotes(name)}'`;
});

document.addEventListener("input", ({ target }) => {
  if (!(target instanceof Element)) return;
  const form = target.closest("form");
  const line = target.closest(".operation")?.querySelector(".curl");
  if (form && line) showIn(line, form);
});

/**
 * @param {Element} line
 * @param {HTMLFormElement} form
 */
function showIn(line, form) {
  const values = new Map(filled(form, "path"));
  for (const place of line.querySelectorAll("[data-path]")) {
    const name = place.getAttribute("data-path") ?? "";
    const value = values.get(name);
    place.textContent = value === undefined ? `$${name}` : encodePart(value);
  }
  const query = line.querySelector("[data-query]");
  if (query) query.textContent = queryOf(form);
  const accept = line.querySelector("[data-accept]");
  const mediaType = acceptOf(form);
  if (accept) {
    const isJson = (mediaType ?? accept.getAttribute("data-accept")) === "application/json";
    const header = mediaType === undefined ? "" : ` -H "Accept: ${mediaType}"`;
    accept.textContent = `${isJson ? "" : " -N"}${header}`;
  }
  const body = line.querySelector("[data-body]");
  if (body) body.textContent = withinQuotes(bodyOf(form) ?? "");
}

/**
 * A text as it stands between a shell's single quotes.
 *
 * @param {string} text
 * @returns {string}
 */
function withinQuotes(text) {
  return text.replaceAll("'", "'\\''");
}

if (navigator.clipboard) {
  for (const figure of document.querySelectorAll("figure.code:has(.curl, .script)")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    figure.querySelector("figcaption")?.append(button);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(figure.querySelector("code")?.textContent ?? "");
      button.textContent = "Copied";
      setTimeout(() => {
        button.textContent = "Copy";
      }, 1500);
    });
  }
}
