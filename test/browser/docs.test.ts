/**
 * /docs in a real Chromium, in front of the fake runtime. `KEEP_SCREENSHOTS=1` keeps its pictures in
 * `screenshots/`; otherwise they are only taken and weighed.
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { type App, createApp } from "../../src/app.ts";
import { connect, type Runtime } from "../../src/cri/channel.ts";
import { type ApiDocument, routesOf } from "../../src/docs/document.ts";
import { errorTable } from "../../src/errors.ts";
import { openApiFile } from "../../src/version.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeRuntime, type FakeRuntime } from "../support/fake-runtime.ts";
import { repositoryRoot } from "../support/repository.ts";
import { launchChromium, withoutChromium } from "./chromium.ts";

const token = "a-token-for-a-browser";
const tokenFile = "/srv/crest/token";
const skip = withoutChromium;

let fake: FakeRuntime;
let runtime: Runtime;
let app: App;
let browser: Browser;
let origin: string;
let folder: string;

before(async () => {
  if (skip) return;
  folder = await mkdtemp(join(tmpdir(), "crest-docs-"));
  fake = await createFakeRuntime({ manner: "containerd-2.1" });
  fake.addContainer({ id: "c".repeat(64), name: "web" });
  runtime = connect({ runtimeEndpoint: fake.socket });
  app = createApp({
    config: {
      listen: { host: "127.0.0.1", port: 0 },
      dataDir: folder,
      acceptHost: ["127.0.0.1"],
      grants: { all: false, allow: { read: true, exec: true, pull: true, unmanaged: true }, deny: {} },
      tokenFile,
    },
    ...{ runtime, token },
    log: () => undefined,
  });
  origin = await app.listen();
  browser = await launchChromium();
});

after(async () => {
  if (skip) return;
  await browser.close();
  await app.close();
  runtime.close();
  await fake.close();
  await rm(folder, { recursive: true, force: true });
});

interface Opened {
  readonly page: Page;
  /** What the console had to complain about, violations of the policy included. */
  readonly complaints: readonly string[];
}

/** Opens a path in a browser of its own: nothing is kept from one test to the next. */
async function open(t: TestContext, path: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 960 }, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith("data:"))
      complaints.push(`asked for ${request.url()}`);
  });
  await page.goto(`${origin}${path}`);
  return { page, complaints };
}

async function textOf(element: Locator): Promise<string> {
  return (await element.textContent()) ?? "";
}

async function enterToken(page: Page, text = token): Promise<void> {
  await page.fill("#token-value", text);
  await page.click("dialog#token button.primary");
}

/** Whether an element is at the top of the window, below the bar. */
async function isAtTop(page: Page, id: string): Promise<boolean> {
  const box = await page.locator(`[id="${id}"]`).boundingBox();
  return box !== null && box.y > 40 && box.y < 140;
}

async function picture(page: Page, name: string): Promise<void> {
  const kept = process.env.KEEP_SCREENSHOTS === "1";
  const target = kept ? join(repositoryRoot(), "test", "browser", "screenshots") : folder;
  mkdirSync(target, { recursive: true });
  const path = join(target, `docs-${name}.png`);
  await page.screenshot({ path });
  const { size } = await stat(path);
  assert.ok(size > 10_000 && size < 300_000, `${name}: ${size} bytes`);
}

/** Texts whose contrast with what is behind them is below 4.5, as the page itself computes it. */
const faintTexts = `(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const seen = new Set();
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility()) continue;
    const [front, back] = [rgb(getComputedStyle(element).color), behind(element)];
    const key = front + "/" + back;
    if (seen.has(key)) continue;
    seen.add(key);
    const [light, dark] = [luminance(front), luminance(back)].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) faint.push(contrast.toFixed(2) + " " + element.className + ": " + node.data.slice(0, 40));
  }
  return { faint, pairs: seen.size };
})()`;

