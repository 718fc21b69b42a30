/** Decodes base64, with or without padding; undefined for other text. Node itself decodes any text. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  const standard = bytes.toString("base64");
  const padding = standard.indexOf("=");
  const unpadded = padding === -1 ? standard : standard.slice(0, padding);
  return text === standard || text === unpadded ? bytes : undefined;
}
