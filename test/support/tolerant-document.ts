/**
 * Describes what the gateway really accepts. Besides the published form of a body, which generated clients send, it
 * accepts forms that are not published because each would be a union in every client.
 */
import {
  inputComponents,
  type OpenApiDocument,
  type Parameter,
  resolved,
  type Schema,
} from "./openapi-document.ts";

const int32: Schema = { type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };

/** Spelled the same in the proto file as in JSON. */
const sameInProto: ReadonlySet<string> = new Set(["uidMappings", "gidMappings"]);

/** The name of a field in the proto file, from its JSON name: `host_path`, `CDI_devices`. */
export function protoName(name: string): string {
  if (sameInProto.has(name)) return name;
  return name
    .replace(/(?<=[A-Z])[A-Z](?=[a-z])/g, (letter) => `_${letter.toLowerCase()}`)
    .replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** In a query, `?verbose` means true, and the last word of a state is enough. */
function tolerantParameter(document: OpenApiDocument, parameter: Parameter): Parameter {
  const { type, enum: names = [] } = resolved(document, parameter.schema);
  if (parameter.in !== "query") return parameter;
  const short = names.map((name) =>
    String(name)
      .replace(/^[A-Z]+_/, "")
      .toLowerCase(),
  );
  const more = type === "boolean" ? [""] : short;
  const schema = { anyOf: [parameter.schema, { type: "string", enum: more }] };
  return more.length === 0 ? parameter : { ...parameter, schema };
}

/**
 * Returns a copy in which bodies may also use the names of the proto file (for all of a message or none), 64-bit
 * integers as numbers, enums by number, a string for an ImageSpec, and null for absent members. In queries, flags may
 * be empty and states short.
 */
export function tolerantDocument(document: OpenApiDocument): OpenApiDocument {
  const inputs = inputComponents(document);
  const schemas = Object.entries(document.components.schemas).flatMap(
    ([name, schema]): readonly (readonly [string, Schema])[] => {
      if (!inputs.has(name)) return [[name, schema]];
      // Parameters and responses refer to some enums too, so those stay as published.
      return schema.enum === undefined ? [[name, tolerantObject(name, schema)]] : [[name, schema]];
    },
  );
  const paths = Object.entries(document.paths).map(([path, methods]) => {
    const operations = Object.entries(methods).map(([method, { parameters, ...operation }]) => {
      const tolerant = parameters?.map((parameter) => tolerantParameter(document, parameter));
      return [method, { ...operation, ...(tolerant && { parameters: tolerant }) }] as const;
    });
    return [path, Object.fromEntries(operations)] as const;
  });
  return {
    ...document,
    paths: Object.fromEntries(paths),
    components: { ...document.components, schemas: Object.fromEntries(schemas) },
  };

  function tolerantObject(name: string, { properties = {}, ...rest }: Schema): Schema {
    const members = Object.entries(properties).map(
      ([member, schema]) => [member, { anyOf: [tolerantValue(schema), { type: "null" }] }] as const,
    );
    const canonical: Schema = { ...rest, properties: Object.fromEntries(members) };
    const spelled = members.map(([member, schema]) => [protoName(member), schema] as const);
    const forms: Schema[] = [canonical];
    if (spelled.some(([spelling], at) => spelling !== members[at]?.[0]))
      forms.push({
        ...rest,
        ...(rest.required && { required: rest.required.map(protoName) }),
        properties: Object.fromEntries(spelled),
      });
    if (name === "ImageSpecInput") forms.push({ type: "string" });
    return forms.length === 1 ? canonical : { anyOf: forms };
  }

  function tolerantValue(schema: Schema): Schema {
    const { items, additionalProperties } = schema;
    if (items !== undefined) return { ...schema, items: tolerantValue(items) };
    if (additionalProperties) return schema;
    const component = document.components.schemas[schema.$ref?.split("/").at(-1) ?? ""];
    if (component?.enum !== undefined) return { anyOf: [schema, int32] };
    const least = schema.format === "uint64" ? 0 : Number.MIN_SAFE_INTEGER;
    if (schema.type === "string" && /^u?int64$/.test(schema.format ?? ""))
      return { anyOf: [schema, { type: "integer", minimum: least, maximum: Number.MAX_SAFE_INTEGER }] };
    return schema;
  }
}
