/** Source text fragments shared by the printers. */

/** A doc comment, or an empty string if there is no comment. */
export function docComment(comment: string, indent = ""): string {
  if (comment === "") return "";
  const lines = comment.replaceAll("*/", "*\\/").split("\n");
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`;
}

/** The TypeScript name of a message or enum. Nested names lose their dot. */
export function typeName(name: string): string {
  return name.replaceAll(".", "");
}
