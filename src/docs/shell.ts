/** The layout shared by all pages: head, top bar, navigation, content. */
import { type Html, html, type Piece } from "./html.ts";

export interface Page {
  readonly title: string;
  /** The page's own path. */
  readonly path: "/docs" | "/docs/problems";
  readonly version: string;
  /** Browser modules, by asset name. */
  readonly scripts: readonly string[];
  /** What the navigation lists, for its label: `operations`. */
  readonly entries: string;
  readonly navigation: Html;
  readonly content: Html;
  /** Additional buttons in the top bar. */
  readonly actions?: Piece;
  /** Content outside the main area, such as dialogs. */
  readonly aside?: Piece;
}

/** Inline, which saves a request. Without an icon, the browser console would show an error. */
const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M1 13 6 4l3 5 2-3 4 7z' fill='%232f7ab8'/%3E%3C/svg%3E";

const pages = [
  ["/docs", "Reference"],
  ["/docs/problems", "Problems"],
  ["/openapi.json", "OpenAPI"],
] as const;

/** Returns the complete HTML document. */
export function pageText(page: Page): string {
  const { title, path, version, scripts, entries, navigation, content, actions, aside } = page;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="${icon}">
<link rel="stylesheet" href="/docs/assets/theme.css">
<link rel="stylesheet" href="/docs/assets/layout.css">
<link rel="stylesheet" href="/docs/assets/reference.css">
<script src="/docs/assets/theme.js"></script>
${scripts.map((script) => html`<script type="module" src="/docs/assets/${script}"></script>\n`)}</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="bar">
<button type="button" class="menu" aria-expanded="false" aria-controls="navigation">Menu</button>
<p class="brand"><a href="/docs">Crest</a> <span>${version}</span></p>
<nav class="pages" aria-label="Pages">${pages.map(
    ([target, name]) =>
      html`<a href="${target}"${target === path && html` aria-current="page"`}>${name}</a> `,
  )}</nav>
<p class="tools">${actions}<button type="button" class="appearance"><span class="unseen-narrow">Theme: </span><span class="choice">auto</span></button></p>
</header>
<div class="frame">
<nav id="navigation" class="contents" aria-label="Contents">
<p class="filter"><label class="unseen" for="filter">Filter ${entries}</label>
<input id="filter" type="search" placeholder="Filter ${entries}" autocomplete="off" spellcheck="false" aria-keyshortcuts="/"><kbd aria-hidden="true">/</kbd></p>
<p class="found" role="status"></p>
${navigation}
</nav>
<main id="content" tabindex="-1">
${content}
</main>
</div>
${aside}
</body>
</html>
`.text;
}
