/** The list of what a page holds, in groups, which the browser filters as someone types. */
import { type Html, html, type Piece } from "./html.ts";

export interface Entry {
  /** Anchor in the page. */
  readonly target: string;
  readonly label: Piece;
  /** What the filter looks at, besides the label's own words. */
  readonly words: readonly string[];
}

export interface Group {
  readonly title: string;
  /** Anchor of the group's heading. */
  readonly target: string;
  readonly entries: readonly Entry[];
  /** Shut until someone opens it, or filters: groups that are long and looked up from elsewhere. */
  readonly folded?: boolean;
}

export function navigationList(groups: readonly Group[]): Html {
  return html`${groups.map(group)}`;
}

function group({ title, target, entries, folded = false }: Group): Html {
  const list = html`<ul>${entries.map(
    ({ target: anchor, label, words }) =>
      html`<li data-words="${words.join(" ").toLowerCase()}"><a href="#${anchor}">${label}</a></li>
`,
  )}</ul>`;
  if (folded)
    return html`<details class="group"><summary>${title} <span class="count">${entries.length}</span></summary>${list}</details>`;
  return html`<div class="group"><p class="heading"><a href="#${target}">${title}</a></p>${list}</div>`;
}
