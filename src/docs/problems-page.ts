/** /docs/problems: every code of the error table, at the anchor that a problem's `type` points to. */
import { STATUS_CODES } from "node:http";
import { type ErrorCode, errorTable } from "../errors.ts";
import { type Html, html } from "./html.ts";
import { inline } from "./markdown.ts";
import { navigationList } from "./navigation.ts";
import { type Explanation, explanations } from "./problems.ts";
import { pageText } from "./shell.ts";

interface Row {
  readonly code: ErrorCode;
  readonly status: number;
  readonly title: string;
  readonly retryable: boolean;
  readonly explanation: Explanation;
}

const rows: readonly Row[] = (Object.keys(errorTable) as ErrorCode[]).map((code) => {
  const { status, title, ...rest } = errorTable[code];
  return { code, status, title, retryable: "retryable" in rest, explanation: explanations[code] };
});

/** Returns the page as HTML. */
export function problemsPage(version: string): string {
  const statuses = [...new Set(rows.map(({ status }) => status))].sort((a, b) => a - b);
  const groups = statuses.map((status) => ({
    ...{ status, name: STATUS_CODES[status] ?? "" },
    rows: rows.filter((row) => row.status === status),
  }));
  return pageText({
    title: "Crest problems",
    path: "/docs/problems",
    version,
    scripts: ["navigation.js"],
    entries: "problems",
    navigation: navigationList(
      groups.map(({ status, name, rows: members }) => ({
        ...{ title: `${status} ${name}`, target: `status-${status}` },
        entries: members.map(({ code, title, retryable }) => ({
          ...{ target: code, label: code },
          words: [code, title, String(status), retryable ? "retryable" : ""],
        })),
      })),
    ),
    content: html`<section class="guide" id="introduction" aria-labelledby="title">
<h1 id="title">Crest <span>Problems</span></h1>
<p class="lead">What went wrong, and what to do about it.</p>
<p>Whatever fails is answered with <code>application/problem+json</code> (RFC 9457). Programs branch on
<code>code</code>, which never changes its meaning; people read <code>detail</code>, and follow
<code>type</code> to this page. <code>retryable</code> says whether the same request, unchanged, may succeed
later.</p>
<figure class="code"><figcaption>A problem</figcaption>
<pre tabindex="0"><code>${sample}</code></pre></figure>
</section>
${groups.map(
  ({ status, name, rows: members }) => html`<section class="tag" aria-labelledby="status-${status}">
<h2 id="status-${status}"><a href="#status-${status}">${status} ${name}</a></h2>
${members.map(section)}</section>
`,
)}`,
  });
}

function section({ code, status, title, retryable, explanation }: Row): Html {
  const { happened, remedy, members = {} } = explanation;
  return html`<section class="problem-code" id="${code}" aria-labelledby="${code}-title">
<h3 id="${code}-title"><a href="#${code}">${title}</a></h3>
<p class="route"><code>${code}</code> <span class="flag">${status}</span> ${retryable ? html`<span class="flag must">retryable</span>` : html`<span class="flag">not retryable</span>`}</p>
<p><strong>What happened.</strong> ${inline(happened)}</p>
<p><strong>What to do.</strong> ${inline(remedy)}</p>
${
  Object.keys(members).length > 0 &&
  html`<dl class="table">${Object.entries(members).map(
    ([name, about]) => html`<div><dt>${name}</dt><dd>${inline(about)}</dd></div>`,
  )}</dl>`
}</section>
`;
}

const sample = JSON.stringify(
  {
    type: "/docs/problems#not_capable",
    ...{ title: errorTable.not_capable.title, status: errorTable.not_capable.status },
    detail: 'Requires unmanaged access to "default/web", run again with --allow-unmanaged',
    ...{ instance: "/v1/containers/3f2a/exec", requestId: "0b7d6a52-6c0c-4f0e-9a53-1a5b2f5f7c11" },
    ...{ code: "not_capable", retryable: false },
    ...{ grant: "unmanaged", grants: ["unmanaged"], resource: "default/web" },
  },
  undefined,
  2,
);
