/** What a gateway prints when it is ready. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { banner } from "../../src/banner.ts";
import { parseCommandLine } from "../../src/config.ts";

/** The banner of `crest serve FLAGS` or `crest up FLAGS`. */
function printed(line: string, address = "http://127.0.0.1:8585"): string {
  const command = parseCommandLine(line.split(" "), {}, { uid: 0, cwd: "/" });
  assert.ok("config" in command);
  const { config } = command;
  return banner({ config, address, validTo: undefined, runtime: "containerd 2.1.9 at /run/x.sock" });
}

/** The addresses of the lines to paste, and their bodies. */
const tried = (text: string): readonly string[] =>
  [...text.matchAll(/^ {2}curl .*Bearer \$\(cat \S+\)" (.*)$/gm)].map(([, request = ""]) => request);

const base = "http://127.0.0.1:8585";
const body = '{"name": "web", "image": "busybox:latest", "command": ["sleep", "3600"]}';

test("banner() shows requests that the grants permit, and no others", () => {
  for (const [line, requests] of [
    ["serve", [`${base}/v1/grants`]],
    ["serve --allow-exec", [`${base}/v1/grants`]],
    ["serve --allow-read", [`${base}/v1/version`, `${base}/v1/images`, `${base}/v1/pods`]],
    ["serve --allow-read=pods", [`${base}/v1/pods`]],
    [
      "serve --allow-read --deny-read=images,runtime",
      [`${base}/v1/pods`, `${base}/v1/containers`, `${base}/v1/stats/containers`],
    ],
    ["serve --allow-read=stats", [`${base}/v1/stats/containers`]],
    ["up", [`${base}/v1/version`, `${base}/v1/images`, `--json '${body}' ${base}/v1/run`]],
    ["up --allow-run", [`${base}/v1/grants`]],
    ["up --allow-run --allow-pull", [`--json '${body}' ${base}/v1/run`]],
    ["up --deny-run", [`${base}/v1/version`, `${base}/v1/images`, `${base}/v1/pods`]],
  ] as const) {
    assert.deepEqual(tried(printed(line)), requests, line);
  }
});

test("banner() shows the same as commands, which find the gateway by its data folder", () => {
  const command = parseCommandLine(["up", "--data-dir=/srv/a b"], {}, { uid: 0, cwd: "/" });
  assert.ok("config" in command);
  const around = { config: command.config, address: base, runtime: "containerd", program: "/clone/main.js" };
  const commandsOf = (text: string) => text.split("\n").filter((line) => line.includes("/clone/main.js"));
  assert.deepEqual(commandsOf(banner({ ...around, usualDataDir: "/srv/a b" })), [
    "  /clone/main.js version",
    "  /clone/main.js images",
    "  /clone/main.js run -d --name=web busybox:latest -- sleep 3600",
  ]);
  const [elsewhere] = commandsOf(banner({ ...around, usualDataDir: "/var/lib/crest" }));
  assert.equal(elsewhere, "  CREST_DATA_DIR='/srv/a b' /clone/main.js version");
});

test("banner() names the pages at /docs", () => {
  assert.match(printed("serve"), /^ {2}docs {5}http:\/\/127\.0\.0\.1:8585\/docs$/m);
  assert.match(
    printed("serve", "unix:/run/crest.sock"),
    /^ {2}docs {5}http:\/\/localhost\/docs, through the socket$/m,
  );
});

test("banner() says how far grants and denials go", () => {
  const granted = (line: string) => /^ {2}grants {3}(.*)$/m.exec(printed(line))?.[1];
  assert.equal(granted("serve --allow-read=pods,images --allow-exec"), "read=pods,images, exec");
  assert.equal(granted("serve --allow-read --deny-read=stats"), "read, but not read=stats");
  assert.match(granted("serve -A --deny-host") ?? "", /^EVERYTHING, but not host: /);
  assert.match(granted("serve") ?? "", /^nothing: /);
});
