/** The Markdown subset used in descriptions: paragraphs, lists, `code`, **bold**, and links to our own pages. */
import { type Html, html } from "./html.ts";

/** Renders paragraphs and lists. */
export function prose(text: string | undefined): Html {
  const blocks = (text ?? "").split(/\n{2,}/).filter((block) => block.trim() !== "");
  return html`${blocks.map(block)}`;
}

function block(text: string): Html {
  const lines = text.split("\n");
  if (!lines.every((line) => line.startsWith("- "))) return html`<p>${inline(text)}</p>`;
  return html`<ul>${lines.map((line) => html`<li>${inline(line.slice(2))}</li>`)}</ul>`;
}

/** Renders text without paragraphs or lists. */
export function inline(text: string): Html {
  // Fast path: most of the thousands of texts contain no Markdown.
  if (!/[`*[]/.test(text)) return html`${text}`;
  const pieces = text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[\w+\]\(\/[^\s()[\]]*\))/).map((piece) => {
    if (/^`[^`]+`$/.test(piece)) return html`<code>${piece.slice(1, -1)}</code>`;
    if (/^\*\*[^*]+\*\*$/.test(piece)) return html`<strong>${piece.slice(2, -2)}</strong>`;
    const [, label = "", target] = /^\[(\w+)\]\((\/[^\s()[\]]*)\)$/.exec(piece) ?? [];
    return target === undefined ? piece : html`<a href="${target}">${label}</a>`;
  });
  return html`${pieces}`;
}