test("the page shows every operation, and the browser has nothing to complain about", { skip }, async (t) => {
  const { page, complaints } = await open(t, "/docs");
  const document = JSON.parse(await readFile(openApiFile, "utf8")) as ApiDocument;
  const routes = routesOf(document);
  assert.equal(await page.locator(".operation h3").count(), routes.length);
  for (const { operation } of routes) {
    assert.ok(await page.locator(`#${operation.operationId} h3`).isVisible(), operation.operationId);
    assert.ok(await page.locator(`nav a[href="#${operation.operationId}"]`).isVisible());
  }
  assert.match(await textOf(page.locator("#listPods .curl")), new RegExp(`"${origin}/v1/pods"$`));
  await page.goto(`${origin}/docs/problems`);
  assert.deepEqual(complaints, []);
  await page.goto(`${origin}/docs`);
  await picture(page, "light");
});

test("the filter is a key away, and finds by name, path, grant and RPC", { skip }, async (t) => {
  const { page } = await open(t, "/docs");
  const shown = async (): Promise<readonly (string | null)[]> => {
    const links = await page.locator("nav.contents li:visible a").all();
    return Promise.all(links.map((link) => link.getAttribute("href")));
  };
  await page.keyboard.press("/");
  assert.equal(await page.evaluate("document.activeElement.id"), "filter");
  await page.keyboard.type("portforward");
  assert.deepEqual(await shown(), ["#forwardPorts"]);
  assert.equal(await textOf(page.locator(".found")), "1 found");
  for (const [text, found] of [
    ["image-remove", "#removeImage"],
    ["RuntimeService/StopContainer", "#stopContainer"],
    ["PATCH pods", "#updatePodResources"],
    ["PodSandboxState", "#PodSandboxState"],
  ] as const) {
    await page.fill("#filter", text);
    assert.ok((await shown()).includes(found), text);
  }
  await page.fill("#filter", "port-forward");
  assert.deepEqual(await shown(), ["#forwardPorts"]);
  await page.fill("#filter", "restart");
  assert.deepEqual(await shown(), ["#stopPod", "#startContainer", "#stopContainer", "#getPostMortem"]);
  await page.fill("#filter", "nothing of the kind");
  assert.equal(await textOf(page.locator(".found")), "Nothing found");
  await page.fill("#filter", "stopContainer");
  await page.keyboard.press("Enter");
  assert.equal(new URL(page.url()).hash, "#stopContainer");
  assert.ok(await isAtTop(page, "stopContainer-title"));
  await page.locator("#filter").press("Escape");
  assert.equal(
    await page.locator("nav.contents li:visible").count(),
    4 + (await page.locator(".operation").count()),
  );
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate("document.activeElement.hash"), "#introduction");
});

test("answer examples are open, and the curl lines learn the token's path with the token", {
  skip,
}, async (t) => {
  const { page } = await open(t, "/docs#getPod");
  assert.ok(await page.locator("#getPod .answer pre").first().isVisible());
  const line = page.locator("#listPods .curl");
  assert.ok((await textOf(line)).includes('Bearer $(cat "$CREST_TOKEN_FILE")"'));
  await page.click(".tools .token");
  await enterToken(page);
  await page.locator("dialog#token").waitFor({ state: "hidden" });
  assert.ok((await textOf(line)).includes(`Bearer $(cat ${tokenFile})"`), await textOf(line));
});

test("deep links lead to operations and components, and the contents follow", { skip }, async (t) => {
  const { page } = await open(t, "/docs#createContainer", { colorScheme: "dark" });
  await eventually(() => isAtTop(page, "createContainer-title"));
  const current = page.locator("nav.contents [aria-current]");
  await eventually(async () => (await current.getAttribute("href")) === "#createContainer");
  await picture(page, "dark");
  await page.click('#createContainer a[href="#ImageSpecInput"]');
  await eventually(() => isAtTop(page, "ImageSpecInput-title"));
});

