/**
 * Prints `gen/writers.ts`: for each message, a function that converts wire bytes to JSON.
 *
 * The generated code is straight-line, with the fields sorted by number: if a field's tag is next, it writes the value,
 * otherwise the default. A field that is always written puts a comma before itself unless it is the first such field. A
 * single message before that field may be absent, so it writes the comma after itself.
 */
import { DELIMITED, type Field, type MessageField, wireTypeOf } from "../wire/descriptor.ts";
import { Code, Literals } from "./code.ts";
import type { MessageModel, Model } from "./model.ts";
import { typeName } from "./text.ts";

/** `root`: the path of src from the folder of the file. */
export function printWriters({ messages, enums }: Model, root: string): string {
  const zeros = new Map(
    enums.map(({ name, values }) => [name, values.find(({ number }) => number === 0)?.name ?? ""]),
  );
  const sorted = [...messages].sort((a, b) => (a.name < b.name ? -1 : 1));
  const literals = new Literals();
  const functions = sorted.map((message) => printMessage(message, new Code(literals), zeros));
  const tables = enums.map(
    ({ name }) => `const ${textsOf(name)} = enumTexts(enumOf(descriptors, "${name}"));`,
  );
  const body = [...tables, "", ...literals.print(), "", ...functions];
  const text = body.join("\n");
  const isUsed = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(text);
  const importFrom = (names: readonly string[], file: string): string[] => {
    const used = names.filter(isUsed);
    return used.length === 0 ? [] : [`import { ${used.join(", ")} } from "${root}/wire/${file}";`];
  };
  return [
    ...importFrom(["enumOf"], "descriptor.ts"),
    ...importFrom(fieldFunctions, "json-fields.ts"),
    ...importFrom(["map"], "json-map.ts"),
    `import { literal, put } from "${root}/wire/json-text.ts";`,
    `import type { Writer } from "${root}/wire/write-json.ts";`,
    'import { descriptors } from "./descriptors.ts";',
    'import type { MessageName } from "./messages.ts";',
    "",
    ...body,
    "/** The writer of every message. */",
    "export const writers: { readonly [M in MessageName]: Writer } = {",
    ...sorted.map(({ name }) => `  ${name}: { message: "${name}", descriptors, write: ${name} },`),
    "};",
    "",
  ].join("\n");
}

/** What the writers call, in the order of the import. */
const fieldFunctions = [
  "bool",
  "bytes",
  "double",
  "enumeration",
  "enumTexts",
  "int32",
  "int64",
  "next",
  "readLength",
  "string",
  "tail",
  "uint32",
  "uint64",
];

function textsOf(enumName: string): string {
  return `${typeName(enumName)}Texts`;
}

type Zeros = ReadonlyMap<string, string>;

function printMessage({ name, fields }: MessageModel, code: Code, zeros: Zeros): string {
  const nests = fields.some(({ field }) => field.kind === "message" || field.packed);
  if (nests) code.line("let n = 0;");
  code.text("{");
  // Every field after the first one that is always present starts with a comma.
  const firm = fields.findIndex(({ field }) => field.kind !== "message" || field.repeated === true);
  if (firm < 0 && fields.length > 0) code.line("const start = w;");
  fields.forEach(({ field }, i) => {
    const comma = firm >= 0 && i > firm ? "," : "";
    if (field.kind === "message" && !field.repeated)
      printSingle(code, field, { comma, trailing: firm < 0 || i < firm });
    else {
      code.text(`${comma}${JSON.stringify(field.name)}:`);
      printValue(code, field, zeros);
    }
  });
  if (firm < 0 && fields.length > 0) code.line("if (w > start) w--;");
  code.text("}");
  code.line(`if (p !== e) tail(b, p, e, ${fields.at(-1)?.field.number ?? 0});`, "return w;");
  const header = `function ${name}(b: Uint8Array, p: number, e: number, d: DataView, w: number): number {`;
  return `${header}\n${code.print("  ")}\n}\n`;
}

