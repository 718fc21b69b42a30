/** A name that the caller chose does not decide what a runtime's error means. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { encodeRequest } from "../../../src/cri/codec.ts";
import { ownWords } from "../../../src/cri/own-words.ts";
import { fromStatus } from "../../../src/cri/status.ts";
import type { Rpc } from "../../../src/gen/methods.ts";
import { isMissingCommand, translateError } from "../../../src/runtimes/translate-error.ts";
import { serviceError, stubRuntime } from "./stub-runtime.ts";

const container = "c".repeat(64);
const pod = "d".repeat(64);

/** What a text means as the answer to a request. Pod and container have these names when they are asked. */
async function codeOf(rpc: Rpc, request: object, text: string, stored: object = {}): Promise<string> {
  const runtime = stubRuntime({
    "RuntimeService/ContainerStatus": () => ({ status: { state: "CONTAINER_CREATED", ...stored } }),
    "RuntimeService/PodSandboxStatus": () => ({ status: { state: "SANDBOX_READY", ...stored } }),
    "RuntimeService/Version": () => ({ runtimeName: "test", runtimeVersion: "1" }),
  });
  const error = fromStatus(rpc, serviceError(status.UNKNOWN, text), encodeRequest(rpc, request));
  return (await translateError(runtime, rpc, request, { error, options: {} })).code;
}

/** strconv.Quote, of texts without control characters. */
const goQuote = (text: string): string => JSON.stringify(text);

interface Reference {
  readonly host: string;
  readonly repository: string;
  readonly tag: string;
}

const harmless: Reference = { host: "quay.io", repository: "team/app", tag: "v1.2" };
const textOf = ({ host, repository, tag }: Reference): string => `${host}/${repository}:${tag}`;