test("trees open level by level, with the fields of the components", { skip }, async (t) => {
  const { page } = await open(t, "/docs#getPod");
  const answer = page.locator("#getPod .answer > details.tree").first();
  await answer.locator("> summary").click();
  const status = answer
    .locator("> ul > li")
    .filter({ has: page.locator("code.name", { hasText: /^status$/ }) });
  await status.first().locator("> details > summary").click();
  assert.ok(
    await status
      .first()
      .locator("code.name", { hasText: /^network$/ })
      .first()
      .isVisible(),
  );
  const state = status.first().locator("> details > ul > li").filter({ hasText: "PodSandboxState" });
  await state.locator("> details > summary").click();
  assert.match(await textOf(state), /SANDBOX_NOTREADY/);
});

test("Try it asks for the token once, sends the request and shows the answer", { skip }, async (t) => {
  const { page, complaints } = await open(t, "/docs#listPods");
  await page.click("#listPods .try > summary");
  await page.selectOption("#listPods-state", "SANDBOX_READY");
  assert.match(await textOf(page.locator("#listPods .curl")), /\/v1\/pods\?state=SANDBOX_READY"$/);
  await page.click("#listPods .send");
  await enterToken(page);
  const result = page.locator("#listPods .try .result");
  await result.locator(".outcome").waitFor();
  assert.match(await textOf(result.locator(".outcome")), /^200 OK in [\d.]+ ms, [\d,]+ bytes$/);
  const [pod] = fake.pods.values();
  const body = await textOf(result.locator("> pre"));
  assert.deepEqual(
    (JSON.parse(body) as { items: readonly { id: string }[] }).items.map(({ id }) => id),
    [pod?.id],
  );
  await result.locator("summary", { hasText: "Headers" }).click();
  assert.match(await textOf(result), /x-request-id: /);
  await picture(page, "try-it");

  // A second operation, with a body: the token is there already, and the origin is the gateway's own.
  await page.click("#execSync .try > summary");
  await page.click("#execSync .send");
  assert.equal(await page.locator("#execSync-containerId").getAttribute("aria-invalid"), "true");
  await page.fill("#execSync-containerId", "cccc");
  await page.fill("#execSync-body", '{"cmd": ["echo", "it\'s"]}');
  const line = await textOf(page.locator("#execSync .curl"));
  assert.ok(line.includes(`--json '{"cmd": ["echo", "it'\\''s"]}'`), line);
  assert.ok(line.endsWith(`"${origin}/v1/containers/cccc/exec"`), line);
  await page.click("#execSync .send");
  await page.locator("#execSync .outcome").waitFor();
  assert.match(await textOf(page.locator("#execSync .result > pre")), /"stdout": "it's\\n"/);
  assert.deepEqual(complaints, []);

  const traces = await page.evaluate(
    "JSON.stringify([location.href, document.cookie, { ...localStorage }, { ...sessionStorage }, document.documentElement.outerHTML, [...document.querySelectorAll('input')].map((i) => i.value)])",
  );
  assert.ok(!String(traces).includes(token), "the token is in memory only");
  await page.reload();
  assert.equal(await textOf(page.locator(".tools .token")), "Token");
});

test("a missing grant is shown at the operation, and highlighted in the problem", { skip }, async (t) => {
  const { page } = await open(t, "/docs#runPod", { colorScheme: "dark" });
  await page.click("#runPod .try > summary");
  await page.click("#runPod .send");
  await enterToken(page);
  const problem = page.locator("#runPod .problem");
  await problem.waitFor();
  assert.match(await textOf(problem), /NotCapable not_capable/);
  assert.deepEqual(await problem.locator("mark").allTextContents(), ["run"]);
  assert.match(await textOf(problem), /--allow-run/);
  assert.match(await textOf(page.locator("#runPod .facts")), /you do not have it/);
  assert.doesNotMatch(await textOf(page.locator("#listPods .facts")), /you do not have it/);
  await picture(page, "problem");
  await problem.locator("a").click();
  await eventually(() => isAtTop(page, "not_capable-title"));
});

test("places of mistakes are shown as they were written", { skip }, async (t) => {
  const { page } = await open(t, "/docs#execSync");
  await page.click("#execSync .try > summary");
  await page.fill("#execSync-containerId", "cccc");
  await page.fill("#execSync-body", '{"cmmd": ["ls"]}');
  await page.click("#execSync .send");
  await enterToken(page);
  const mistake = page.locator("#execSync .problem li");
  await mistake.waitFor();
  assert.match(await textOf(mistake), /^\/cmmd /);
});

test("a wrong token shows the problem and is not kept", { skip }, async (t) => {
  const { page } = await open(t, "/docs");
  await page.click(".tools .token");
  await enterToken(page, "wrong");
  const problem = page.locator("dialog .problem");
  await problem.waitFor();
  assert.match(await textOf(problem), /Unauthenticated unauthenticated/);
  assert.match(await textOf(page.locator("dialog .result")), /does not know this token/);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("dialog").isVisible(), false);
  assert.equal(await textOf(page.locator(".tools .token")), "Token");
  await page.click(".tools .token");
  assert.equal(await page.locator("#token-value").inputValue(), "");
});

