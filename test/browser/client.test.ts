/** The client in a real Chromium: the documented page, in front of a real containerd. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { reasonToSkip } from "../e2e/support/machine.ts";
import { type Resource, runContainer, runPod, shell } from "../e2e/support/pods.ts";
import { useGateway } from "../e2e/support/suite.ts";
import { documentedScript } from "../support/documents.ts";
import { eventually } from "../support/eventually.ts";
import { repositoryRoot } from "../support/repository.ts";
import { launchChromium, withoutChromium } from "./chromium.ts";

const skip = (await reasonToSkip()) || withoutChromium;
const patient = { timeoutMs: 20_000, intervalMs: 30 };

let browser: Browser;
let container: Resource;
const crest = useGateway(skip, {
  async prepare(gateway) {
    const script = "echo one; until [ -e /go ]; do sleep 0.1; done; echo two; sleep 3600";
    container = await runContainer(gateway, await runPod(gateway), shell(script));
  },
});
before(async () => {
  if (skip) return;
  browser = await launchChromium();
});
after(() => browser?.close());

/**
 * The documented page, on the gateway's origin, as a proxy would serve it. It takes the place of a page of the gateway:
 * Chromium does not let a page without an address connect to this machine.
 */
async function openPage(t: TestContext): Promise<Page> {
  const context = await browser.newContext({ bypassCSP: true });
  t.after(() => context.close());
  const page = await context.newPage();
  const { address } = crest();
  await page.route(`${address}/crest-client/**`, (route) => {
    const path = new URL(route.request().url()).pathname.slice("/crest-client/".length);
    const body = readFileSync(join(repositoryRoot(), "dist", "src", "client", path));
    return route.fulfill({ contentType: "text/javascript", body });
  });
  await page.goto(`${address}/livez`);
  await page.setContent(documentedScript("html client browser"));
  return page;
}

const textOf = async (page: Page): Promise<string> => (await page.textContent("pre")) ?? "";

/** Waits until the page's text has a match. */
async function shows(page: Page, pattern: RegExp): Promise<void> {
  await eventually(async () => pattern.test(await textOf(page)), patient).catch(async (cause: unknown) => {
    throw new Error(`No ${pattern}: the page shows ${JSON.stringify(await textOf(page))}`, { cause });
  });
}

test("the documented page runs a command and follows a log", { skip }, async (t) => {
  const page = await openPage(t);
  await page.fill("input", crest().token);
  await page.click("button");
  await shows(page, /^hello from a session\nexit code 0\none\n$/);
  await crest().post(`${container.path}/exec`, { cmd: ["touch", "/go"] });
  await shows(page, /\none\ntwo\n$/);
});

test("a wrong token is a problem in the page", { skip }, async (t) => {
  const page = await openPage(t);
  await page.fill("input", "wrong");
  await page.click("button");
  await shows(page, /^unauthenticated: /);
});

/** Runs code in the page, with `crest` and `containerId`. */
async function evaluate(page: Page, code: string): Promise<unknown> {
  const { token } = crest();
  return await page.evaluate(`(async () => {
    const { createClient } = await import("/crest-client/index.js");
    const crest = createClient({ server: location.origin, token: ${JSON.stringify(token)} });
    const containerId = ${JSON.stringify(container.id)};
    ${code}
  })()`);
}

test("in Chromium a refused session says what can be found out", { skip }, async (t) => {
  const page = await openPage(t);
  const codes = await evaluate(
    page,
    `const codes = [];
    for (const [id, command] of [["feedfeed", ["ls"]], [containerId, []]])
      await crest.exec({ containerId: id, command }).catch((error) => codes.push(error.code));
    return codes;`,
  );
  assert.deepEqual(codes, ["not_found", "session_refused"]);
});

test("in Chromium input is half-closed, and an abandoned stream is closed", { skip }, async (t) => {
  const page = await openPage(t);
  const result = await evaluate(
    page,
    `const command = ["sh", "-c", "cat; echo end"];
    const session = await crest.exec({ containerId, command, stdin: true });
    const written = session.stdin.write(new Uint8Array(3_000_000).fill(120)).then(() => session.stdin.end());
    let text = "";
    for await (const bytes of session.stdout) text += new TextDecoder().decode(bytes);
    await written;
    text = text.length + text.replace(/x/g, "");
    for await (const line of crest.getContainerLogs({ containerId, follow: true })) {
      text += line.text;
      break;
    }
    return [text, await session.exitCode];`,
  );
  assert.deepEqual(result, ["3000004end\none", 0]);
  const sessions = async () => (await crest().get("/readyz?verbose")).text;
  await eventually(async () => /^sessions 0$/m.test(await sessions()), patient);
});
