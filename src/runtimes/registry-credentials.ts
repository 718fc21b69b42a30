/**
 * Credentials for a pull, in the form in which every runtime uses them.
 *
 * Measured on containerd 1.6, 1.7 and 2.1: a user name wins over everything else, even without a password; an address
 * without a scheme is an error, or silently the wrong host, and the pull goes on without credentials; `registryToken`
 * is ignored. cri-dockerd does not read `auth`.
 */

import type { Runtime } from "../cri/channel.ts";
import type { Input } from "../cri/codec.ts";
import { GatewayError } from "../errors.ts";
import type { AuthConfig } from "../gen/messages.ts";
import { decodeBase64 } from "../wire/base64.ts";
import { identify } from "./identity.ts";
import { refusal } from "./refusals.ts";

/** What Docker's configuration calls the registry that others know as registry-1.docker.io. */
const dockerHub: ReadonlySet<string> = new Set(["docker.io", "index.docker.io"]);

/**
 * The credentials as the runtime shall get them.
 *
 * @throws {InvalidValue} for an address that is none; {GatewayError} `not_implemented` for a token that containerd
 *   would ignore.
 */
export async function completeCredentials(
  runtime: Runtime,
  auth: Input<AuthConfig>,
): Promise<Input<AuthConfig>> {
  const serverAddress = auth.serverAddress ? addressOf(auth.serverAddress) : "";
  const completed = withPair(auth);
  const { name, version } = await identify(runtime);
  if (name !== "containerd") return completed;
  if (auth.registryToken) {
    throw new GatewayError(
      "not_implemented",
      `auth.registryToken is not implemented by containerd ${version}, which would pull without it: send username and password, or identityToken`,
    );
  }
  // Azure has a placeholder for the user name beside its token.
  const hasPlaceholder = completed.identityToken && !completed.password;
  return { ...completed, serverAddress, ...(hasPlaceholder ? { username: "" } : {}) };
}

/** With the pair that is in `auth` in its own fields, unless there is something else to use. */
function withPair(auth: Input<AuthConfig>): Input<AuthConfig> {
  if (!auth.auth || auth.password || auth.identityToken) return auth;
  const pair = decodeBase64(auth.auth)?.toString("utf8") ?? "";
  const colon = pair.indexOf(":");
  return { ...auth, username: pair.slice(0, colon), password: pair.slice(colon + 1), auth: "" };
}

/** As containerd compares it with the host that it pulls from: a URL. */
function addressOf(address: string): string {
  const written = address.includes("//") ? address : `https://${address}`;
  if (!URL.canParse(written, "https://registry.invalid"))
    throw refusal(
      "/auth/serverAddress",
      'must be the address of a registry, "https://registry.example:5000"',
    );
  const { host } = new URL(written, "https://registry.invalid");
  return dockerHub.has(host) ? "https://registry-1.docker.io" : written;
}
