/** The commands that look, at a terminal and in pipes, on a real containerd. The screens are as they are seen. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { quote } from "../../src/shell.ts";
import { bodyOf } from "./support/api.ts";
import { newFolder, removeFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exited, type Resource, runContainer, runPod, shell } from "./support/pods.ts";
import { crestCommand, type Ended, runToEnd } from "./support/program.ts";
import { useGateway } from "./support/suite.ts";
import { startTmux, type Tmux } from "./support/tmux.ts";

const skip = await reasonToSkip({ terminal: true });
const folder = newFolder();
const MiB = 2 ** 20;
let web: Resource;
let job: Resource;
let surroundings: { readonly CREST_DATA_DIR: string; readonly PATH: string; readonly NO_COLOR: string };
let tmux: Tmux;
const gateway = useGateway(skip, {
  async prepare(started) {
    const pod = await runPod(started, { metadata: { name: "web", namespace: "shop" } });
    web = await runContainer(started, pod, {
      metadata: { name: "app" },
      labels: { app: "web" },
      linux: { resources: { memoryLimitInBytes: String(64 * MiB) } },
      ...shell("while :; do sleep 0.1; done"),
    });
    const batch = await runPod(started, { metadata: { name: "batch", namespace: "shop" } });
    job = await runContainer(started, batch, {
      metadata: { name: "job" },
      logPath: "job.log",
      ...shell("echo one; echo boom >&2; exit 3"),
    });
    await exited(started, job);
    writeFileSync(join(folder, "crest"), `#!/bin/sh\nexec ${crestCommand().map(quote).join(" ")} "$@"\n`, {
      mode: 0o755,
    });
    surroundings = {
      CREST_DATA_DIR: started.dataDir,
      PATH: `${folder}:${process.env.PATH}`,
      NO_COLOR: "1",
    };
    tmux = startTmux({ folder, env: surroundings });
  },
});
after(async () => {
  tmux?.close();
  await removeFolder(folder);
});

const crest = (...args: readonly string[]): Promise<Ended> =>
  runToEnd(crestCommand(...args), { env: surroundings });

const piped = (line: string): Promise<Ended> =>
  runToEnd(["bash", "-c", `set -o pipefail; ${line}`], { env: { ...surroundings, JOB: job.id } });

/** A screen with what differs from run to run in fixed letters, as long as it was. */
const fixed = (text: string): string =>
  text
    .replaceAll(web.id.slice(0, 13), "<web_______id")
    .replaceAll(job.id.slice(0, 13), "<job_______id")
    .replace(/\b\d+[smh]\b/g, "AGE");

test("crest ps and pods at a terminal of 80 columns", { skip }, async () => {
  await tmux.restart();
  tmux.run("clear; crest ps -a");
  await tmux.until(/ running .*\n\$$/);
  assert.equal(
    fixed(tmux.screen()),
    `CONTAINER      NAME  POD         IMAGE           STATE    AGE
<job_______id  job   shop/batch  busybox:latest  exited   AGE
<web_______id  app   shop/web    busybox:latest  running  AGE
$`,
  );
  tmux.run("clear; crest pods --namespace shop; crest ps -f state=exited -o name");
  await tmux.until(/shop\/batch\/job\n\$$/);
  assert.match(
    fixed(tmux.screen()),
    /^POD ID {9}POD {9}STATE {2}AGE\n[0-9a-f]{13} {2}shop\/batch {2}ready {2}AGE\n[0-9a-f]{13} {2}shop\/web {4}ready {2}AGE\nshop\/batch\/job\n\$$/,
  );
});

