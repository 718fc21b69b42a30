/**
 * Credentials for a pull, in a form that works with every runtime.
 *
 * Measured on containerd 1.6, 1.7 and 2.1: a user name takes precedence over everything else, even without a password.
 * An address without a scheme causes an error, or is silently read as the wrong host, and the pull continues without
 * credentials. `registryToken` is ignored. cri-dockerd does not read `auth`.
 */

import type { Runtime } from "../cri/channel.ts";
import type { Input } from "../cri/codec.ts";
import { GatewayError } from "../errors.ts";
import type { AuthConfig } from "../gen/messages.ts";
import { decodeBase64 } from "../wire/base64.ts";
import { identify } from "./identity.ts";
import { refusal } from "./refusals.ts";

/** The names that Docker's configuration has for the registry at registry-1.docker.io. */
const dockerHub: ReadonlySet<string> = new Set(["docker.io", "index.docker.io"]);

/**
 * Returns the credentials to send to the runtime.
 *
 * @throws {InvalidValue} For an invalid address.
 * @throws {GatewayError} `not_implemented`: for a token that containerd would ignore.
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
  // Azure's token comes with a placeholder for the user name.
  const hasPlaceholder = completed.identityToken && !completed.password;
  return { ...completed, serverAddress, ...(hasPlaceholder ? { username: "" } : {}) };
}

/** Moves the pair in `auth` to its own fields, unless there is a password or an identity token. */
function withPair(auth: Input<AuthConfig>): Input<AuthConfig> {
  if (!auth.auth || auth.password || auth.identityToken) return auth;
  const pair = decodeBase64(auth.auth)?.toString("utf8") ?? "";
  const colon = pair.indexOf(":");
  return { ...auth, username: pair.slice(0, colon), password: pair.slice(colon + 1), auth: "" };
}

/** Writes the address as a URL, because containerd compares it with the host that it pulls from. */
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