test("a link signs in once, and leaves nothing in the address or the history", { skip }, async (t) => {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${origin}/v1/sign-in-keys`, { method: "POST", headers });
  const { key } = (await response.json()) as { key: string };
  const { page, complaints } = await open(t, `/docs#key=${key}`);
  await page.locator("button.token", { hasText: "Token: set" }).first().waitFor();
  assert.equal(page.url(), `${origin}/docs`);
  assert.equal(await page.evaluate("history.length"), 2);
  assert.equal(await page.locator("dialog#token").isVisible(), false);
  assert.deepEqual(complaints, []);

  const second = await open(t, `/docs#key=${key}`);
  await second.page.locator("dialog#token .result", { hasText: "The link does not sign in" }).waitFor();
  assert.equal(second.page.url(), `${origin}/docs`);
});

test("a request that takes long can be given up", { skip }, async (t) => {
  const { page } = await open(t, "/docs#waitContainer");
  await page.click("#waitContainer .try > summary");
  await page.fill("#waitContainer-containerId", "cccc");
  await page.click("#waitContainer .send");
  await enterToken(page);
  const button = page.locator("#waitContainer .send");
  await eventually(async () => (await textOf(button)) === "Cancel");
  await button.click();
  await page.locator("#waitContainer .result", { hasText: "Cancelled." }).waitFor();
  assert.equal(await textOf(button), "Send GET");
});

test("a stream shows its items, and the problem that ends it", { skip }, async (t) => {
  fake.on("ImageService/PullImage", () => new Promise(() => undefined));
  const { page, complaints } = await open(t, "/docs#pullImage");
  await page.click("#pullImage .try > summary");
  await page.fill("#pullImage-body", '{"image": {"image": "busybox:1.36"}}');
  await page.selectOption("#pullImage-accept", "text/event-stream");
  assert.match(
    await textOf(page.locator("#pullImage .curl")),
    /^curl -N -H "Accept: text\/event-stream" \\\n/,
  );
  await page.click("#pullImage .send");
  await enterToken(page);
  const result = page.locator("#pullImage .result");
  const item = result.locator(".item").first();
  await item.waitFor();
  assert.match(await textOf(result.locator(".outcome")), /^200 OK, streaming$/);
  assert.equal(await textOf(page.locator("#pullImage .send")), "Stop");
  const [, id] = /^progress \{"id":"([^"]+)"/.exec(await textOf(item)) ?? [];
  await fetch(`${origin}/v1/pulls/${id}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${token}` },
  });
  const problem = result.locator(".problem");
  await problem.waitFor();
  assert.match(await textOf(problem), /pull_cancelled/);
  assert.match(await textOf(result.locator(".outcome")), /ended with a problem$/);
  assert.equal(await textOf(page.locator("#pullImage .send")), "Send POST");
  assert.deepEqual(complaints, []);
});

