/** The audit log of a gateway in front of a real containerd: a pod, a shell, a refusal, and its full file system. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { type AuditLine, auditLines } from "../support/audit-log.ts";
import { documentedScript } from "../support/documents.ts";
import { eventually } from "../support/eventually.ts";
import { command, openSession } from "./clients/session.ts";
import { bodyOf, problemOf } from "./support/api.ts";
import { command as runProgram } from "./support/command.ts";
import { newFolder, removeFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { type Resource, runContainer, runPod } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const folder = newFolder();
/** A file system of its own, which is full after 64 KiB. */
const small = join(folder, "small");
const auditFile = join(small, "audit.log");
const tokenFile = join(folder, "webhook-token");
const received: { readonly authorization: string | undefined; readonly items: readonly AuditLine[] }[] = [];
const collector = createServer((request, response) => {
  let text = "";
  request.on("data", (part) => {
    text += part;
  });
  request.on("end", () => {
    received.push({ authorization: request.headers.authorization, items: JSON.parse(text).items });
    response.end();
  });
});
let pod: Resource;
let container: Resource;
if (skip === false) {
  mkdirSync(small);
  await runProgram(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", small]);
  writeFileSync(tokenFile, "a-token-for-the-collector\n", { mode: 0o600 });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
}
const crest = useGateway(skip, {
  args: [
    ...["--allow-read", "--allow-run", "--allow-exec", "--allow-logs", "--allow-stop", "--allow-pull"],
    ...[`--audit-file=${auditFile}`, `--audit-webhook-token-file=${tokenFile}`],
    `--audit-webhook=http://127.0.0.1:${(collector.address() as AddressInfo | null)?.port}/events`,
  ],
  async prepare(gateway) {
    pod = await runPod(gateway);
    container = await runContainer(gateway, pod);
  },
});

// After the gateway has ended.
after(async () => {
  collector.closeAllConnections();
  collector.close();
  if (skip === false) await runProgram(["umount", small]);
  await removeFolder(folder);
});

const lines = (): readonly AuditLine[] => auditLines(readFileSync(auditFile, "utf8"));
const linesOf = (wanted: (line: AuditLine) => boolean, count: number): Promise<readonly AuditLine[]> =>
  eventually(() => {
    const found = lines().filter(wanted);
    return found.length >= count && found;
  });
const idOf = ({ path }: Resource): string => path.slice(path.lastIndexOf("/") + 1);

test("a pod and its container are recorded with their names, before and after", { skip }, async () => {
  const [received, made] = await linesOf(
    ({ requestURI, verb }) => requestURI === "/v1/pods" && verb === "create",
    2,
  );
  assert.deepEqual([received?.stage, made?.stage], ["RequestReceived", "ResponseComplete"]);
  assert.equal(made?.annotations["object.crest/created"], `pods/${idOf(pod)}`);
  const [created] = await linesOf(({ objectRef }) => objectRef?.subresource === "containers", 2);
  assert.equal(created?.objectRef?.uid, idOf(pod));
  assert.ok(created?.objectRef?.name);
  assert.ok(created?.annotations["object.crest/image"]);
});

test("a shell is recorded with its bytes and without its words, as the documents say", { skip }, async () => {
  const session = await openSession(crest(), `${container.path}/exec`, {
    query: { ...command("cat; echo s3cret-word"), stdin: true },
  });
  await session.type("s3cret\n");
  await session.until(/s3cret\n/);
  await session.endInput();
  await session.status();
  const [received, started, ended] = await linesOf(
    ({ objectRef, userAgent }) => objectRef?.subresource === "exec" && userAgent === undefined,
    3,
  );
  assert.deepEqual(
    [received?.stage, started?.stage, ended?.stage],
    ["RequestReceived", "ResponseStarted", "ResponseComplete"],
  );
  assert.equal(ended?.annotations["session.crest/bytes-received"], "7");
  assert.equal(ended?.annotations["session.crest/bytes-sent"], String("s3cret\ns3cret-word\n".length));
  assert.equal(ended?.objectRef?.uid, idOf(container));
  assert.ok(!readFileSync(auditFile, "utf8").includes("s3cret"));
  const documented = JSON.parse(documentedScript("json audit")) as AuditLine;
  const shapeOf = (value: unknown): unknown =>
    typeof value === "object" && value !== null
      ? Object.entries(value).map(([name, member]) => [name, shapeOf(member)])
      : typeof value;
  assert.deepEqual(shapeOf(documented), shapeOf(ended), JSON.stringify(ended, null, 2));
});

test("a refused request is recorded with what it lacked", { skip }, async () => {
  problemOf(await crest().delete(container.path), 403, "not_capable");
  const [line] = await linesOf(({ verb }) => verb === "delete", 1);
  assert.deepEqual([line?.stage, line?.responseStatus?.code], ["ResponseComplete", 403]);
  assert.equal(line?.annotations["authorization.crest/grant"], "remove");
});

test("the webhook has every event of the file, in its order", { skip }, async () => {
  const ids = (all: readonly AuditLine[]): readonly string[] =>
    all.map(({ auditID, stage }) => `${auditID} ${stage}`);
  await eventually(() => assert.deepEqual(ids(received.flatMap(({ items }) => items)), ids(lines())) ?? true);
  assert.ok(received.every(({ authorization }) => authorization === "Bearer a-token-for-the-collector"));
});

test("a file system that is full refuses a new pod, which does not run, and recovers", { skip }, async () => {
  const filling = join(small, "filling");
  assert.throws(() => writeFileSync(filling, Buffer.alloc(128 * 1024)), /ENOSPC/);
  // The rest of the last page is left to the file.
  const command = { cmd: ["true"] };
  await eventually(async () => (await crest().post(`${container.path}/exec`, command)).status === 503);
  const before = bodyOf(await crest().get("/v1/pods"));
  const body = { metadata: { name: "not-recorded" } };
  problemOf(await crest().post("/v1/pods", body), 503, "audit_failed");
  assert.deepEqual(bodyOf(await crest().get("/v1/pods")), before);
  assert.match(crest().process.stderr(), /Cannot write the audit log, so requests are refused: ENOSPC/);
  writeFileSync(filling, "");
  bodyOf(await crest().post("/v1/pods", body), 201);
  assert.match(crest().process.stderr(), /The audit log can be written again/);
  // The line that was cut off is the only one that is no JSON.
  const whole = readFileSync(auditFile, "utf8")
    .split("\n")
    .filter((line) => line.endsWith("}"));
  for (const line of whole) assert.equal(JSON.parse(line).kind, "Event");
});

test("a file that logrotate has moved is left, and a new one begun", { skip }, async () => {
  renameSync(auditFile, `${auditFile}.1`);
  bodyOf(await crest().post(`${pod.path}/stop`), 204);
  const [line] = await linesOf(({ objectRef }) => objectRef?.subresource === "stop", 2);
  assert.equal(line?.objectRef?.uid, idOf(pod));
});
