/** Sends an operation's request from its form and shows what came back. */
import { showAnswer } from "./answer.js";
import { element, find } from "./element.js";
import { showStream } from "./live.js";
import { requestOf } from "./request.js";
import { streamedTypes } from "./stream-items.js";
import { requireToken } from "./token.js";

for (const form of document.querySelectorAll("form")) {
  const section = form.closest(".operation");
  if (section instanceof HTMLElement) prepare(section, form);
}

/**
 * @param {HTMLElement} section
 * @param {HTMLFormElement} form
 */
function prepare(section, form) {
  const place = find(section, ".try .result", HTMLElement);
  const button = find(form, "button.send", HTMLButtonElement);
  const label = button.textContent ?? "";
  /** @type {AbortController | undefined} */
  let running;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // While it runs, the same button gives it up.
    if (running !== undefined) return running.abort();
    const missing = firstMissing(form);
    if (missing !== undefined) return missing.focus();
    const token = await requireToken();
    if (token === undefined) return;
    running = new AbortController();
    button.textContent = "Cancel";
    place.replaceChildren(element("p", {}, "Waiting for the answer …"));
    const { signal } = running;
    try {
      const start = performance.now();
      const response = await send(requestOf(section, form), { token, signal });
      const mediaType = response.headers.get("content-type")?.split(";")[0] ?? "";
      if (streamedTypes.includes(mediaType)) {
        button.textContent = "Stop";
        await showStream(place, { response, mediaType, signal });
      } else {
        const text = await response.text();
        showAnswer(place, { response, text, elapsedMs: performance.now() - start });
      }
    } catch (error) {
      const why = signal.aborted ? "Cancelled." : `No answer: ${error}`;
      place.replaceChildren(element("p", { class: "failed" }, why));
    } finally {
      running = undefined;
      button.textContent = label;
    }
  });
}

/**
 * Marks the required fields that are empty.
 *
 * @param {HTMLFormElement} form
 * @returns {HTMLInputElement | undefined} The first of them.
 */
function firstMissing(form) {
  const required = [...form.querySelectorAll("input")].filter((field) => field.required);
  for (const field of required) field.setAttribute("aria-invalid", String(field.value.trim() === ""));
  return required.find((field) => field.value.trim() === "");
}

/**
 * @param {import("./request.js").Request} request
 * @param {{ token: string, signal: AbortSignal }} options
 * @returns {Promise<Response>}
 */
function send({ method, path, body, accept }, { token, signal }) {
  return fetch(path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(accept === undefined ? {} : { accept }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body }),
    ...{ credentials: "omit", cache: "no-store", redirect: "error", signal },
  });
}
