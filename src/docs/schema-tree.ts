/**
 * Renders schemas as lists of fields. A field that holds a component shows the component's fields on demand. The page
 * contains these only once, at the component's own heading, and the browser copies them from there.
 */
import { componentOf, type Schema } from "./document.ts";
import { type Html, html, type Piece } from "./html.ts";
import { inline, prose } from "./markdown.ts";

/** The context in which a schema is shown. */
export interface View {
  /** In responses, fields that may be absent are marked; in requests, required fields are. */
  readonly direction: "sent" | "answered";
  readonly components: { readonly [name: string]: Schema };
}

/** The fields of an object; undefined if there are none. */
export function fieldList(schema: Schema, view: View): Html | undefined {
  const { properties, required = [] } = schema;
  if (properties === undefined || Object.keys(properties).length === 0) return undefined;
  return html`<ul class="fields">${Object.entries(properties).map(([name, field]) =>
    fieldItem(field, { name, required: required.includes(name) }, view),
  )}</ul>`;
}

/** One field or parameter. */
export function fieldItem(
  field: Schema,
  { name, required }: { readonly name: string; readonly required: boolean },
  view: View,
): Html {
  return html`<li>
<div class="field"><code class="name">${name}</code> <span class="type">${typeOf(field)}</span>${flagsOf(field, required, view)}</div>
${field.description !== undefined && html`<div class="about">${prose(field.description)}</div>`}
${nested(field, view)}</li>
`;
}

/** The expandable part of a field: the fields of its component or of its inline object. */
export function nested(field: Schema, view: View): Piece {
  const inner = innermost(field);
  const name = componentOf(inner);
  if (name !== undefined) return expandable(name, view);
  const fields = fieldList(inner, view);
  return fields && html`<details class="tree"><summary>Fields</summary>${fields}</details>`;
}

/** A collapsed tree that the browser fills from the component's section when it is opened. */
export function expandable(component: string, { components }: View): Html {
  const parts = components[component]?.properties === undefined ? "Values" : "Fields";
  return html`<details class="tree" data-component="${component}"><summary>${parts} <span class="unseen">of ${component}</span></summary></details>`;
}

/** Unwraps lists and maps down to their element type. */
export function innermost(schema: Schema): Schema {
  if (schema.items !== undefined) return innermost(schema.items);
  if (typeof schema.additionalProperties === "object") return innermost(schema.additionalProperties);
  return schema;
}

function flagsOf(
  { deprecated, default: standard, minimum, maximum }: Schema,
  required: boolean,
  { direction }: View,
): Html {
  const flags: Piece[] = [];
  if (required && direction === "sent") flags.push(html` <span class="flag must">required</span>`);
  if (!required && direction === "answered") flags.push(html` <span class="flag">may be absent</span>`);
  if (deprecated === true) flags.push(html` <span class="flag">deprecated</span>`);
  if (standard !== undefined)
    flags.push(html` <span class="flag">default <code>${String(standard)}</code></span>`);
  if (minimum !== undefined && maximum !== undefined)
    flags.push(html` <span class="flag">${minimum} to ${maximum}</span>`);
  return html`${flags}`;
}

/** The type as text, with links to components: `list of Mount`. */
export function typeOf(schema: Schema): Html {
  const name = componentOf(schema);
  if (name !== undefined) return html`<a href="#${name}">${name}</a>`;
  if (schema.anyOf !== undefined) return choice(schema.anyOf.map(typeOf));
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (schema.enum !== undefined)
    return choice(schema.enum.map((value) => html`<code>${JSON.stringify(value)}</code>`));
  if (schema.type === "array") return html`list of ${typeOf(schema.items ?? {})}`;
  if (typeof schema.additionalProperties === "object")
    return html`map of ${typeOf(schema.additionalProperties)}`;
  return html`${plainType(schema)}`;
}

function choice(options: readonly Html[]): Html {
  return html`${options.map((option, index) => html`${index > 0 && " or "}${option}`)}`;
}

function plainType({ type = "any value", format }: Schema): string {
  if (type === "string" && (format === "int64" || format === "uint64")) return `${format}, as text`;
  if (type === "string" && format === "byte") return "bytes, in base64";
  if (type === "integer" || type === "number") return format ?? type;
  return format === undefined ? type : `${type}, ${format}`;
}

/** The section of a component, which links point to. */
export function componentSection(name: string, schema: Schema, view: View): Html {
  return html`<section class="component" id="${name}" aria-labelledby="${name}-title">
<h3 id="${name}-title"><a href="#${name}">${name}</a></h3>
${prose(schema.description)}
${fieldList(schema, view) ?? html`<p class="type">${schema.enum ? html`One of ${typeOf(schema)}.` : inline(plainType(schema))}</p>`}
</section>
`;
}
