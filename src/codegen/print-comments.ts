/** Prints `gen/comments.ts`: the proto's comments as data, for the published document and for help texts. */
import type { Model } from "./model.ts";

export function printComments({ messages, enums, rpcs }: Model): string {
  const rows: [string, string][] = [
    ...rpcs.map(({ name, comment }): [string, string] => [name, comment]),
    ...messages.flatMap(({ name, comment, fields }): [string, string][] => [
      [name, comment],
      ...fields.map(({ field, comment }): [string, string] => [`${name}.${field.name}`, comment]),
    ]),
    ...enums.flatMap(({ name, comment, values }): [string, string][] => [
      [name, comment],
      ...values.map((value): [string, string] => [`${name}.${value.name}`, value.comment]),
    ]),
  ];
  const commented = rows.filter(([, comment]) => comment !== "");
  return [
    "/**",
    " * The proto's comments by `Service/Method`, `Message`, `Message.jsonName`, `Enum` and `Enum.VALUE`. Serving",
    " * requests does not need them, so import them lazily.",
    " */",
    "export const comments: { readonly [name: string]: string } = {",
    ...commented.map(([name, comment]) => `  ${JSON.stringify(name)}: ${JSON.stringify(comment)},`),
    "};",
    "",
  ].join("\n");
}