test("crest top draws, sorts, follows the size of the terminal and leaves it as it was", {
  skip,
}, async () => {
  await tmux.restart();
  tmux.run("clear; crest top");
  await tmux.until(/ \d+\.\d%/);
  const numbers = (text: string): string =>
    fixed(text)
      .replace(/^\d\d:\d\d:\d\d/, "TIME")
      .replace(/ +\d+\.\d%/g, " CPU%")
      .replace(/ +[\d.]+[KM]iB +64MiB/g, " MEM 64MiB")
      .replace(/ +([\d.]+k?B|-)$/gm, " DISK");
  assert.equal(
    numbers(tmux.screen()),
    `TIME UTC, 1 container by cpu
c cpu  m memory  n name  r read  w written  d disk  q quit
CONTAINER      NAME  POD          CPU   MEMORY  LIMIT    DISK
<web_______id  app   shop/web CPU% MEM 64MiB DISK`,
  );
  tmux.press("m");
  await tmux.until(/by memory/);
  tmux.resize(60, 10);
  await tmux.until(/^[0-9a-f]{13} .*B$/m);
  tmux.resize(80, 24);
  tmux.press("q");
  await tmux.until(/^\$ crest top\n\$$|^\$$/m);
  tmux.run("clear; echo ended $?; stty -a | grep -o -e '-\\?icanon' -e '-\\?isig' | xargs echo modes");
  await tmux.until(/^ended 0\nmodes isig icanon\n\$$/m);
});

test("crest prune asks, and Ctrl-C removes nothing", { skip }, async () => {
  const pod = await runPod(gateway(), { metadata: { name: "old", namespace: "shop" } });
  bodyOf(await gateway().post(`${pod.path}/stop`), 204);
  await tmux.restart();
  tmux.run("clear; crest prune pods");
  await tmux.until(/^Remove 1 pod, [\d.]+k?B\? \[y\/N\]/m);
  tmux.press("C-c");
  await tmux.until(/\$$/);
  assert.equal((await crest("pods", "-o", "name", "--state", "notready")).stdout, "shop/old\n");
  tmux.run("clear; crest prune pods");
  await tmux.until(/\[y\/N\]/);
  tmux.run("y");
  await tmux.until(/^Removed 1 pod, /m);
  assert.equal((await crest("pods", "-q", "--state", "notready")).stdout, "");
});

test("crest events -f shows an exit as it happens", { skip }, async () => {
  await tmux.restart();
  tmux.run("clear; crest events -f --type container.exited,image");
  await tmux.until(/shop\/batch\/job/);
  const pod = await runPod(gateway(), { metadata: { name: "short", namespace: "shop" } });
  const short = await runContainer(gateway(), pod, { metadata: { name: "blip" }, ...shell("exit 7") });
  await tmux.until(
    new RegExp(
      `^\\d\\d:\\d\\d:\\d\\dZ {2}container\\.exited {3}shop/short/blip {2}${short.id.slice(0, 13)} {2}code 7, Error$`,
      "m",
    ),
  );
  tmux.press("C-c");
  await tmux.until(/\$$/);
});

test("results go through pipes as they are, and a reader may leave", { skip }, async () => {
  const json = await piped("crest ps -a -o json");
  assert.deepEqual(JSON.parse(json.stdout), bodyOf(await gateway().get("/v1/containers")));
  assert.match((await piped("crest ps -a -q | head -1")).stdout, /^[0-9a-f]{64}\n$/);
  const waited = await piped("crest wait batch/job; echo $?");
  assert.deepEqual([waited.stdout, waited.stderr], ["3\n0\n", ""]);
  const dead = await piped("crest post-mortem shop/batch/job");
  assert.match(dead.stdout, /^shop\/batch\/job: It exited with code 3; only its log can say why\.\n/);
  assert.match(dead.stdout, /^ {2}\S+ {2}stderr {2}boom$/m);
  const yaml = await piped("crest inspect -o yaml $JOB");
  assert.match(yaml.stdout, /^ {2}exitCode: 3$/m);
  const usage = await piped("crest stats");
  assert.match(usage.stdout, /shop\/web +[\d.]+% +[\d.]+[KM]iB +64MiB /);
  const info = await piped("crest info; crest version; crest whoami; crest images");
  assert.deepEqual([info.code, info.stderr], [0, ""]);
  for (const expected of [
    /RuntimeReady: yes/,
    /^Runtime +containerd \d/m,
    /^Caller +token$/m,
    /^busybox:latest /m,
  ])
    assert.match(info.stdout, expected);
});
