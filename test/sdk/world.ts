/** What the programs are run against: a registry, and a gateway on a containerd of its own. */

import { readFileSync } from "node:fs";
import { buildImage } from "../../src/embedded/image.ts";
import { busyboxPath } from "../../src/embedded/requirements.ts";
import type { TarEntry } from "../../src/embedded/tar.ts";
import { type Gateway, startGateway } from "../e2e/support/gateway.ts";
import { push } from "../e2e/support/images.ts";
import { registryUser, startRegistry } from "../support/registry.ts";

export interface World {
  readonly gateway: Gateway;
  /** What a tour finds its way by. */
  readonly env: { readonly [name: string]: string };
  /** All that a tour must print. */
  readonly transcript: string;
  close(): Promise<void>;
}

/**
 * Starts it. `auth`: whether the registry wants credentials.
 *
 * @throws {Error} when something does not come up; nothing is left then.
 */
export async function startWorld({ auth }: { readonly auth: boolean }): Promise<World> {
  const registry = await startRegistry({ auth });
  try {
    const image = tourImage();
    const [reference = ""] = await push(registry, image, {
      ...{ name: "team/tour", tags: ["1.0"] },
      ...(auth ? { auth: registryUser } : {}),
    });
    const gateway = await startGateway("up");
    return {
      gateway,
      env: {
        CREST_URL: gateway.address,
        CREST_TOKEN: gateway.token,
        IMAGE: reference,
        REGISTRY_USER: registryUser.username,
        REGISTRY_PASSWORD: registryUser.password,
      },
      transcript: transcriptOf(reference, image.config.digest),
      async close() {
        await gateway.close();
        await registry.close();
      },
    };
  } catch (error) {
    await registry.close();
    throw error;
  }
}

/** Another than the embedded ones: removing it must take no name of theirs along. */
function tourImage() {
  const link = (name: string): TarEntry => ({
    ...{ kind: "symlink", path: `bin/${name}`, mode: 0o777, target: "busybox" },
  });
  return buildImage({
    entries: [
      { kind: "directory", path: "bin", mode: 0o755 },
      { kind: "file", path: "bin/busybox", mode: 0o755, bytes: readFileSync(busyboxPath) },
      ...["sh", "sleep", "touch"].map(link),
    ],
    env: ["PATH=/bin"],
    cmd: ["sleep", "3600"],
  });
}

function transcriptOf(reference: string, imageId: string): string {
  return `pulled ${imageId}
exec 0 hello from one
labelled one
page three two
page one
start again already_running
limit 5000 invalid_request limit
stopped CONTAINER_EXITED 137
removed not_found
image ${reference}
image removed ${reference}
image not_found
`;
}
