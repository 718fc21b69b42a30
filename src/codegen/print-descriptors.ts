/** Prints `gen/descriptors.ts`: what the codecs need to know about every message and enum. */
import type { Field } from "../wire/descriptor.ts";
import type { MessageModel, Model } from "./model.ts";

/** `root`: the path of src from the folder of the file. */
export function printDescriptors({ messages, enums }: Model, root: string): string {
  const sorted = [...messages].sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    `import type { Descriptors } from "${root}/wire/descriptor.ts";`,
    "",
    "export const descriptors: Descriptors = {",
    "  messages: {",
    ...sorted.map(printMessage),
    "  },",
    "  enums: {",
    ...enums.map(({ name, values }) => {
      const members = values.map((value) => `${value.name}: ${value.number}`);
      return `    ${JSON.stringify(name)}: { ${members.join(", ")} },`;
    }),
    "  },",
    "};",
    "",
  ].join("\n");
}

function printMessage({ name, fields, shorthand }: MessageModel): string {
  const short = shorthand === undefined ? "" : `shorthand: "${shorthand}", `;
  if (fields.length === 0) return `    ${name}: { ${short}fields: [] },`;
  const rows = fields.map(({ field }) => `      ${printField(field)},`);
  return [`    ${name}: { ${short}fields: [`, ...rows, "    ] },"].join("\n");
}

function printField(field: Field): string {
  const members = Object.entries(field).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  return `{ ${members.join(", ")} }`;
}
