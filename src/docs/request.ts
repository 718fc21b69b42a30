/**
 * Shows how to call an operation: a curl command, a form to try it, and for a WebSocket a short script. Marked elements
 * hold what depends on the reader (the gateway's address, the token file, the parameters). The browser keeps them up to
 * date; without scripts they show the defaults.
 */
import { type ApiDocument, type Operation, type Parameter, type Route, resolve } from "./document.ts";
import { type Html, html, type Piece } from "./html.ts";

const usualOrigin = "http://127.0.0.1:8585";
/** Bodies up to this length are written on one line. */
const lineLength = 46;

/** The URL of a route, with marked elements for the origin and the parameters. */
function address({ path }: Route, parameter: (name: string) => Piece): Html {
  const parts = path.split(/\{(\w+)\}/).map((part, index) => (index % 2 === 0 ? part : parameter(part)));
  return html`<span data-origin="http">${usualOrigin}</span>${parts}`;
}

/** The example body, on one line if it is short; undefined for an operation without a body. */
export function bodyText({ requestBody }: Operation): string | undefined {
  const media = requestBody?.content["application/json"];
  if (media === undefined) return undefined;
  const value = media.example ?? {};
  const line = JSON.stringify(value);
  return line.length <= lineLength ? line : JSON.stringify(value, undefined, 2);
}

/**
 * The operation as a shell command. `tokenFile` is a shell word. Path parameters are shell variables until they are
 * filled in.
 */
export function curlLine(route: Route, tokenFile: string): Html {
  const { method, operation } = route;
  const body = bodyText(operation);
  const answersBody = "200" in operation.responses;
  const usualMethod = body === undefined ? "GET" : "POST";
  const [mediaType] = mediaTypesOf(operation);
  const lines: Piece[] = [
    html`curl${!answersBody && " -i"}${
      mediaType !== undefined &&
      html`<span data-accept="${mediaType}">${mediaType !== "application/json" && " -N"}</span>`
    }`,
    html`-H "Authorization: Bearer $(cat <span data-token-file>${tokenFile}</span>)"`,
    method !== usualMethod && html`-X ${method}`,
    body !== undefined && html`--json '<span data-body>${body.replaceAll("'", "'\\''")}</span>'`,
    html`"${address(route, (name) => html`<span data-path="${name}">$${name}</span>`)}<span data-query></span>"`,
  ].filter((line) => line !== false);
  return html`${lines.map((line, index) => (index === 0 ? line : html` \\\n  ${line}`))}`;
}

/** A session as a script that prints each message with its channel. */
export function sessionScript(route: Route): Html {
  const { parameters = [], responses } = route.operation;
  const queries = parameters
    .filter((parameter) => parameter.in === "query" && parameter.example !== undefined)
    .flatMap(({ name, example }) =>
      [example].flat().map((value) => `${name}=${encodeURIComponent(String(value))}`),
    );
  const protocol = responses["101"]?.headers?.["Sec-WebSocket-Protocol"]?.schema?.enum?.[0];
  const where = address(route, (name) => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
  const query = queries.length > 0 && `?${queries.join("&")}`;
  return html`// For Node 22, Deno, or the console of this page
const bearer = btoa("TOKEN").replaceAll("+", "-")
  .replaceAll("/", "_").replaceAll("=", "");
const url = "${where}${query}";
const socket = new WebSocket(url.replace("http", "ws"), [
  "${String(protocol)}",
  "base64url.bearer.authorization.k8s.io." + bearer,
]);
socket.binaryType = "arraybuffer";
socket.onmessage = ({ data }) => {
  const [channel, ...bytes] = new Uint8Array(data);
  const payload = Uint8Array.from(bytes);
  console.log(channel, new TextDecoder().decode(payload));
};
socket.onclose = ({ code }) => console.log("end", code);`;
}

/**
 * A form with fields for the parameters and the body, and a place for the response. The browser shows it and sends it.
 */
export function tryForm(document: ApiDocument, { method, operation }: Route): Html {
  const { operationId: id, parameters = [] } = operation;
  const body = bodyText(operation);
  const rows = Math.min(16, Math.max(3, body?.split("\n").length ?? 0));
  return html`<details class="try">
<summary>Try it</summary>
<form autocomplete="off" novalidate>
${parameters.filter((parameter) => parameter.in !== "header").map((parameter) => parameterField(document, id, parameter))}
${acceptField(operation)}
${
  body !== undefined &&
  html`<p class="input"><label for="${id}-body">Body <span class="flag">JSON</span></label>
<textarea id="${id}-body" name="body" rows="${rows}" spellcheck="false" autocapitalize="off">
${body}</textarea></p>`
}
<p class="actions"><button class="send${method === "DELETE" && " danger"}">Send ${method}</button>
${method !== "GET" && html`<span class="hint">Changes the node.</span>`}</p>
</form>
<div class="result" aria-live="polite"></div>
</details>`;
}

/** The media types of an operation that has a choice. */
const mediaTypesOf = (operation: Operation): readonly string[] => operation["x-crest-media-types"] ?? [];

function acceptField(operation: Operation): Piece {
  const [first, ...others] = mediaTypesOf(operation);
  if (first === undefined) return undefined;
  const field = `${operation.operationId}-accept`;
  return html`<p class="input"><label for="${field}">Accept <span class="flag">header</span></label>
<select id="${field}" name="accept" data-in="accept"><option value="">not set: ${first}</option>${[first, ...others].map((type) => html`<option>${type}</option>`)}</select></p>
`;
}

function parameterField(document: ApiDocument, id: string, parameter: Parameter): Html {
  const { name, required = false, example } = parameter;
  const schema = resolve(document, parameter.schema);
  const field = `${id}-${name}`;
  const attributes = html`id="${field}" name="${name}" data-in="${parameter.in}"${required && html` required`}`;
  const standard = schema.default === undefined ? "" : String(schema.default);
  const choices = schema.type === "boolean" ? [true, false] : (schema.enum ?? []);
  const control =
    choices.length > 0
      ? html`<select ${attributes}><option value="">not set${standard !== "" && `: ${standard}`}</option>${choices.map((value) => html`<option>${String(value)}</option>`)}</select>`
      : html`<input ${attributes} placeholder="${standard === "" ? String(example ?? "") : standard}" spellcheck="false" autocapitalize="off">`;
  return html`<p class="input"><label for="${field}">${name}${required && html` <span class="flag must">required</span>`}</label>
${control}</p>
`;
}