/** How failed pulls are worded: containerd, CRI-O (containers/image), dockerd. */
const pullTexts: readonly ((image: Reference) => string)[] = [
  (image) => `failed to resolve reference "${textOf(image)}": ${textOf(image)}: not found`,
  ...[
    "401 Unauthorized",
    "403 Forbidden",
    "404 Not Found",
    "429 Too Many Requests",
    "500 Internal Server Error",
  ].map(
    (said) => (image: Reference) =>
      `failed to pull and unpack image "${textOf(image)}": failed to resolve reference "${textOf(image)}": unexpected status from HEAD request to https://${image.host}/v2/${image.repository}/manifests/${image.tag}: ${said}`,
  ),
  ...["connect: connection refused", "i/o timeout", "connect: no route to host"].map(
    (said) =>
      ({ host, repository, tag }: Reference) =>
        `failed to do request: Head "https://${host}/v2/${repository}/manifests/${tag}": dial tcp 10.0.0.1:443: ${said}`,
  ),
  ({ host, repository, tag }) =>
    `failed to do request: Head "https://${host}/v2/${repository}/manifests/${tag}": dial tcp: lookup ${host.split(":")[0]}: no such host`,
  ({ host, repository, tag }) =>
    `failed to do request: Head "https://${host}/v2/${repository}/manifests/${tag}": dial tcp: lookup ${host.split(":")[0]} on 10.0.0.2:53: read udp: something else`,
  ({ host, repository, tag }) =>
    `failed to do request: Head "https://${host}/v2/${repository}/manifests/${tag}": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
  (image) => `failed to pull and unpack image "${textOf(image)}": something else`,
  (image) => `failed to copy ${textOf(image)}: something else`,
  ({ host, repository }) =>
    `pull access denied, repository does not exist or may require authorization: ${host}/${repository}: server message: insufficient_scope: authorization failed`,
  ...[
    "manifest unknown",
    "unauthorized: authentication required",
    "received unexpected HTTP status: 503",
  ].map(
    (said) => (image: Reference) =>
      `initializing source docker://${textOf(image)}: reading manifest ${image.tag} in ${image.host}/${image.repository}: ${said}`,
  ),
  (image) =>
    `initializing source docker://${textOf(image)}: pinging container registry ${image.host}: Get "https://${image.host}/v2/": dial tcp 10.0.0.1:443: connect: connection refused`,
  ({ repository, tag }) =>
    `Error response from daemon: manifest for ${repository}:${tag} not found: manifest unknown: manifest unknown`,
  ({ repository }) =>
    `Error response from daemon: pull access denied for ${repository}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
  ({ host }) =>
    `Error response from daemon: Get "https://${host}/v2/": dial tcp: lookup ${host.split(":")[0]} on 127.0.0.53:53: no such host`,
];

/** Words of the runtimes' own, and of the patterns that read them. */
const words = [
  ..."access-denied denied unauthorized tls x509 not found unknown manifest manifest-unknown no such host i o".split(
    " ",
  ),
  ..."i-o timeout 401 404 429 500 eof toomanyrequests exec state image repository library latest v2 read".split(
    " ",
  ),
  ..."manifests https name is in use reserved for connection-refused running io server tcp dial docker".split(
    " ",
  ),
];
const part = fc.oneof(fc.constantFrom(...words), fc.stringMatching(/^[a-z0-9]+([._-][a-z0-9]+)*$/));
const references: fc.Arbitrary<Reference> = fc.record({
  host: fc.oneof(
    part.map((name) => `${name}:5000`),
    part.map((name) => `${name}.io`),
  ),
  repository: fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
  tag: fc.oneof(part, fc.constantFrom("EOF", "RegistryUnavailable", "UNAUTHORIZED")),
});

test("no image's name decides what a failed pull means", async () => {
  const codes = new Set<string>();
  for (const text of pullTexts) {
    const pull = "ImageService/PullImage";
    const code = await codeOf(pull, { image: { image: textOf(harmless) } }, text(harmless));
    codes.add(code);
    await fc.assert(
      fc.asyncProperty(references, async (image) => {
        const said = text(image);
        assert.equal(await codeOf(pull, { image: { image: textOf(image) } }, said), code, said);
      }),
      { numRuns: 300 },
    );
  }
  assert.ok(codes.size >= 4, [...codes].join());
});

interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}
const podOf = (name: string): Pod => ({ name, namespace: "demo", uid: "c391e930" });

interface NamedText {
  readonly rpc: Rpc;
  readonly request: (name: string) => object;
  readonly text: (name: string) => string;
  /** What the runtime shows of the pod or the container. */
  readonly stored?: (name: string) => object;
}

const runOf = (name: string): object => ({ config: { metadata: podOf(name) } });
const createOf = (name: string): object => ({
  podSandboxId: pod,
  config: { metadata: { name }, image: { image: "quay.io/team/app:1" } },
});
const byPod = (): object => ({ podSandboxId: pod });
const byContainer = (): object => ({ containerId: container });
const run = "RuntimeService/RunPodSandbox";
const create = "RuntimeService/CreateContainer";
const remove = "RuntimeService/RemovePodSandbox";
const start = "RuntimeService/StartContainer";
const execSync = "RuntimeService/ExecSync";
const network = 'plugin type="bridge" failed';

const nameTexts: readonly NamedText[] = [
  {
    rpc: run,
    request: runOf,
    text: (name) =>
      `failed to reserve sandbox name ${goQuote(`${name}_demo_c391e930_0`)}: name ${goQuote(`${name}_demo_c391e930_0`)} is reserved for "8f31"`,
  },
  {
    rpc: run,
    request: runOf,
    text: (name) =>
      `failed to setup network for sandbox ${goQuote(`${name}_demo_c391e930_0`)}: ${network} (add): no space left`,
  },
  {
    rpc: run,
    request: runOf,
    text: (name) =>
      `failed to create pod network sandbox k8s_${name}_demo_c391e930_0(8f31): error adding pod demo_${name} to CNI network "crest": ${network} (add): something else`,
  },
  {
    rpc: run,
    request: runOf,
    text: () => "failed to start sandbox container task: sethostname: invalid argument: unknown",
  },
  {
    rpc: create,
    request: createOf,
    text: (name) =>
      `failed to reserve container name ${goQuote(`${name}_web_demo_c391e930_0`)}: name ${goQuote(`${name}_web_demo_c391e930_0`)} is reserved for "8f31"`,
  },
  {
    rpc: create,
    request: createOf,
    text: (name) =>
      `failed to create container ${goQuote(`${name}_web_demo_c391e930_0`)}: open /var/lib/x: no such file or directory`,
  },
  {
    rpc: create,
    request: createOf,
    text: () => "failed to generate spec: lstat /dev/no: no such file or directory",
  },
  {
    rpc: create,
    request: createOf,
    text: (name) =>
      `Error response from daemon: Conflict. The container name "/k8s_${name}_web_demo_c391e930_0" is already in use by container "8f31".`,
  },
  {
    rpc: remove,
    request: byPod,
    stored: (name) => ({ metadata: podOf(name) }),
    text: (name) =>
      `failed to destroy network for pod sandbox k8s_${name}_demo_c391e930_0(8f31): error removing pod demo_${name} from CNI network "crest": ${network} (delete): something else`,
  },
  {
    rpc: remove,
    request: byPod,
    stored: (name) => ({ metadata: podOf(name) }),
    text: (name) => `failed to unmount k8s_${name}_demo_c391e930_0: device or resource busy`,
  },
  {
    rpc: "RuntimeService/StopContainer",
    request: byContainer,
    stored: (name) => ({ metadata: { name } }),
    text: (name) => `cannot stop container "/k8s_${name}_web_demo_c391e930_0": context canceled`,
  },
  {
    rpc: "RuntimeService/StopContainer",
    request: byContainer,
    stored: (name) => ({ metadata: { name } }),
    text: () => "container with ID starting with cccc not found: ID does not exist",
  },
];

const phrases = [
  ...["is reserved for", "not found", "does not exist", "No such container", "No such image", "not running"],
  ...["exec: no such file or directory", "executable file not found", "invalid reference format", "not"],
  ...[
    "failed to destroy network for sandbox",
    "is a relative path",
    "key required",
    "name",
    "found",
    "sandbox",
  ],
  ...[
    "The container name",
    "Conflict. The container name",
    "is not a shared mount",
    "no such file or directory",
  ],
  ...[
    "exec format error",
    "cannot parse input",
    "in use",
    "network",
    "failed to reserve container name",
    "is",
  ],
];
const phrase = fc.oneof(
  fc.constantFrom(...phrases),
  fc
    .tuple(
      fc.constantFrom(...phrases),
      fc.constantFrom(" ", '"', ": ", "_", "-", "\\"),
      fc.constantFrom(...phrases),
    )
    .map((parts) => parts.join("")),
  fc.string({ minLength: 1, maxLength: 20 }),
);

test("no name of a pod or a container decides what an error means", async () => {
  for (const { rpc, request, text, stored } of nameTexts) {
    const code = await codeOf(rpc, request("web"), text("web"), stored?.("web"));
    await fc.assert(
      fc.asyncProperty(phrase, async (name) => {
        assert.equal(await codeOf(rpc, request(name), text(name), stored?.(name)), code, text(name));
      }),
      { numRuns: 300 },
    );
  }
});

/** Texts about a command, on containerd with runc, CRI-O with runc and crun, and dockerd. */
const commandTexts: readonly ((command: string) => string)[] = [
  (command) =>
    `failed to exec in container: failed to start exec "8f31": OCI runtime exec failed: exec failed: unable to start container process: exec: ${goQuote(command)}: executable file not found in $PATH: unknown`,
  (command) =>
    `unable to start container process: exec: ${goQuote(command)}: stat ${command}: no such file or directory: unknown`,
  (command) =>
    `command error: time="2026-11-28T10:00:00Z" level=error msg=${goQuote(`exec failed: unable to start container process: exec: ${goQuote(command)}: executable file not found in $PATH`)}, stdout: , stderr: , exit code -1`,
  (command) => `executable file \`${command}\` not found in $PATH: No such file or directory`,
  (command) => `failed to exec ${goQuote(command)}: something else`,
  (command) => `failed to run [${goQuote(command)}]: cgroup is frozen`,
];

