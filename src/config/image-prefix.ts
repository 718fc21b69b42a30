/** Parser for the image prefixes that restrict pulls. */
import { StartError } from "../errors.ts";

const label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
/** As in image references (distribution/reference): a domain or an IPv6 literal, with an optional port. */
const registry = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[0-9a-fA-F:.]+\\])(?::\\d{1,5})?$`);
const repositoryPart = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;

/**
 * Parses `host[:port][/path...]`, the beginning of an image reference. Returns it with the host in lower case and
 * without a trailing slash.
 *
 * @throws {StartError} for a wildcard, a URL, a tag or digest, a missing registry, or invalid characters.
 */
export function readImagePrefix(text: string): string {
  const usage =
    "write a registry, optionally with a path, such as registry.example:5000 or docker.io/library";
  const refuse = (what: string) => new StartError(`"${text}" ${what}: ${usage}`);
  if (/[*?]/.test(text)) throw refuse("has a wildcard, but a prefix already covers everything below it");
  if (text.includes("://")) throw refuse("is a URL");
  const [host = "", ...path] = text.replace(/\/$/, "").split("/");
  if (!/[.:]/.test(host) && host !== "localhost") throw refuse("does not begin with a registry's host");
  if (!registry.test(host)) throw refuse(`does not begin with a registry's host, for "${host}"`);
  for (const part of path) {
    if (repositoryPart.test(part)) continue;
    if (part === "") throw refuse("has an empty part");
    throw refuse(
      /[:@]/.test(part) ? "has a tag or a digest" : `has "${part}", which cannot occur in an image name`,
    );
  }
  const name = host.toLowerCase();
  // Runtimes treat both names as the same registry and write docker.io.
  return [name === "index.docker.io" ? "docker.io" : name, ...path].join("/");
}
