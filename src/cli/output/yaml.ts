/** YAML of the values that the API answers. */
import { Document, Scalar, visit } from "yaml";
import { printable } from "../../printable.ts";

/** What a YAML file must not have as it is, and a terminal should not get. Newlines may stand in block texts. */
const needsQuotes = (text: string): boolean => {
  const withoutNewlines = text.replaceAll("\n", "");
  return printable(withoutNewlines) !== withoutNewlines;
};

/** Ends with a newline. Characters that would move a terminal are escaped; the value is the same. */
export function yamlText(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === "string" && needsQuotes(node.value)) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  const lines = document.toString({ lineWidth: 0, doubleQuotedAsJSON: true }).split("\n");
  return lines.map(printable).join("\n");
}
