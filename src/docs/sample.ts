/**
 * Values in the shape of a schema, for bodies that someone is about to edit: the document's own example where
 * it has one, else the fields that are called required or that have a telling value, else every plain field.
 */
import { type ApiDocument, type Media, resolve, type Schema } from "./document.ts";

/** Values that say more than an empty one, by the field's name. */
const hints: { readonly [field: string]: unknown } = {
  name: "web",
  namespace: "default",
  image: "busybox:1.35",
  cmd: ["echo", "hello"],
  timeout: "10",
  location: "/var/lib/checkpoints/web.tar",
  outputPath: "/var/lib/checkpoints/web",
  checkpointPath: "/var/lib/checkpoints/web",
  podCidr: "10.88.0.0/16",
};

/** How deep messages are followed when nothing says which of their fields matter. */
const depthLimit = 2;

/** A body for a media type. */
export function sampleBody(document: ApiDocument, media: Media): unknown {
  if (media.example !== undefined) return media.example;
  const [first] = Object.values(media.examples ?? {});
  if (first?.value !== undefined) return first.value;
  return sampleOf(document, media.schema ?? {}, { depth: 0 });
}

/** A value for a parameter or a field. */
export function sampleOf(
  document: ApiDocument,
  reference: Schema,
  { depth, name = "" }: { readonly depth: number; readonly name?: string },
): unknown {
  const schema = resolve(document, reference);
  const example = schema.example ?? schema.examples?.[0];
  if (example !== undefined) return example;
  if (schema.properties !== undefined) return sampleObject(document, schema, depth);
  if (hints[name] !== undefined) return hints[name];
  if (schema.default !== undefined) return schema.default;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.type === "array") return [];
  if (schema.type === "boolean") return false;
  if (schema.type === "integer" || schema.type === "number") return 0;
  if (schema.type === "object") return {};
  return schema.format === "int64" || schema.format === "uint64" ? "0" : "";
}

function sampleObject(document: ApiDocument, { properties = {} }: Schema, depth: number): unknown {
  const fields = Object.entries(properties).filter(
    ([name, field]) => name !== "windows" && field.deprecated !== true,
  );
  const telling = fields.filter(
    ([name, { description = "" }]) => /\bRequired\b(?! by)/.test(description) || hints[name] !== undefined,
  );
  const isMessage = ([, field]: (typeof fields)[number]): boolean =>
    resolve(document, field).properties !== undefined;
  const chosen =
    telling.length > 0 ? telling : fields.filter((field) => depth < depthLimit || !isMessage(field));
  return Object.fromEntries(
    chosen.map(([name, field]) => [name, sampleOf(document, field, { depth: depth + 1, name })]),
  );
}
