/** Renders an operation: its description and grant, request and responses, failures, and how to call it. */
import {
  type ApiDocument,
  componentOf,
  type Header,
  type Media,
  type Operation,
  type Response,
  type Route,
} from "./document.ts";
import { type Html, html, type Piece } from "./html.ts";
import { inline, prose } from "./markdown.ts";
import { curlLine, sessionScript, tryForm } from "./request.ts";
import { expandable, fieldItem, fieldList, innermost, nested, typeOf, type View } from "./schema-tree.ts";

/** The label shown as the method. Sessions start as GET but are shown as `WS`. */
export const verbOf = ({ method, isSession }: Route): string => (isSession ? "WS" : method);

export const rpcsOf = ({ operation: { "x-cri-rpc": rpc = [] } }: Route): readonly string[] =>
  typeof rpc === "string" ? [rpc] : rpc;

/** The section of an operation. Its anchor is the operation id. */
export function operationSection(document: ApiDocument, route: Route, tokenFile: string): Html {
  const { operation, path } = route;
  const { operationId: id } = operation;
  const components = document.components.schemas;
  const sent: View = { direction: "sent", components };
  const verb = verbOf(route);
  return html`<section class="operation" id="${id}" aria-labelledby="${id}-title" data-method="${route.method}" data-path="${path}">
<header>
<h3 id="${id}-title"><a href="#${id}">${inline(operation.summary)}</a></h3>
<p class="route"><span class="verb ${verb.toLowerCase()}">${verb}</span> <code>${breakable(path)}</code></p>
${facts(route)}
</header>
<div class="columns">
<div class="reference">
${prose(operation.description)}
${parameterLists(route, sent)}
${requestBody(route, sent)}
${answers(document, route)}
</div>
<div class="calling">
${route.isSession ? sessionFigure(route) : requestFigure(document, route, tokenFile)}
</div>
</div>
</section>
`;
}

/** Allows line breaks after the slashes of a path. */
export function breakable(path: string): Html {
  return html`${path.split(/(?<=\/)/).map((part) => html`${part}<wbr>`)}`;
}

function facts(route: Route): Html {
  const { operationId, "x-crest-grant": grant = "authenticated" } = route.operation;
  const rpcs = rpcsOf(route);
  return html`<dl class="facts">
<div><dt>Grant</dt><dd>${
    grant === "authenticated"
      ? "none, a token is enough"
      : html`<code class="grant" data-grant="${grant}">${grant}</code>`
  }</dd></div>
${rpcs.length > 0 && html`<div><dt>${rpcs.length === 1 ? "RPC" : "RPCs"}</dt><dd>${rpcs.map((rpc) => html`<code>${breakable(rpc)}</code> `)}</dd></div>`}
<div><dt>Operation</dt><dd><code>${operationId}</code></dd></div>
</dl>`;
}

const places: readonly (readonly [string, string])[] = [
  ["path", "Path"],
  ["query", "Query"],
  ["header", "Headers"],
];

function parameterLists({ operation: { parameters = [] } }: Route, view: View): Piece {
  return places.map(([place, title]) => {
    const here = parameters.filter((parameter) => parameter.in === place);
    if (here.length === 0) return undefined;
    return html`<h4>${title}</h4>
<ul class="fields">${here.map(({ name, description, schema, required = false }) =>
      fieldItem(
        { ...schema, ...(description === undefined ? {} : { description }) },
        { name, required },
        view,
      ),
    )}</ul>`;
  });
}

function requestBody({ operation: { requestBody: body } }: Route, view: View): Piece {
  // All media types carry the same content.
  const [media] = Object.values(body?.content ?? {});
  if (body === undefined || media === undefined) return undefined;
  const types = Object.keys(body.content).map((type) => html`, <code>${type}</code>`);
  return html`<h4>Body <span class="type">${typeOf(media.schema ?? {})}${types}</span></h4>
${inPlace(media, view)}`;
}

/** Shows the first level of a body inline, because every reader needs it. */
function inPlace({ schema = {} }: Media, view: View): Piece {
  const name = componentOf(schema);
  const component = name === undefined ? undefined : view.components[name];
  return fieldList(component ?? schema, view) ?? (name !== undefined && expandable(name, view));
}