/** Prints a message field that may be absent. */
function printSingle(
  code: Code,
  field: MessageField,
  { comma, trailing }: { comma: string; trailing: boolean },
): void {
  code.block(`if (${tagIsNext(field)})`, () => {
    code.text(`${comma}${JSON.stringify(field.name)}:`);
    printNested(code, field);
    if (trailing) code.text(",");
  });
}

function printNested(code: Code, field: MessageField): void {
  code.line(
    `n = readLength(b, p + ${tagBytes(field).length}, e);`,
    `w = ${field.type}(b, next, n, d, w);`,
    "p = n;",
  );
}

function printValue(code: Code, field: Field, zeros: Zeros): void {
  if (field.map) {
    code.text("{");
    code.block(`if (${tagIsNext(field)})`, () =>
      code.line(`w = map(${tagOf(field)}, b, p, e, d, w);`, "p = next;"),
    );
    code.text("}");
  } else if (field.repeated) {
    code.text("[");
    printList(code, field);
    code.text("]");
  } else printScalar(code, field, zeros);
}

function printScalar(code: Code, field: Field, zeros: Zeros): void {
  const quote = quoteOf(field);
  const zero = zeroOf(field, zeros);
  code.text(quote);
  code.block(`if (${tagIsNext(field)})`, () =>
    code.line(`w = ${callOf(field, `p + ${tagBytes(field).length}`, "e")};`, "p = next;"),
  );
  if (zero !== "") code.block("else", () => code.text(zero));
  code.text(quote);
}

function printList(code: Code, field: Field): void {
  const quote = quoteOf(field);
  code.block(`if (${tagIsNext(field)})`, () => {
    if (field.packed) {
      code.line(`n = readLength(b, p + ${tagBytes(field).length}, e);`, "p = next;");
      code.block("while (p < n)", () => {
        code.text(quote);
        code.line(`w = ${callOf(field, "p", "n")};`, "p = next;");
        code.text(`${quote},`);
      });
      // A packed list may be present but empty.
      code.line("if (d.getUint8(w - 1) === 44) w--;");
      return;
    }
    code.block("do", () => {
      code.text(quote);
      if (field.kind === "message") printNested(code, field);
      else code.line(`w = ${callOf(field, `p + ${tagBytes(field).length}`, "e")};`, "p = next;");
      code.text(`${quote},`);
    });
    code.line(`while (${tagIsNext(field)});`, "w--;");
  });
}

function callOf(field: Field, p: string, e: string): string {
  if (field.kind === "enum") return `enumeration(${textsOf(field.type)}, b, ${p}, ${e}, d, w)`;
  if (field.kind === "scalar" && field.text) return `string(b, ${p}, ${e}, d, w)`;
  return `${field.type}(b, ${p}, ${e}, d, w)`;
}

function quoteOf(field: Field): string {
  return field.kind === "scalar" && ["string", "bytes", "int64", "uint64"].includes(field.type) ? '"' : "";
}

/** The default value, without the quotes that {@link quoteOf} returns. */
function zeroOf(field: Field, zeros: Zeros): string {
  if (field.kind === "enum") return JSON.stringify(zeros.get(field.type));
  if (field.type === "string" || field.type === "bytes") return "";
  return field.type === "bool" ? "false" : "0";
}

function tagOf(field: Field): number {
  return (field.number << 3) | (field.packed ? DELIMITED : wireTypeOf(field));
}

function tagBytes(field: Field): number[] {
  const bytes: number[] = [];
  let rest = tagOf(field);
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

/** The condition under which this field's tag is next. */
function tagIsNext(field: Field): string {
  const bytes = tagBytes(field);
  const last = bytes.length - 1;
  const conditions = bytes.map((byte, i) => `b[${i === 0 ? "p" : `p + ${i}`}] === ${byte}`);
  return `${last === 0 ? "p" : `p + ${last}`} < e && ${conditions.join(" && ")}`;
}