test("the lines of a WebSocket reach the runtime, from the page's own console", { skip }, async (t) => {
  const { page } = await open(t, "/docs#execContainer");
  const lines = await textOf(page.locator("#execContainer .script"));
  const script = lines.replace("TOKEN", token).replace("CONTAINER_ID", "c".repeat(64));
  fake.calls.length = 0;
  await page.evaluate(`{ ${script} }`);
  const [call] = await eventually(() => {
    const calls = fake.callsOf("RuntimeService/Exec");
    return calls.length > 0 && calls;
  });
  assert.ok(call);
  assert.deepEqual((call.request as { cmd?: readonly string[] }).cmd, ["ls", "-l", "/"]);
});

test("the anchors of the problems page work", { skip }, async (t) => {
  const { page, complaints } = await open(t, "/docs/problems");
  for (const code of ["invalid_request", "name_reserved", "too_many_sessions"]) {
    await page.goto(`${origin}/docs/problems#${code}`);
    await eventually(() => isAtTop(page, `${code}-title`));
  }
  assert.equal(await page.locator(".problem-code").count(), Object.keys(errorTable).length);
  await page.fill("#filter", "retryable");
  const retryable = Object.values(errorTable).filter((row) => "retryable" in row).length;
  assert.equal(await page.locator("nav.contents li:visible").count(), retryable);
  await page.goto(`${origin}/docs/problems#not_capable`);
  await picture(page, "problems");
  assert.deepEqual(complaints, []);
});

test("the theme follows the system until it is chosen, and the choice is kept", { skip }, async (t) => {
  const { page } = await open(t, "/docs", { colorScheme: "light" });
  const background = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
  const light = await background();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await background();
  assert.notEqual(light, dark);
  await page.click("button.appearance");
  assert.equal(await textOf(page.locator("button.appearance")), "Theme: light");
  assert.equal(await background(), light);
  await page.reload();
  assert.equal(await background(), light);
  assert.equal(await page.evaluate("JSON.stringify({ ...localStorage })"), '{"crest-theme":"light"}');
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`${colorScheme}: every text stands out from what is behind it`, { skip }, async (t) => {
    const { page } = await open(t, "/docs#runPod", { colorScheme });
    await page.click("#runPod .try > summary");
    await page.click("#runPod .send");
    await enterToken(page);
    await page.locator("#runPod .problem").waitFor();
    await page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true");
    const { faint, pairs } = (await page.evaluate(faintTexts)) as { faint: string[]; pairs: number };
    assert.deepEqual(faint, []);
    assert.ok(pairs > 10);
  });
}

test("a phone's width is enough: nothing sticks out, and the contents are a button away", {
  skip,
}, async (t) => {
  const phone = { viewport: { width: 360, height: 760 }, hasTouch: true, isMobile: true };
  const { page } = await open(t, "/docs", phone);
  await picture(page, "phone");
  for (const path of ["/docs", "/docs/problems"]) {
    await page.goto(`${origin}${path}`);
    await page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true");
    assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 360, path);
  }
  await page.goto(`${origin}/docs#stopContainer`);
  await eventually(() => isAtTop(page, "stopContainer-title"));
  await page.click("#stopContainer .try > summary");
  await page.locator("#stopContainer .code").evaluate("(code) => code.scrollIntoView()");
  await picture(page, "phone-operation");
  const menu = page.locator("button.menu");
  assert.equal(await page.locator("#navigation").isVisible(), false);
  await menu.click();
  assert.equal(await menu.getAttribute("aria-expanded"), "true");
  await page.click('nav.contents a[href="#listPods"]');
  assert.equal(await page.locator("#navigation").isVisible(), false);
  await eventually(() => isAtTop(page, "listPods-title"));
});

test("without a script the page reads, and offers nothing that needs one", { skip }, async (t) => {
  const { page } = await open(t, "/docs#stopPod", { javaScriptEnabled: false });
  assert.ok(await isAtTop(page, "stopPod-title"));
  assert.match(
    await textOf(page.locator("#stopPod .curl")),
    /127\.0\.0\.1:8585\/v1\/pods\/\$podSandboxId\/stop/,
  );
  const controls = "button, input, select, textarea, details[data-component]";
  assert.equal(await page.locator(`:is(${controls}):visible`).count(), 0);
});
