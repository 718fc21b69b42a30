/** Fills in `/v1/pods/{podSandboxId}` with the fields of the answer. */
export function locationOf(template: string, answer: object): string {
  const fields: { readonly [name: string]: unknown } = { ...answer };
  return template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(fields[name])));
}
