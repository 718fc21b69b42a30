/** /docs: the whole API on one page, generated from the OpenAPI document. */
import { type ApiDocument, type Route, routesOf, sentComponents } from "./document.ts";
import { type Html, html } from "./html.ts";
import { prose } from "./markdown.ts";
import { type Group, navigationList } from "./navigation.ts";
import { operationSection, rpcsOf, verbOf } from "./operation.ts";
import { componentSection } from "./schema-tree.ts";
import { sessionsGuide } from "./sessions-guide.ts";
import { pageText } from "./shell.ts";
import { streamsGuide } from "./streams-guide.ts";

/**
 * Returns the page as HTML. Pure: the same input gives the same page. `tokenFile` is the shell word for the token file
 * in curl examples, which anyone can read: see `Config.tokenFileHint`.
 */
export function referencePage(document: ApiDocument, tokenFile: string): string {
  const routes = routesOf(document);
  const groups = tagsOf(document, routes);
  const sent = sentComponents(document);
  const { schemas } = document.components;
  const components = Object.entries(schemas);
  const { title, version, summary = "", description } = document.info;
  return pageText({
    title: `${title} API reference`,
    path: "/docs",
    version,
    scripts: ["reference.js"],
    entries: "operations",
    actions: html`<button type="button" class="token" aria-haspopup="dialog">Token</button> `,
    navigation: navigationList([
      {
        ...{ title: "Guide", target: "introduction" },
        entries: [
          { target: "introduction", label: "Introduction", words: ["introduction", "json", "ids", "errors"] },
          { target: "calling", label: "Calling the gateway", words: ["token", "curl", "try", "grants"] },
          {
            target: "streams",
            label: "Streams",
            words: ["stream", "ndjson", "sse", "events", "follow", "watch"],
          },
          { target: "sessions", label: "WebSocket sessions", words: ["websocket", "channels", "close"] },
        ],
      },
      ...groups.map(tagGroup),
      {
        ...{ title: "Components", target: "components", folded: true },
        entries: components.map(([name]) => ({ target: name, label: breakName(name), words: [name] })),
      },
    ]),
    content: html`<section class="guide" id="introduction" aria-labelledby="title">
<h1 id="title">${title} <span>API reference</span></h1>
<p class="lead">${summary}</p>
${prose(description)}
</section>
${calling(tokenFile)}
${groups.map(
  ({ name, description: about, routes: members }) => html`<section class="tag" aria-labelledby="${name}">
<h2 id="${name}"><a href="#${name}">${titleOf(name)}</a></h2>
${prose(about)}
${members.map((route) => operationSection(document, route, tokenFile))}</section>
`,
)}
${streamsGuide(tokenFile)}
${sessionsGuide}
<section class="tag" aria-labelledby="components">
<h2 id="components"><a href="#components">Components</a></h2>
<p>The messages that bodies and answers are made of. Those that can be sent as well as answered have an
<code>Input</code> form, in which nothing need be present.</p>
${components.map(([name, schema]) => componentSection(name, schema, { direction: sent.has(name) ? "sent" : "answered", components: schemas }))}</section>`,
    aside: tokenDialog(tokenFile),
  });
}

interface Tag {
  readonly name: string;
  readonly description: string | undefined;
  readonly routes: readonly Route[];
}

/** The tags that have operations, in document order. An operation is listed under its first tag. */
function tagsOf({ tags = [] }: ApiDocument, routes: readonly Route[]): readonly Tag[] {
  return tags
    .map(({ name, description }) => ({
      ...{ name, description },
      routes: routes.filter(({ operation }) => operation.tags?.[0] === name),
    }))
    .filter(({ routes: members }) => members.length > 0);
}

const titleOf = (tag: string): string => tag.charAt(0).toUpperCase() + tag.slice(1);

/** Allows line breaks before the capitals of long names. */
const breakName = (name: string): Html =>
  html`${name.split(/(?<=[a-z])(?=[A-Z])/).map((part) => html`${part}<wbr>`)}`;

function tagGroup({ name, routes }: Tag): Group {
  return {
    title: titleOf(name),
    target: name,
    entries: routes.map((route) => {
      const {
        operationId,
        summary,
        "x-crest-grant": grant = "",
        "x-crest-synonyms": synonyms = [],
      } = route.operation;
      const verb = verbOf(route);
      return {
        target: operationId,
        label: html`<span class="verb ${verb.toLowerCase()}">${verb}</span> <span>${breakName(operationId)}</span>`,
        words: [
          operationId,
          verb,
          route.method,
          route.path.replace(/\{\w+\}/g, ""),
          summary,
          grant,
          name,
          ...synonyms,
        ],
        names: rpcsOf(route).flatMap((rpc) => [rpc, rpc.slice(rpc.indexOf("/") + 1)]),
      };
    }),
  };
}

const calling = (
  tokenFile: string,
): Html => html`<section class="guide" id="calling" aria-labelledby="calling-title">
<h2 id="calling-title"><a href="#calling">Calling the gateway</a></h2>
<p>Every request carries a token, <code>Authorization: Bearer TOKEN</code>. The gateway keeps its own in a
file that only its owner may read, and prints the path of that file when it starts. Others come from
<code>crest token create</code> or <a href="#createToken">createToken</a>, and may do less. The curl lines on this page read
it from there: where they have <code>$CREST_TOKEN_FILE</code>, set that variable to the path, or enter the token here,
and they have the path itself. Only pages, probes and the <a href="/openapi.json">OpenAPI document</a> answer without
a token.</p>
<figure class="code"><figcaption>curl</figcaption>
<pre><code class="curl">curl -H "Authorization: Bearer $(cat <span data-token-file>${tokenFile}</span>)" \\
  "<span data-origin="http">http://127.0.0.1:8585</span>/v1/grants"</code></pre></figure>
<p>In the lines of the operations, <code>$podSandboxId</code> and others like it are variables of the shell: set
them, or fill in the fields of Try it.</p>
<p>Each operation names the <strong>grant</strong> that it needs. You have the grants that both the gateway was
started with and your token was made with: <code>--allow-read=pods</code> gives <code>read:pods</code>, <code>--allow-exec</code> gives
<code>exec</code>. The answer to a refused request names all flags that are missing, and
<a href="#getGrants">getGrants</a> lists what you have.</p>
<p><strong>Try it</strong>, at each operation, sends the request from this page. It asks for the token once and
keeps it in this page’s memory: it is not stored, never part of an address, and gone when the page is reloaded.
With <code>Accept</code>, it shows <a href="#streams">streams</a> as they come.</p>
<p class="scripted"><button type="button" class="token" aria-haspopup="dialog">Enter the token</button></p>
</section>
`;

/** The field is declared as a one-time code, because browsers offer to save passwords. */
const tokenDialog = (tokenFile: string): Html => html`<dialog id="token" aria-labelledby="token-title">
<form method="dialog" autocomplete="off">
<h2 id="token-title">Token</h2>
<p>It stays in this page’s memory until the page is reloaded. On the node, as the gateway’s user:
<code>cat <span data-token-file>${tokenFile}</span></code></p>
<p class="input"><label for="token-value">Token</label>
<input id="token-value" type="password" autocomplete="one-time-code" spellcheck="false"></p>
<div class="result" aria-live="polite"></div>
<p class="actions"><button class="primary">Use it</button> <button type="button" class="forget" hidden>Forget it</button> <button type="button" class="close">Close</button></p>
<p class="input"><label for="token-file">Token file <span class="flag">for the curl lines</span></label>
<input id="token-file" value="${tokenFile}" spellcheck="false" autocapitalize="off"></p>
</form>
</dialog>`;
