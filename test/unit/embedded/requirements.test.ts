import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  install,
  installCommand,
  type Machine,
  missingPackages,
  requirePieces,
} from "../../../src/embedded/requirements.ts";
import { StartError } from "../../../src/errors.ts";

const skip = process.platform === "win32" ? "needs a POSIX shell" : false;

/** A machine that has everything but what `lacks` names: programs, files, or a static binary's path. */
function machine(lacks: readonly string[], other: Partial<Machine> = {}): Machine {
  return {
    platform: "linux",
    uid: 0,
    missingPrograms: async (programs) => programs.filter((program) => lacks.includes(program)),
    hasFile: (path) => !lacks.includes(path),
    hasStaticBinary: (path) => !lacks.includes(path),
    ...other,
  };
}

async function refusal(of: Machine): Promise<string> {
  const options = { install: false, report: () => assert.fail("nothing is installed"), machine: of };
  const error = await requirePieces(options).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(error instanceof StartError);
  return error.message;
}

test("missingPackages() is empty on a machine that has all", async () => {
  assert.deepEqual(await missingPackages(machine([])), []);
});

test("missingPackages() names each package once, for programs, files and the static busybox", async () => {
  const lacks = ["ctr", "containerd-shim-runc-v2", "/usr/lib/cni/portmap", "iptables-save", "/bin/busybox"];
  assert.deepEqual(await missingPackages(machine(lacks)), [
    "containerd",
    "containernetworking-plugins",
    "iptables",
    "busybox-static",
  ]);
});

test("requirePieces() shows the exact command when it may not install", async () => {
  const message = await refusal(machine(["runc", "ip"]));
  assert.ok(message.includes("\n  apt-get install -y --no-install-recommends runc iproute2\n"), message);
  assert.equal(installCommand(["a", "b"]), "apt-get install -y --no-install-recommends a b");
});

test("requirePieces() refuses another system and another user in one sentence", async () => {
  const darwin = machine(["ctr"], { platform: "darwin" });
  assert.equal(await refusal(darwin), "The embedded containerd needs Linux, but this is darwin");
  const user = machine(["ctr"], { uid: 1000 });
  assert.equal(await refusal(user), "The embedded containerd needs root, but this is user 1000");
});

/** Puts an apt-get that does what `script` says before the machine's own, and answers what is said of an installation. */
async function installing(t: TestContext, script: string): Promise<{ error: StartError; steps: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), "crest-apt-"));
  const { PATH } = process.env;
  t.after(() => {
    process.env.PATH = PATH;
    rmSync(folder, { recursive: true });
  });
  writeFileSync(join(folder, "apt-get"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env.PATH = `${folder}:${PATH}`;
  const steps: string[] = [];
  const error = await install(["a", "b"], (step) => steps.push(step)).then(
    () => assert.fail("nothing was installed"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof StartError);
  return { error, steps };
}

test("install() tries again behind fresh package lists, and says what apt-get said", { skip }, async (t) => {
  const { error, steps } = await installing(t, 'echo "E: no such package" >&2; exit 100');
  assert.deepEqual(steps, ["Installing a, b", "Updating the package lists"]);
  assert.equal(error.message, "Cannot install a, b: apt-get said: E: no such package");
});

test("install() is over when Ctrl-C ends apt-get", { skip }, async (t) => {
  const { error, steps } = await installing(t, "kill -INT $$");
  assert.deepEqual(steps, ["Installing a, b"]);
  assert.equal(error.message, "Cannot install a, b: apt-get was ended by SIGINT");
});
