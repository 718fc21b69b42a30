import assert from "node:assert/strict";
import { test } from "node:test";
import { parseArguments } from "../../../src/cli/parse.ts";
import { withoutOverlap } from "../../../src/cli/run/earlier-output.ts";
import { runBody } from "../../../src/cli/run/run-body.ts";

const files: { readonly [path: string]: string } = { "vars.env": "# ours\nA=file\r\n\nHERE\nGONE\n" };

function bodyOf(line: string): object {
  const { flags, operands, commandLine } = parseArguments("run", line.split(" "));
  const body = runBody(flags, operands[0] ?? "", commandLine, {
    env: { HERE: "from here" },
    readFile: (path) => files[path] ?? assert.fail(path),
  });
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

test("runBody() takes docker's flags", () => {
  assert.deepEqual(bodyOf("busybox"), { image: "busybox" });
  assert.deepEqual(bodyOf("busybox ls -l"), { image: "busybox", args: ["ls", "-l"] });
  assert.deepEqual(bodyOf("--entrypoint sh busybox -- -c true"), {
    ...{ image: "busybox", command: ["sh"], args: ["-c", "true"] },
  });
  assert.deepEqual(
    bodyOf("-it --name web --namespace demo -l app=web -l bare -w /srv -u 1000:1000 busybox"),
    {
      ...{ image: "busybox", tty: true, stdin: true, name: "web", namespace: "demo" },
      ...{ labels: { app: "web", bare: "" }, workingDir: "/srv", user: "1000:1000" },
    },
  );
  assert.deepEqual(bodyOf("-e A=b=c -e HERE -e GONE --env-file vars.env busybox"), {
    image: "busybox",
    env: { A: "b=c", HERE: "from here" },
  });
  assert.deepEqual(bodyOf("-v /a:/b -v /c:/d:ro -p 8080:80 -p [::1]:53:53/udp -m 256m --cpus .5 busybox"), {
    image: "busybox",
    mounts: [
      { hostPath: "/a", containerPath: "/b" },
      { hostPath: "/c", containerPath: "/d", readonly: true },
    ],
    ports: [
      { hostPort: 8080, containerPort: 80 },
      { hostPort: 53, containerPort: 53, hostIp: "::1", protocol: "UDP" },
    ],
    ...{ memory: "256Mi", cpus: 0.5 },
  });
});

test("runBody() says which flag is wrong, and what would be right", () => {
  for (const [line, message] of [
    ["-v data:/data busybox", /^StartError: --volume=data:\/data: expected NODE_PATH:CONTAINER_PATH/],
    ["-v /a:/b:rx busybox", /^StartError: --volume=/],
    ["-p 80 busybox", /^StartError: --publish=80: expected NODE_PORT:POD_PORT/],
    ["-p 70000:80 busybox", /^StartError: --publish=/],
    ["-m lots busybox", /^StartError: --memory=lots: expected bytes/],
    ["-m 0 busybox", /^StartError: --memory=/],
    ["--cpus 0 busybox", /^StartError: --cpus=0: expected a number of CPUs/],
    ["-e =x busybox", /^StartError: --env: expected NAME=VALUE/],
    ["-l =x busybox", /^StartError: --label==x: expected KEY=VALUE/],
    [`-p ${"1".repeat(65_536)}:80 busybox`, /^StartError: --publish=1{95,100}: expected/],
  ] as const)
    assert.throws(() => bodyOf(line), message);
});

test("withoutOverlap() leaves out of the log what the terminal repeats", () => {
  const cut = (log: string, attached: string): string =>
    Buffer.from(withoutOverlap(Buffer.from(log), Buffer.from(attached))).toString();
  assert.equal(cut("one\ntwo\n", ""), "one\ntwo\n");
  assert.equal(cut("one\ntwo\n", "two\nthree"), "one\n");
  assert.equal(cut("one\ntwo\n", "one\ntwo\n$ "), "");
  assert.equal(cut("one\ntwo\n", "$ "), "one\ntwo\n");
});
