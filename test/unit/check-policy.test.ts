/** `--policy=FILE` and `crest policy check`. */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { checkPolicy } from "../../src/check-policy.ts";
import { parseCommandLine, readPolicy, withPolicy } from "../../src/config.ts";
import { StartError } from "../../src/errors.ts";

const folder = mkdtempSync("/var/tmp/crest-check-");
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content), { mode: 0o600 });
  return path;
}

const refused = (action: () => unknown, message: RegExp): void => {
  assert.throws(action, (error: unknown) => {
    assert.ok(error instanceof StartError, String(error));
    assert.match(error.message, message);
    return true;
  });
};

test("crest policy check takes a policy and a file", () => {
  assert.deepEqual(parseCommandLine(["policy", "check", "baseline", "pod.json"], {}), {
    name: "policy",
    policy: "baseline",
    file: "pod.json",
  });
  for (const line of ["policy", "policy check", "policy check baseline", "policy explain baseline pod.json"])
    refused(() => parseCommandLine(line.split(" "), {}), /write crest policy check POLICY FILE$/);
  refused(() => parseCommandLine("policy check a b c".split(" "), {}), /^c: unexpected argument/);
  refused(() => parseCommandLine("policy check a b --listen=x".split(" "), {}), /crest policy has no flags/);
});

test("a policy file has a level and words, and anything else is refused with its place", () => {
  const path = file("good.json", {
    level: "restricted",
    allow: ["port:80-90", "cap:cap_chown"],
    deny: ["pid"],
  });
  const policy = readPolicy(path);
  assert.deepEqual(policy, { level: "restricted", allow: ["port:80-90", "cap:CHOWN"], deny: ["pid"] });
  const merged = withPolicy({ all: false, allow: { run: true, host: ["ipc"] }, deny: {} }, policy);
  assert.deepEqual(merged.allow, { run: true, host: ["ipc", "port:80-90", "cap:CHOWN"] });
  assert.deepEqual(merged.deny, { host: ["pid"] });
  for (const [content, message] of [
    ["{", /bad\.json: is not JSON/],
    [[], /bad\.json: must be an object/],
    [{}, /bad\.json: level: missing, write "baseline" or "restricted"/],
    [{ level: "lax" }, /bad\.json: level: unknown word "lax"/],
    [{ level: "baseline", allow: "port:80" }, /bad\.json: allow: must be a list of strings/],
    [{ level: "baseline", allow: ["ipc", "port"] }, /bad\.json: allow\[1\]: "port" has no value/],
    [{ level: "baseline", allowed: [] }, /bad\.json: allowed: unknown option, did you mean allow\?/],
  ] as const)
    refused(() => readPolicy(file("bad.json", content)), message);
  refused(() => readPolicy(join(folder, "absent.json")), /cannot be read: ENOENT/);
  chmodSync(path, 0o666);
  refused(() => readPolicy(path), /good\.json has mode/);
});

test("a decision is explained: each reason with its flag, or each value that is filled in", () => {
  const pod = file("pod.json", {
    metadata: { name: "web" },
    portMappings: [{ containerPort: 80, hostPort: 8080 }],
  });
  assert.deepEqual(checkPolicy({ policy: "baseline", file: pod }), {
    isPermitted: false,
    text: "refused by baseline:\n  /portMappings/0/hostPort publishes port 8080 of the node; permitted with --allow-host=port:8080",
  });
  const policy = file("policy.json", { level: "baseline", allow: ["port:8080"] });
  assert.deepEqual(checkPolicy({ policy, file: pod }), {
    isPermitted: true,
    text: [
      "permitted by baseline, with these values filled in:",
      '  /linux/securityContext/namespaceOptions/pid "CONTAINER"',
      '  /linux/securityContext/seccomp/profileType "RuntimeDefault"',
    ].join("\n"),
  });
  const container = file("container.json", { metadata: { name: "app" }, image: "busybox" });
  assert.match(checkPolicy({ policy, file: container }).text, /\/linux\/securityContext\/noNewPrivs true/);
  assert.match(checkPolicy({ policy: "restricted", file: container }).text, /runAsUser is not given/);
  const denied = file("denied.json", { level: "baseline", allow: ["port:8080"], deny: ["port:8000-9000"] });
  assert.match(
    checkPolicy({ policy: denied, file: pod }).text,
    /; permitted without --deny-host=port:8000-9000$/,
  );
});

test("a config that is none is refused with its file", () => {
  for (const [content, message] of [
    ["[", /none\.json: is not JSON/],
    ["[]", /none\.json: must be a JSON object/],
    [{ metadata: { name: "web" }, hostPort: 80 }, /none\.json: \/hostPort is not known/],
  ] as const)
    refused(() => checkPolicy({ policy: "baseline", file: file("none.json", content) }), message);
  refused(() => checkPolicy({ policy: "baseline", file: join(folder, "absent") }), /absent: ENOENT/);
});
