/** Shows the items of a streamed response as they come, and how it ended. */
import { codeBlock, folded, headerLines, isProblem, parsed, problemPanel } from "./answer.js";
import { element } from "./element.js";
import { itemsOf, lastOf } from "./stream-items.js";

/** What is kept of a stream: a browser takes seconds to lay out megabytes. */
const limits = { maxItems: 1000, maxCharacters: 200_000 };
/** A longer item is shown in part. */
const itemCharacters = 4000;

/**
 * Returns when the stream has ended, also by `signal`. What happens to it is announced to screen readers, the items are
 * not: `place` is a live region, and the list is none.
 *
 * @param {Element} place
 * @param {{ response: Response, mediaType: string, signal: AbortSignal }} stream
 */
export async function showStream(place, { response, mediaType, signal }) {
  const { status, statusText, headers, body } = response;
  const state = element("span", {}, "streaming");
  const list = createList(mediaType !== "text/plain");
  place.replaceChildren(
    element("p", { class: "outcome" }, element("strong", {}, `${status} ${statusText}`), ", ", state),
    ...list.parts,
    folded("Headers", codeBlock("Headers", headerLines(headers))),
  );
  /** @param {Node} ending */
  const endWith = (ending) => list.after(ending);
  let last = "";
  try {
    for await (const items of body === null ? [] : itemsOf(body, mediaType)) {
      last = items.at(-1) ?? last;
      list.add(items);
    }
    state.textContent = "ended";
    const error = /** @type {{ error?: unknown } | undefined} */ (parsed(last))?.error;
    if (isProblem(error)) {
      state.textContent = "ended with a problem";
      endWith(problemPanel(error));
    }
  } catch (error) {
    state.textContent = signal.aborted ? "stopped" : "broken off";
    if (!signal.aborted) endWith(element("p", { class: "failed" }, `The connection was lost: ${error}`));
  }
  list.flush();
}

/**
 * The list of the last items. It stays at its end until its reader scrolls up, and again once the reader is back there.
 *
 * @param {boolean} isJson
 */
function createList(isJson) {
  const lines = element("code", {});
  const box = element("pre", {
    class: "live",
    tabindex: "0",
    role: "log",
    "aria-live": "off",
    "aria-label": "Items",
  });
  const count = element("p", { class: "hint", "aria-live": "off" }, "No items yet");
  const toEnd = element("button", { class: "to-end", type: "button", hidden: "" }, "Go to the end");
  box.append(lines);
  /** @type {string[]} */
  let shown = [];
  /** @type {string[]} */
  let waiting = [];
  let total = 0;
  let isAtEnd = true;
  let frame = 0;

  function draw() {
    cancelAnimationFrame(frame);
    frame = 0;
    const kept = lastOf([...shown, ...waiting], limits);
    const added = Math.min(waiting.length, kept.length);
    while (lines.childElementCount > kept.length - added) lines.firstElementChild?.remove();
    lines.append(...kept.slice(kept.length - added).map((item) => line(item, isJson)));
    shown = kept;
    waiting = [];
    const number = total.toLocaleString("en");
    const dropped = (total - shown.length).toLocaleString("en");
    count.textContent = `${number} ${total === 1 ? "item" : "items"}`;
    if (total > shown.length)
      count.append(
        `: the last ${shown.length.toLocaleString("en")} are shown, ${dropped} before them were dropped`,
      );
    if (isAtEnd) box.scrollTop = box.scrollHeight;
  }

  box.addEventListener("scroll", () => {
    isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 8;
    toEnd.hidden = isAtEnd;
  });
  toEnd.addEventListener("click", () => {
    box.scrollTop = box.scrollHeight;
    box.focus();
  });

  return {
    parts: [count, box, toEnd],
    /** @param {readonly string[]} items */
    add(items) {
      total += items.length;
      // A page in the background draws nothing.
      waiting = lastOf([...waiting, ...items.map(shortened)], limits);
      if (frame === 0) frame = requestAnimationFrame(draw);
    },
    flush: draw,
    /** @param {Node} ending */
    after: (ending) => toEnd.after(ending),
  };
}

/** @param {string} item */
function shortened(item) {
  const more = item.length - itemCharacters;
  return more > 0
    ? `${item.slice(0, itemCharacters)} … and ${more.toLocaleString("en")} more characters`
    : item;
}

/**
 * An item as a line: an object's members one after the other.
 *
 * @param {string} item
 * @param {boolean} isJson
 */
function line(item, isJson) {
  const value = isJson ? parsed(item) : undefined;
  if (typeof value !== "object" || value === null) return element("span", { class: "item" }, item);
  const members = Object.entries(value).flatMap(([name, member]) => [
    element("span", { class: "key" }, name),
    ` ${JSON.stringify(member)}  `,
  ]);
  return element("span", { class: "item" }, ...members);
}
