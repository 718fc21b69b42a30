/** Commands that end, run in a container of the real containerd: output, exit codes, limits. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { type Answer, bodyOf, problemOf } from "./support/api.ts";
import { startGateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { type ExecAnswer, exec, type Resource, runContainer, runPod } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
let container: Resource;
const crest = useGateway(skip, {
  async prepare(gateway) {
    const envs = [{ key: "WHERE", value: "the node = here" }];
    container = await runContainer(gateway, await runPod(gateway), { envs });
  },
});

function run(body: object, query = ""): Promise<Answer<ExecAnswer>> {
  return crest().post<ExecAnswer>(`${container.path}/exec${query}`, body);
}

const sh = (script: string) => ({ cmd: ["sh", "-c", script] });

test("stdout, stderr and the exit code are told apart", { skip }, async () => {
  assert.deepEqual(bodyOf(await run(sh("echo out; echo err >&2; exit 3"))), {
    exitCode: 3,
    stdout: "out\n",
    stderr: "err\n",
    encoding: "utf8",
    lossy: false,
  });
});

test("a command without output answers empty texts", { skip }, async () => {
  const { exitCode, stdout, stderr } = bodyOf(await run({ cmd: ["true"] }));
  assert.deepEqual([exitCode, stdout, stderr], [0, "", ""]);
});

test("a command sees the container's environment and no shell touches its arguments", { skip }, async () => {
  assert.equal((await exec(crest(), container, 'echo "$WHERE"')).stdout, "the node = here\n");
  const argument = "$WHERE `id` \"'\n*";
  assert.equal(bodyOf(await run({ cmd: ["echo", argument] })).stdout, `${argument}\n`);
});

test("exit codes come as they are, and 128 + n for a signal", { skip }, async () => {
  for (const [script, exitCode] of [
    ["exit 0", 0],
    ["exit 255", 255],
    ["kill -9 $$", 137],
  ] as const) {
    assert.equal(bodyOf(await run(sh(script))).exitCode, exitCode, script);
  }
});

test("text keeps every character of UTF-8", { skip }, async () => {
  const text = 'grüße, 世界, 🚀 \\ " \t';
  const { stdout, lossy } = bodyOf(await run({ cmd: ["echo", text] }));
  assert.deepEqual([stdout, lossy], [`${text}\n`, false]);
});

const allBytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const printAllBytes = `printf '${Array.from(allBytes, (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")}'`;

test("bytes that are not UTF-8 become U+FFFD, and lossy says so", { skip }, async () => {
  const { stdout, lossy } = bodyOf(await run(sh(printAllBytes)));
  assert.deepEqual([stdout, lossy], [allBytes.toString("utf8"), true]);
});

test("base64 keeps every byte of both streams", { skip }, async () => {
  const body = sh(`${printAllBytes}; ${printAllBytes} >&2`);
  const { stdout, stderr, encoding, lossy } = bodyOf(await run(body, "?encoding=base64"));
  assert.deepEqual([encoding, lossy], ["base64", false]);
  for (const text of [stdout, stderr]) assert.deepEqual(Buffer.from(text, "base64"), allBytes);
});

test("an unknown encoding is 400 and names the known ones", { skip }, async () => {
  const problem = problemOf(await run({ cmd: ["true"] }, "?encoding=latin1"), 400, "invalid_request");
  assert.equal(problem.errors?.[0]?.parameter, "encoding");
  assert.match(problem.detail, /utf8 or base64/);
});

test("8 MiB of output arrive whole", { skip }, async () => {
  const bytes = 8 * 1024 * 1024;
  const { stdout } = bodyOf(await run(sh(`yes 'Crest' | head -c ${bytes}`)));
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  assert.equal(sha256(stdout), sha256("Crest\n".repeat(bytes / 6 + 1).slice(0, bytes)));
});

test("output over the runtime's limit is a problem, and the gateway goes on", { skip }, async () => {
  const answer = await run(sh("yes | head -c 20971520"));
  assert.equal(problemOf(answer, 422, "output_too_large").retryable, false);
  assert.equal(bodyOf(await run({ cmd: ["echo", "still here"] })).stdout, "still here\n");
});

test("a command over its timeout is 504 and does not live on", { skip }, async () => {
  const begunMs = performance.now();
  problemOf(await run({ ...sh("echo some; exec sleep 31415"), timeout: "1" }), 504, "exec_timeout");
  const tookMs = performance.now() - begunMs;
  assert.ok(tookMs >= 1000 && tookMs < 10_000, `${tookMs} ms`);
  const isGone = async () => (await exec(crest(), container, "ps | grep '[s]leep 31415'")).exitCode === 1;
  await eventually(isGone, { timeoutMs: 20_000 });
});

test("a command without a timeout ends at --exec-max and does not live on", { skip }, async () => {
  const limited = await startGateway("serve", {
    args: [`--runtime-endpoint=${join(crest().dataDir, "containerd.sock")}`, "--allow-all", "--exec-max=1s"],
  });
  try {
    const answer = await limited.post(`${container.path}/exec`, { cmd: ["sleep", "7654"] });
    problemOf(answer, 504, "exec_timeout");
    const { pointer } = problemOf(
      await limited.post(`${container.path}/exec`, { cmd: ["true"], timeout: "2" }),
      400,
      "invalid_request",
    ).errors?.[0] ?? { pointer: "" };
    assert.equal(pointer, "/timeout");
  } finally {
    await limited.close();
  }
  await eventually(async () => !(await exec(crest(), container, "ps")).stdout.includes("sleep 7654"));
});

test("a program whose name is too long is refused at once, and a long argument is not", {
  skip,
}, async () => {
  const long = "x".repeat(70_000);
  const problem = problemOf(await run({ cmd: [long] }), 400, "invalid_request");
  assert.equal(problem.errors?.[0]?.pointer, "/cmd");
  // The longest that is taken is answered, too.
  for (const name of ["x".repeat(4096), `/${"x".repeat(4095)}`, "/x".repeat(2048)])
    problemOf(await run({ cmd: [name] }), 400, "command_not_found");
  assert.equal(bodyOf(await run({ cmd: ["echo", long] })).stdout, `${long}\n`);
});

test("a command within its timeout is not hurried", { skip }, async () => {
  assert.equal(bodyOf(await run({ ...sh("sleep 1.2; echo done"), timeout: 20 })).stdout, "done\n");
});

test("a command that does not exist is 400 and keeps the runtime's words", { skip }, async () => {
  const problem = problemOf(await run({ cmd: ["no-such-command"] }), 400, "command_not_found");
  assert.match(problem.detail, /no-such-command/);
});

test("a body without a command is 400 at the place where it is missing", { skip }, async () => {
  for (const body of [{}, { cmd: [] }, { cmd: null }]) {
    const problem = problemOf(await run(body), 400, "invalid_request");
    assert.equal(problem.errors?.[0]?.pointer, "/cmd", JSON.stringify(problem));
  }
});

test("mistakes in the body are told where they are", { skip }, async () => {
  for (const [body, pointer] of [
    [{ cmd: "ls" }, "/cmd"],
    [{ cmd: ["ls", 1] }, "/cmd/1"],
    [{ cmd: ["ls"], timeout: "soon" }, "/timeout"],
    [{ cmd: ["ls"], timeout: 1.5 }, "/timeout"],
    [{ cmd: ["ls"], comand: [] }, "/comand"],
    [{ cmd: ["ls"], containerId: "x" }, "/containerId"],
    [{ cmd: ["ls"], container_id: "x" }, "/container_id"],
  ] as const) {
    const problem = problemOf(await run(body), 400, "invalid_request");
    assert.equal(problem.errors?.[0]?.pointer, pointer, JSON.stringify(body));
  }
});

test("many commands at once keep their outputs apart", { skip }, async () => {
  const numbers = Array.from({ length: 12 }, (_, index) => index);
  const outputs = await Promise.all(
    numbers.map(async (number) => bodyOf(await run(sh(`echo ${number}; exit ${number}`)))),
  );
  assert.deepEqual(
    outputs.map(({ stdout, exitCode }) => [stdout, exitCode]),
    numbers.map((number) => [`${number}\n`, number]),
  );
});
