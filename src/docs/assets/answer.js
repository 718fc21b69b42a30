/** Shows what a request came back with; a problem in words, with the grant that was missing. */
import { element } from "./element.js";

/** Longer texts are shown in part: a browser takes seconds to lay out megabytes. */
const shownCharacters = 200_000;

/**
 * @typedef {object} Answer
 * @property {Response} response
 * @property {string} text The body.
 * @property {number} elapsedMs
 */

/**
 * @param {Element} place
 * @param {Answer} answer
 */
export function showAnswer(place, { response, text, elapsedMs }) {
  const { status, statusText, ok, headers } = response;
  const value = parsed(text);
  const size = `${new TextEncoder().encode(text).length.toLocaleString("en")} bytes`;
  place.replaceChildren(
    element(
      "p",
      { class: ok ? "outcome" : "outcome failed" },
      element("strong", {}, `${status} ${statusText}`),
      ` in ${elapsedMs < 10 ? elapsedMs.toFixed(1) : Math.round(elapsedMs)} ms, ${text === "" ? "no body" : size}`,
    ),
  );
  const body = text === "" ? [] : [codeBlock("Body", bodyLines(value, text))];
  if (isProblem(value)) place.append(problemPanel(value), folded("Body", ...body));
  else place.append(...body);
  place.append(folded("Headers", codeBlock("Headers", headerLines(headers))));
}

/** @param {Headers} headers */
export function headerLines(headers) {
  return [...headers].map(([name, field]) => `${name}: ${field}`).join("\n");
}

/**
 * @param {Element} place
 * @param {unknown} value A problem document.
 */
export function showProblem(place, value) {
  place.replaceChildren(isProblem(value) ? problemPanel(value) : codeBlock("Body", String(value)));
}

/**
 * @typedef {{ title: string, code: string, detail: string, grants?: readonly string[], retryable?: boolean,
 *   errors?: readonly { pointer?: string, parameter?: string, detail: string }[],
 *   candidates?: readonly string[] }} Problem
 */

/**
 * @param {unknown} value
 * @returns {value is Problem}
 */
export function isProblem(value) {
  return typeof value === "object" && value !== null && "code" in value && "title" in value;
}

/** @param {Problem} problem */
export function problemPanel({ title, code, detail, grants = [], retryable, errors = [], candidates = [] }) {
  const panel = element(
    "div",
    { class: "problem" },
    element("p", {}, element("strong", {}, title), " ", element("code", {}, code)),
    element("p", {}, detail),
  );
  if (grants.length > 0) {
    const marks = grants.flatMap((grant) => [" ", element("mark", {}, grant)]);
    panel.append(element("p", { class: "missing-grant" }, "Missing:", ...marks));
  }
  const places = errors.map(({ pointer, parameter, detail: what }) =>
    element("li", {}, element("code", {}, parameter ?? (pointer || "the body")), ` ${what}`),
  );
  const ids = candidates.map((id) => element("li", {}, element("code", {}, id)));
  if (places.length + ids.length > 0) panel.append(element("ul", {}, ...places, ...ids));
  const more = element("a", { href: `/docs/problems#${code}` }, "What it means, and what to do");
  panel.append(element("p", {}, more, retryable === true ? ". The same request may succeed later." : ""));
  return panel;
}

/**
 * @param {string} text
 * @returns {unknown} Undefined for what is no JSON.
 */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * @param {unknown} value
 * @param {string} text
 * @returns {string}
 */
function bodyLines(value, text) {
  const lines = value === undefined ? text : JSON.stringify(value, undefined, 2);
  return lines.length <= shownCharacters
    ? lines
    : `${lines.slice(0, shownCharacters)}\n… and ${lines.length - shownCharacters} more characters`;
}

/**
 * @param {string} title
 * @param {readonly Node[]} content
 */
export function folded(title, ...content) {
  return element("details", {}, element("summary", {}, title), ...content);
}

/**
 * @param {string} label
 * @param {string} text
 */
export function codeBlock(label, text) {
  // Focusable, so that the keyboard can scroll it.
  const attributes = { tabindex: "0", role: "region", "aria-label": label };
  return element("pre", attributes, element("code", {}, text));
}