test("no command decides what an error means", async () => {
  const commands = fc.oneof(
    phrase,
    phrase.map((text) => `/bin/${text}`),
    fc.constantFrom(...words),
  );
  for (const text of commandTexts) {
    const code = await codeOf(execSync, { containerId: container, cmd: ["app"] }, text("app"));
    await fc.assert(
      fc.asyncProperty(commands, async (command) => {
        const request = { containerId: container, cmd: [command, "argument"] };
        assert.equal(await codeOf(execSync, request, text(command)), code, text(command));
        assert.equal(isMissingCommand(text(command), request), code === "command_not_found", text(command));
      }),
      { numRuns: 300 },
    );
  }
});

test("no path of a mount decides what an error means", async () => {
  for (const path of ["/opt/exec", "/srv/executable file not found", "/srv/is not a shared mount/x"]) {
    const mounts = [{ hostPath: path, containerPath: "/data" }];
    const config = { metadata: { name: "app" }, mounts };
    for (const [text, code] of [
      [`failed to stat ${path}: no such file or directory`, "runtime_error"],
      [`failed to generate spec: lstat ${path}: no such file or directory`, "invalid_request"],
    ] as const) {
      assert.equal(await codeOf(create, { podSandboxId: pod, config }, text), code, text);
    }
    const text = `error mounting "${path}" to rootfs at "/data": mount ${path}:/data, flags: 0x5000: not a directory`;
    assert.equal(await codeOf(start, byContainer(), text, { mounts }), "invalid_request");
  }
});

test("ownWords() keeps the runtime's words where a name is one of them", () => {
  const container = (name: string): object => ({ config: { metadata: { name } } });
  for (const [text, name] of [
    ["container with ID starting with ab not found: ID does not exist", "not found"],
    ['level=error msg="exec failed: no reason"', "exec failed"],
    ['name "a_b" is reserved for "8f31"', " is reserved for "],
    ["it doesn't exist", "t exist"],
  ] as const) {
    assert.equal(ownWords(text, container(name)), text);
  }
  assert.equal(
    ownWords("dial tcp 10.0.0.1:443: i/o timeout", { image: { image: "i/o" } }),
    "dial tcp 10.0.0.1:443: i/o timeout",
  );
});

test("ownWords() looks at a long text and a large request once", () => {
  // Names and a text that would be compared with each other for hours, were each looked for everywhere.
  const names = Array.from({ length: 20_000 }, (_, index) => `/a${" a".repeat(20)}${index}`);
  const text = `"/a ${"a ".repeat(16_000)}`;
  assert.equal(ownWords(text, names), text);
  const slashes = "/".repeat(32_000);
  assert.equal(ownWords(slashes, ["/".repeat(4000)]), slashes);
});
