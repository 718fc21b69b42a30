/**
 * CRI's messages as JSON Schema, in shapes that client generators turn into good code.
 *
 * A message that is both sent and received becomes two components. The received one is complete; the sent one requires
 * only what a request is refused without. `...Response` becomes `...Reply`, because Go generators create
 * `ListContainersResponse` next to `listContainers` themselves.
 */
import { requestRules } from "../../cri/request-rules.ts";
import { descriptors } from "../../gen/descriptors.ts";
import { type Field, messageOf } from "../../wire/descriptor.ts";
import type { FieldRule } from "../../wire/field-rule.ts";
import type { Describe } from "./descriptions.ts";

export type Schema = { readonly [keyword: string]: unknown };
export type Direction = "input" | "output";

/** Collects the components that a document refers to. */
export interface Components {
  /** A reference to a message's component, which is created on first use. */
  message(name: string, direction: Direction): Schema;
  /** The schema of one field, with its comment. */
  field(message: string, field: Field, direction: Direction): Schema;
  /** Adds a component. @throws {TypeError} if the name is taken. */
  define(name: string, schema: Schema): Schema;
  /** All of them, by name. */
  readonly schemas: { readonly [name: string]: Schema };
}

const uint32 = { type: "integer", format: "int64", minimum: 0, maximum: 4294967295 };
const scalars: { readonly [type: string]: Schema } = {
  string: { type: "string" },
  bool: { type: "boolean" },
  double: { type: "number", format: "double" },
  int32: { type: "integer", format: "int32" },
  uint32,
  // Never a union with integers: generators turn it into awkward types.
  int64: { type: "string", format: "int64", pattern: "^(0|-?[1-9][0-9]{0,18})$" },
  uint64: { type: "string", format: "uint64", pattern: "^(0|[1-9][0-9]{0,19})$" },
  bytes: { type: "string", format: "byte", contentEncoding: "base64" },
};

/**
 * `sentBothWays` are the messages that occur in both requests and replies. `demanded` are message fields, as
 * `Message.field`, that every reply has.
 */
export function createComponents(
  sentBothWays: ReadonlySet<string>,
  demanded: ReadonlySet<string>,
  describe: Describe,
): Components {
  const schemas: { [name: string]: Schema } = {};
  const components: Components = {
    schemas,

    message(name, direction) {
      const component =
        name.replaceAll(".", "").replace(/Response$/, "Reply") +
        (direction === "input" && sentBothWays.has(name) ? "Input" : "");
      if (!(component in schemas)) {
        // Reserve the name first: the fields may refer to it.
        schemas[component] = {};
        schemas[component] = messageSchema(name, direction);
      }
      return reference(component);
    },

    field(message, field, direction) {
      const description = describe(`${message}.${field.name}`);
      const rule = direction === "input" ? requestRules[message]?.[field.name] : undefined;
      const one = { ...valueSchema(field, direction), ...keywordsOf(rule, field) };
      const schema = field.map
        ? { type: "object", additionalProperties: one }
        : field.repeated
          ? { type: "array", items: one, ...(rule?.required === undefined ? {} : { minItems: 1 }) }
          : one;
      return {
        ...schema,
        ...(description === undefined ? {} : { description }),
        ...(field.deprecated ? { deprecated: true } : {}),
      };
    },

    define(name, schema) {
      const isOther = name in schemas && JSON.stringify(schemas[name]) !== JSON.stringify(schema);
      if (isOther) throw new TypeError(`Two components are named ${name}`);
      schemas[name] = schema;
      return reference(name);
    },
  };

  function messageSchema(name: string, direction: Direction): Schema {
    const { fields } = messageOf(descriptors, name);
    const isRequired = (field: Field) =>
      direction === "input"
        ? isNeeded(name, field)
        : isAlwaysThere(field) || demanded.has(`${name}.${field.name}`);
    const required = fields.filter(isRequired).map((field) => field.name);
    const description = describe(name);
    return {
      type: "object",
      ...(description === undefined ? {} : { description }),
      properties: Object.fromEntries(
        fields.map((field) => [field.name, components.field(name, field, direction)]),
      ),
      ...(required.length > 0 ? { required } : {}),
      ...(direction === "input" ? { additionalProperties: false } : {}),
    };
  }

  function valueSchema(field: Field, direction: Direction): Schema {
    if (field.kind === "message") return components.message(field.type, direction);
    if (field.kind === "enum") return enumSchema(field.type);
    if (field.text) return { type: "string" };
    return scalars[field.type] ?? {};
  }

  function enumSchema(name: string): Schema {
    const component = name.replaceAll(".", "");
    if (!(component in schemas)) {
      const values = Object.keys(descriptors.enums[name] ?? {});
      const meanings = values.map((value) => {
        const meaning = describe(`${name}.${value}`);
        return meaning === undefined ? `- \`${value}\`` : `- \`${value}\`: ${meaning}`;
      });
      const about = describe(name);
      schemas[component] = {
        type: "string",
        enum: values,
        description: [...(about === undefined ? [] : [about]), meanings.join("\n")].join("\n\n"),
      };
    }
    return reference(component);
  }

  return components;
}

/** Not required everywhere: a pull accepts a pod configuration without a name. */
const neededHereAndThere: ReadonlySet<string> = new Set(["PodSandboxConfig.metadata"]);

/** Whether requests without this field are refused, wherever its message occurs. */
export function isNeeded(message: string, field: Field): boolean {
  const rule = requestRules[message]?.[field.name];
  if (rule?.required === undefined || rule.unless !== undefined) return false;
  return !neededHereAndThere.has(`${message}.${field.name}`);
}

/**
 * Translates a rule into JSON Schema, where possible. Dependencies between fields are only described in text:
 * generators would turn them into awkward types.
 */
function keywordsOf(rule: FieldRule | undefined, field: Field): Schema {
  if (rule === undefined || field.kind === "message") return {};
  const { required, unless, minimum, maximum, maxBytes, pattern } = rule;
  const isFilled = required !== undefined && unless === undefined;
  if (minimum !== undefined && field.type.endsWith("64")) return { pattern: decimalsFrom(minimum) };
  return {
    ...(isFilled && !field.repeated && field.type === "string" ? { minLength: 1 } : {}),
    ...(minimum === undefined ? {} : { minimum: Number(minimum) }),
    ...(maximum === undefined ? {} : { maximum: Number(maximum) }),
    ...(maxBytes === undefined ? {} : { maxLength: maxBytes }),
    // An empty string counts as absent.
    ...(pattern === undefined ? {} : { pattern: `${isFilled ? "" : "^$|"}${pattern.matches.source}` }),
  };
}

/** A readable approximation of a pattern for 64-bit integers from `minimum`. */
function decimalsFrom(minimum: bigint): string {
  const negative = minimum === 0n ? "" : minimum === -1n ? "-1|" : "-[1-9][0-9]{0,18}|";
  return `^(${negative}0|[1-9][0-9]{0,18})$`;
}

/** Whether answers always have this field: true for scalars, enums, lists and maps, false for single messages. */
export function isAlwaysThere(field: Field): boolean {
  return field.kind !== "message" || field.repeated === true || field.map === true;
}

export const reference = (component: string): Schema => ({ $ref: `#/components/schemas/${component}` });

/** The messages reachable from `roots`, including `roots`. */
export function reachable(roots: Iterable<string>): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    for (const field of messageOf(descriptors, name).fields) if (field.kind === "message") visit(field.type);
  };
  for (const root of roots) visit(root);
  return found;
}
