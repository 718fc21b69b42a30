/** The streams of /docs in a real Chromium, in front of a real containerd. */
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import type { Browser, Locator, Page } from "playwright-core";
import { push, smallImage } from "../e2e/support/images.ts";
import { reasonToSkip } from "../e2e/support/machine.ts";
import { newName, type Resource, runContainer, runPod, shell } from "../e2e/support/pods.ts";
import { useGateway } from "../e2e/support/suite.ts";
import { eventually } from "../support/eventually.ts";
import { startRegistry } from "../support/registry.ts";
import { launchChromium, withoutChromium } from "./chromium.ts";

const skip = (await reasonToSkip({ registry: true })) || withoutChromium;
const patiently = { timeoutMs: 30_000, intervalMs: 50 };

let browser: Browser;
let pod: Resource;
const crest = useGateway(skip, {
  async prepare(gateway) {
    pod = await runPod(gateway);
  },
});
before(async () => {
  if (!skip) browser = await launchChromium();
});
after(() => browser?.close());

interface Form {
  readonly page: Page;
  readonly operation: Locator;
  readonly button: Locator;
  /** The list of items, and those in it. */
  readonly list: Locator;
  readonly items: Locator;
  readonly state: Locator;
  readonly complaints: readonly string[];
}

/** Fills in an operation's form, by the names of its fields, and sends it. */
async function send(t: TestContext, id: string, fields: { readonly [name: string]: string }): Promise<Form> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 960 } });
  t.after(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(`${crest().address}/docs#${id}`);
  const operation = page.locator(`#${id}`);
  await operation.locator(".try > summary").click();
  for (const [name, value] of Object.entries(fields)) {
    const choice = page.locator(`select#${id}-${name}`);
    if ((await choice.count()) > 0) await choice.selectOption(value);
    else await page.fill(`#${id}-${name}`, value);
  }
  await operation.locator(".send").press("Enter");
  await page.fill("#token-value", crest().token);
  await page.press("#token-value", "Enter");
  const list = operation.locator(".result .live");
  await list.waitFor();
  return {
    ...{ page, operation, list, complaints },
    button: operation.locator(".send"),
    items: list.locator(".item"),
    state: operation.locator(".result .outcome span"),
  };
}

const textOf = async (element: Locator): Promise<string> => (await element.textContent()) ?? "";
const becomes = (element: Locator, text: string) =>
  eventually(async () => (await textOf(element)) === text, patiently);
const shows = (items: Locator, pattern: RegExp) =>
  eventually(async () => (await items.allTextContents()).some((text) => pattern.test(text)), patiently);

/** Waits until the gateway serves no stream. */
async function nothingIsOpen(): Promise<void> {
  const open = async () => /^sessions (\d+)$/m.exec((await crest().get("/readyz?verbose")).text)?.[1];
  await eventually(async () => (await open()) === "0", patiently);
}

test("a log is followed: only the last lines are kept, scrolling up pauses, and Stop ends it", {
  skip,
}, async (t) => {
  const printing = shell("seq 1 3000; read line < /dev/zero & while sleep 0.3; do echo tick; done");
  const { id } = await runContainer(crest(), pod, printing);
  const { page, operation, list, items, state, button, complaints } = await send(t, "getContainerLogs", {
    containerId: id,
    follow: "true",
  });
  await shows(items, /^tick$/);
  assert.equal(await textOf(state), "streaming");
  assert.ok((await textOf(operation.locator(".curl"))).startsWith("curl -N \\\n"));
  const count = operation.locator(".result .hint");
  assert.match(
    await textOf(count),
    /^3,\d{3} items: the last 1,000 are shown, 2,\d{3} before them were dropped$/,
  );
  assert.equal(await items.count(), 1000);
  /** How far the list is from its end, in pixels. */
  const below = async (): Promise<number> =>
    Number(
      await page.evaluate(
        "(({ scrollHeight, clientHeight, scrollTop }) => scrollHeight - clientHeight - scrollTop)(document.querySelector('#getContainerLogs .live'))",
      ),
    );
  await eventually(async () => (await below()) < 1, patiently);

  // With the keyboard: the list takes the focus, and keeps the place of its reader.
  const toEnd = operation.locator(".to-end");
  assert.equal(await toEnd.isVisible(), false);
  await list.focus();
  await page.keyboard.press("PageUp");
  await toEnd.waitFor();
  // Chromium scrolls smoothly.
  await eventually(async () => (await below()) > 100, patiently);
  const before = await textOf(count);
  await eventually(async () => (await textOf(count)) !== before, patiently);
  assert.ok((await below()) > 100);
  await toEnd.press("Enter");
  await toEnd.waitFor({ state: "hidden" });
  await eventually(async () => (await below()) < 1, patiently);

  assert.equal(await textOf(button), "Stop");
  await button.press("Enter");
  await becomes(state, "stopped");
  assert.equal(await textOf(button), "Send GET");
  assert.equal(await items.count(), 1000);
  await nothingIsOpen();
  assert.deepEqual(complaints, []);
});

test("a watch of events shows what happens, and is announced without its items", { skip }, async (t) => {
  const { operation, items, state, button, list } = await send(t, "listEvents", {
    watch: "true",
    accept: "text/event-stream",
  });
  await shows(items, /^type "bookmark" /);
  const { id } = await runContainer(crest(), pod);
  await shows(items, new RegExp(`type "container.started" .*"${id}"`));
  assert.equal(await list.getAttribute("aria-live"), "off");
  assert.equal(await operation.locator(".result").getAttribute("aria-live"), "polite");
  await button.click();
  await becomes(state, "stopped");
  await nothingIsOpen();
});

test("a pull shows its steps and its result, and ends by itself", { skip }, async (t) => {
  const registry = await startRegistry();
  t.after(() => registry.close());
  const [reference = ""] = await push(registry, smallImage(newName()), { name: "team/streams" });
  const { items, state, button } = await send(t, "pullImage", {
    body: JSON.stringify({ image: { image: reference } }),
    accept: "application/x-ndjson",
  });
  await becomes(state, "ended");
  const texts = await items.allTextContents();
  assert.match(texts.at(-1) ?? "", /^result \{"imageRef":"sha256:\w+"\}/);
  assert.match(texts[0] ?? "", /^progress \{"id":.*"phase":/);
  assert.equal(await textOf(button), "Send POST");
});

test("a wait ends with the container", { skip }, async (t) => {
  const { id, path } = await runContainer(crest(), pod);
  const { items, state } = await send(t, "waitContainer", {
    containerId: id,
    accept: "application/x-ndjson",
  });
  await shows(items, /^exited false/);
  await crest().post(`${path}/stop?timeout=0`);
  await becomes(state, "ended");
  assert.match(
    (await items.allTextContents()).at(-1) ?? "",
    /^exited true {2}state "CONTAINER_EXITED" {2}exitCode 137/,
  );
});

test("a watch of usage as text has a line for each reading until Stop", { skip }, async (t) => {
  await runContainer(crest(), pod);
  const { items, state, button } = await send(t, "watchContainerStats", {
    interval: "1s",
    accept: "text/plain",
  });
  await eventually(async () => (await items.count()) > 2, patiently);
  await button.click();
  await becomes(state, "stopped");
  await nothingIsOpen();
});
