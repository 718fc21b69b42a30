/** A page's table of contents, in groups. The browser filters it as the user types. */
import { type Html, html, type Piece } from "./html.ts";

export interface Entry {
  /** Anchor on the page. */
  readonly target: string;
  readonly label: Piece;
  /** Texts for the filter, matched word by word. */
  readonly words: readonly string[];
  /** Names for the filter, matched only as a whole. */
  readonly names?: readonly string[];
}

export interface Group {
  readonly title: string;
  /** Anchor of the group's heading. */
  readonly target: string;
  readonly entries: readonly Entry[];
  /** Collapsed until it is opened or the list is filtered. For long groups that are usually reached by links. */
  readonly folded?: boolean;
}

export function navigationList(groups: readonly Group[]): Html {
  return html`${groups.map(group)}`;
}

function group({ title, target, entries, folded = false }: Group): Html {
  const list = html`<ul>${entries.map(
    ({ target: anchor, label, words, names = [] }) =>
      html`<li data-words="${[...new Set([...wordsOf(words), ...names])].join(" ").toLowerCase()}"><a href="#${anchor}">${label}</a></li>
`,
  )}</ul>`;
  if (folded)
    return html`<details class="group"><summary>${title} <span class="count">${entries.length}</span></summary>${list}</details>`;
  return html`<div class="group"><p class="heading"><a href="#${target}">${title}</a></p>${list}</div>`;
}

/** `runPod` -> `runPod run Pod`, `/v1/stats/pods` -> `/v1/stats/pods v1 stats pods`; `port-forward` is split, too. */
function wordsOf(texts: readonly string[]): readonly string[] {
  return texts
    .flatMap((text) => text.split(/\s+/))
    .flatMap((word) => [word, ...word.replace(/([a-z])([A-Z])/g, "$1 $2").split(/[^A-Za-z0-9]+/)])
    .filter((word) => word !== "");
}
