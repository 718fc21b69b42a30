/** The bytes of text in base64, with its padding or without; undefined for other text. Node decodes whatever it is given. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  const standard = bytes.toString("base64");
  const padding = standard.indexOf("=");
  const unpadded = padding === -1 ? standard : standard.slice(0, padding);
  return text === standard || text === unpadded ? bytes : undefined;
}
