/** `npm start` as a service manager stops it: by a signal to npm's own process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { repositoryRoot } from "../support/repository.ts";

/** Stands for the gateway: tells its pid, and what ended it. */
const program = `
  import { writeFileSync } from "node:fs";
  process.on("SIGTERM", () => { writeFileSync("ended-by", "SIGTERM"); process.exit(0); });
  setInterval(() => {}, 1000);
  writeFileSync("pid", String(process.pid));
`;

test("npm start: SIGTERM to npm reaches the gateway, which ends in order", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "crest-npm-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { scripts } = JSON.parse(readFileSync(join(repositoryRoot(), "package.json"), "utf8"));
  mkdirSync(join(folder, "dist/src"), { recursive: true });
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "x", type: "module", scripts: { start: scripts.start } }),
  );
  writeFileSync(join(folder, "dist/src/main.js"), program);
  const npm = spawn("npm", ["start"], { cwd: folder, stdio: "ignore", env: npmEnvironment() });
  const ended = once(npm, "exit");
  const at = (name: string) => join(folder, name);
  await eventually(() => existsSync(at("pid")) && readFileSync(at("pid"), "utf8") !== "", {
    timeoutMs: 30_000,
  });
  const pid = Number(readFileSync(at("pid"), "utf8"));
  t.after(() => {
    if (isAlive(pid)) process.kill(pid, "SIGKILL");
  });
  npm.kill("SIGTERM");
  await ended;
  await eventually(() => existsSync(at("ended-by")));
  await eventually(() => !isAlive(pid));
});

/** This process's own, without what an outer npm tells its scripts. */
function npmEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("npm_")));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