function mediaType(type: string, { schema = {} }: Media): Html {
  return html`${typeOf(schema)}, <code>${type}</code>`;
}

/** Shows statuses below 400 in full and collapses the failures: there are ten of them, all much alike. */
function answers(document: ApiDocument, { operation }: Route): Html {
  const { responses } = operation;
  const view: View = { direction: "answered", components: document.components.schemas };
  const entries = Object.entries(responses).map(
    ([status, response]) => [status, responseOf(document, response)] as const,
  );
  const failures = entries.filter(([status]) => Number(status) >= 400);
  return html`<h4>Answer</h4>
${entries.filter(([status]) => Number(status) < 400).map(([status, response]) => answer(document, status, response, view))}
${streamedTypes(operation)}
<details class="tree failures"><summary>Failures <span class="statuses">${failures.map(([status]) => `${status} `)}</span></summary>
<dl>${failures.map(
    ([status, { description = "" }]) =>
      html`<div><dt><a href="/docs/problems#status-${status}">${status}</a></dt><dd>${inline(description)}</dd></div>`,
  )}</dl>
<p class="hint">Each is a <a href="#Problem">Problem</a>, whose <code>code</code> says more than the status.</p>
</details>`;
}

/** The forms in which items come one by one. */
function streamedTypes({ "x-crest-media-types": mediaTypes = [] }: Operation): Piece {
  const types = mediaTypes.filter((type) => type !== "application/json");
  return (
    types.length > 0 &&
    html`<p>With <code>Accept</code>, items come one by one: ${types.map((type, index) => html`${index > 0 && ", "}<code>${type}</code>`)}. See <a href="#streams">Streams</a>.</p>`
  );
}

function responseOf(document: ApiDocument, response: Response): Response {
  const name = componentOf(response);
  return name === undefined ? response : (document.components.responses?.[name] ?? {});
}

function headerOf({ components }: ApiDocument, header: Header): Header {
  const name = componentOf(header);
  return name === undefined ? header : (components.headers?.[name] ?? {});
}

function answer(document: ApiDocument, status: string, response: Response, view: View): Html {
  const { description = "", content = {}, "x-crest-ndjson-item": item } = response;
  const headers = Object.entries(response.headers ?? {}).map(
    ([name, header]) => [name, headerOf(document, header)] as const,
  );
  return html`<div class="answer"><p><strong class="status">${status}</strong> ${inline(description)}</p>
${Object.entries(content).map(([type, media]) => {
  const inner = componentOf(innermost(media.schema ?? {}));
  return html`<p class="type">${mediaType(type, media)}</p>${inner !== undefined && expandable(inner, view)}${example(media)}`;
})}
${item !== undefined && html`<p class="type">${typeOf(item)}, for each item of a stream</p>${nested(item, view)}`}
${
  headers.length > 0 &&
  html`<ul class="headers">${headers.map(
    ([name, { description: about = "", schema }]) =>
      html`<li><code>${name}</code> ${inline(about)}${schema?.enum !== undefined && html` ${typeOf(schema)}.`}</li>`,
  )}</ul>`
}</div>`;
}

function example({ example: value }: Media): Piece {
  if (value === undefined) return undefined;
  return html`<details class="tree" open><summary>Example</summary><pre tabindex="0"><code>${JSON.stringify(value, undefined, 2)}</code></pre></details>`;
}

function requestFigure(document: ApiDocument, route: Route, tokenFile: string): Html {
  return html`<figure class="code"><figcaption>curl</figcaption>
<pre><code class="curl">${curlLine(route, tokenFile)}</code></pre></figure>
${tryForm(document, route)}`;
}

function sessionFigure(route: Route): Html {
  return html`<figure class="code"><figcaption>JavaScript</figcaption>
<pre><code class="script">${sessionScript(route)}</code></pre></figure>
<p class="hint">This is a WebSocket, so there is no Try it, and curl cannot speak it. Paste the lines above, or read <a href="#sessions">how sessions work</a>.</p>`;
}
