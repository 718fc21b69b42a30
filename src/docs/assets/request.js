/** The request that an operation's fields describe. */

/**
 * @typedef {object} Request
 * @property {string} method
 * @property {string} path With the query.
 * @property {string | undefined} body
 * @property {string | undefined} accept The media type to ask for.
 */

/**
 * A text as one segment of a path, or a part of a query. What `encodeURIComponent` leaves is left, except
 * what a shell takes for its own between double quotes.
 *
 * @param {string} text
 * @returns {string}
 */
export const encodePart = (text) => encodeURIComponent(text).replaceAll("!", "%21");

/**
 * @param {HTMLFormElement} form
 * @param {"path" | "query" | "accept"} place
 * @returns {[name: string, value: string][]} The fields that are filled in.
 */
export function filled(form, place) {
  const fields = [...form.querySelectorAll(`[data-in="${place}"]`)];
  return fields.flatMap((field) => {
    if (!(field instanceof HTMLInputElement || field instanceof HTMLSelectElement)) return [];
    const value = field.value.trim();
    return value === "" ? [] : [[field.name, value]];
  });
}

/**
 * @param {HTMLFormElement} form
 * @returns {string} `?limit=2`, or nothing.
 */
export function queryOf(form) {
  const pairs = filled(form, "query").map(([name, value]) => `${encodePart(name)}=${encodePart(value)}`);
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

/**
 * @param {HTMLFormElement} form
 * @returns {string | undefined} Undefined for an operation that has none.
 */
export function bodyOf(form) {
  const field = form.querySelector("textarea");
  return field?.value;
}

/**
 * @param {HTMLFormElement} form
 * @returns {string | undefined} The chosen media type; undefined for what the gateway answers by itself.
 */
export function acceptOf(form) {
  return filled(form, "accept")[0]?.[1];
}

/**
 * @param {HTMLElement} section The operation's.
 * @param {HTMLFormElement} form
 * @returns {Request}
 */
export function requestOf(section, form) {
  const { method = "GET", path = "" } = section.dataset;
  const values = new Map(filled(form, "path"));
  return {
    method,
    path:
      path.replace(/\{(\w+)\}/g, (_, /** @type {string} */ name) => encodePart(values.get(name) ?? "")) +
      queryOf(form),
    body: bodyOf(form),
    accept: acceptOf(form),
  };
}
