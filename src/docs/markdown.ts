/** The little Markdown that descriptions are written in: paragraphs, lists, `code`, **bold**, links to pages of ours. */
import { type Html, html } from "./html.ts";

/** Whole paragraphs and lists. */
export function prose(text: string | undefined): Html {
  const blocks = (text ?? "").split(/\n{2,}/).filter((block) => block.trim() !== "");
  return html`${blocks.map(block)}`;
}

function block(text: string): Html {
  const lines = text.split("\n");
  if (!lines.every((line) => line.startsWith("- "))) return html`<p>${inline(text)}</p>`;
  return html`<ul>${lines.map((line) => html`<li>${inline(line.slice(2))}</li>`)}</ul>`;
}

/** One text without blocks. */
export function inline(text: string): Html {
  // Most have nothing of it, and there are thousands.
  if (!/[`*[]/.test(text)) return html`${text}`;
  const pieces = text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[\w+\]\(\/[^\s()[\]]*\))/).map((piece) => {
    if (/^`[^`]+`$/.test(piece)) return html`<code>${piece.slice(1, -1)}</code>`;
    if (/^\*\*[^*]+\*\*$/.test(piece)) return html`<strong>${piece.slice(2, -2)}</strong>`;
    const [, label = "", target] = /^\[(\w+)\]\((\/[^\s()[\]]*)\)$/.exec(piece) ?? [];
    return target === undefined ? piece : html`<a href="${target}">${label}</a>`;
  });
  return html`${pieces}`;
}
