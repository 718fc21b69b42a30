/** Pieces of source text that several printers need. */

/** A doc comment, or nothing. */
export function docComment(comment: string, indent = ""): string {
  if (comment === "") return "";
  const lines = comment.replaceAll("*/", "*\\/").split("\n");
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`;
}

/** The TypeScript name of a message or an enum: a nested one loses its dot. */
export function typeName(name: string): string {
  return name.replaceAll(".", "");
}
