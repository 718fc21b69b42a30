/** A real image registry on loopback, Debian's docker-registry, and a function that pushes without a client program. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const binary = "/usr/bin/docker-registry";

/** Whether the Debian package docker-registry is installed. Tests that need it skip otherwise. */
export const hasRegistry = existsSync(binary);

/** Credentials for a registry that requires them. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

/** The only user of a registry started with `auth`. */
export const registryUser: RegistryCredentials = { username: "reader", password: "open sesame" };

/** The bcrypt hash of the password above, in htpasswd format. */
const htpasswd = "reader:$2y$05$6hptfADCWGu.8s7oLdkBd.5LND33YrXY0yVQQDgL68HY/BbbPLMQK\n";

export interface Registry {
  /** `127.0.0.1:PORT`, plain HTTP. */
  readonly address: string;
  /** Its log output so far. */
  log(): string;
  close(): Promise<void>;
}

/**
 * Starts a registry with its own storage on a free port of 127.0.0.1.
 *
 * @param options.auth Whether it requires `registryUser`. Default: false.
 * @throws {Error} if the package is not installed, or the registry does not listen within 15 s.
 */
export async function startRegistry({ auth = false }: { auth?: boolean } = {}): Promise<Registry> {
  if (!hasRegistry)
    throw new Error(`Cannot start a registry: ${binary} is missing (package docker-registry)`);
  const folder = await mkdtemp(join(tmpdir(), "crest-registry-"));
  const passwords = join(folder, "htpasswd");
  await writeFile(passwords, htpasswd);
  const config = {
    version: 0.1,
    log: { level: "info", accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: join(folder, "data") }, delete: { enabled: true } },
    http: { addr: "127.0.0.1:0" },
    ...(auth ? { auth: { htpasswd: { realm: "crest", path: passwords } } } : {}),
  };
  // JSON is valid YAML.
  await writeFile(join(folder, "config.yml"), JSON.stringify(config));
  const child = spawn(binary, ["serve", join(folder, "config.yml")], { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  const keep = (text: string) => {
    log += text;
  };
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  async function close(): Promise<void> {
    child.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
  try {
    return { address: await listeningAddress(child, () => log), log: () => log, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function listeningAddress(child: ChildProcess, log: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`Cannot start a registry: ${why}\n${log()}`));
    const timer = setTimeout(() => fail("it does not listen"), 15_000);
    const look = () => {
      const address = /listening on (127\.0\.0\.1:\d+)/.exec(log())?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("error", (error) => fail(error.message));
    child.once("close", () => {
      clearTimeout(timer);
      fail("it ended");
    });
  });
}

/** An image ready to push: the manifest and every blob it references. */
export interface PushableImage {
  readonly manifest: { readonly bytes: Uint8Array; readonly mediaType: string };
  readonly blobs: readonly { readonly digest: string; readonly bytes: Uint8Array }[];
}

/**
 * Pushes an image: the blobs, then the manifest under a tag.
 *
 * @returns The digest of the manifest, `sha256:...`.
 * @throws {Error} with the registry's response if it rejects the push.
 */
export async function pushImage(
  registry: Pick<Registry, "address">,
  image: PushableImage,
  { name, tag, auth }: { name: string; tag: string; auth?: RegistryCredentials },
): Promise<string> {
  const base = `http://${registry.address}`;
  const headers: { [name: string]: string } = {};
  if (auth !== undefined) {
    headers.authorization = `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}`;
  }
  for (const { digest, bytes } of image.blobs) {
    const begun = await send(`${base}/v2/${name}/blobs/uploads/`, { method: "POST", headers });
    const upload = new URL(begun.headers.get("location") ?? "", base);
    upload.searchParams.set("digest", digest);
    const type = { "content-type": "application/octet-stream" };
    await send(upload.href, { method: "PUT", headers: { ...headers, ...type }, body: bytes });
  }
  const type = { "content-type": image.manifest.mediaType };
  const put = { method: "PUT", headers: { ...headers, ...type }, body: image.manifest.bytes };
  await send(`${base}/v2/${name}/manifests/${tag}`, put);
  return digestOf(image.manifest.bytes);
}

async function send(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot push to ${url}: ${response.status} ${text}`);
  return response;
}

/** The digest of these bytes, with the prefix `sha256:`. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
