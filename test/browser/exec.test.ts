/**
 * A shell in a container of the real containerd, in a real Chromium by its own `WebSocket`: the token as a
 * subprotocol, keys in, the terminal as text in the page. `KEEP_SCREENSHOTS=1` keeps the picture in
 * `screenshots/`; otherwise it is only taken and weighed.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { listProcesses } from "../../src/embedded/processes.ts";
import { exitCodeOf, type Status, v5 } from "../e2e/clients/session.ts";
import { reasonToSkip } from "../e2e/support/machine.ts";
import { type Resource, runContainer, runPod } from "../e2e/support/pods.ts";
import { useGateway } from "../e2e/support/suite.ts";
import { documentedScript } from "../support/documents.ts";
import { eventually } from "../support/eventually.ts";
import { repositoryRoot } from "../support/repository.ts";
import { launchChromium, withoutChromium } from "./chromium.ts";

const skip = (await reasonToSkip()) || withoutChromium;

let browser: Browser;
let container: Resource;
/** A page of the user's own, on another origin than the gateway. */
const ownPage = createServer((_request, response) => response.end("a page of the user"));
if (!skip) await new Promise<void>((resolve) => ownPage.listen(0, "127.0.0.1", resolve));
const ownOrigin = skip ? "" : `http://127.0.0.1:${(ownPage.address() as AddressInfo).port}`;
const crest = useGateway(skip, {
  args: [`--allow-origin=${ownOrigin}`],
  async prepare(gateway) {
    container = await runContainer(gateway, await runPod(gateway));
  },
});
before(async () => {
  if (skip) return;
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  ownPage.close();
});

/** The page's side: `window.openTerminal(url, protocols)` shows a terminal and puts what it learns into `window.terminal`. */
const pageScript = `
window.openTerminal = (url, protocols) => {
  const screen = document.createElement("pre");
  screen.style.cssText = "margin: 0; padding: 12px; min-height: 95vh; background: #10151c; color: #d7e0ea; font: 14px/1.4 monospace";
  document.body.style.margin = 0;
  document.body.replaceChildren(screen);
  const terminal = window.terminal = { messages: [] };
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  const send = (channel, text) => {
    const payload = new TextEncoder().encode(text);
    const message = new Uint8Array(1 + payload.length);
    message[0] = channel;
    message.set(payload, 1);
    socket.send(message);
  };
  // The little of a terminal that a shell's line editor uses.
  const lines = [[]];
  let [row, column] = [0, 0];
  const print = (text) => {
    for (const [token, count, action] of text.matchAll(/\\x1b\\[\\??([0-9;]*)([A-Za-z])|./gsu)) {
      if (action === "K" || action === "J") lines[row].length = column;
      else if (action === "C") column += Number(count || 1);
      else if (action === "D") column = Math.max(0, column - Number(count || 1));
      else if (action !== undefined) continue;
      else if (token === "\\r") column = 0;
      else if (token === "\\b") column = Math.max(0, column - 1);
      else if (token === "\\n") lines[++row] = [];
      else if (token >= " ") lines[row][column++] = token;
    }
    screen.textContent = lines.map((line) => Array.from(line, (cell) => cell ?? " ").join("")).join("\\n");
  };
  const decoder = new TextDecoder();
  socket.onopen = () => {
    terminal.protocol = socket.protocol;
    send(4, JSON.stringify({ Width: 80, Height: 20 }));
  };
  socket.onmessage = ({ data }) => {
    const [channel, ...payload] = new Uint8Array(data);
    terminal.messages.push([channel, payload.length]);
    const bytes = new Uint8Array(payload);
    if (channel === 3) terminal.status = JSON.parse(new TextDecoder().decode(bytes));
    if (channel !== 1) return;
    print(decoder.decode(bytes, { stream: true }));
  };
  socket.onclose = ({ code, reason, wasClean }) => { terminal.closed = { code, reason, wasClean }; };
  const keys = { Enter: "\\r", ArrowUp: "\\x1b[A", ArrowLeft: "\\x1b[D", Backspace: "\\x7f" };
  document.onkeydown = (event) => {
    const { key, ctrlKey } = event;
    const character = ctrlKey ? String.fromCharCode(key.charCodeAt(0) & 31) : key;
    const text = key.length === 1 ? character : keys[key];
    if (text === undefined) return;
    event.preventDefault();
    send(0, text);
  };
};
`;

/** What the page learnt of its session so far. */
interface Terminal {
  readonly protocol?: string;
  /** Channel and length of each message. */
  readonly messages: readonly (readonly [number, number])[];
  readonly status?: Status;
  readonly closed?: { readonly code: number; readonly reason: string; readonly wasClean: boolean };
}

/** A page of `origin` with a terminal that is opened with a token. */
async function openTerminal(t: TestContext, origin: string, token: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 760, height: 460 } });
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(`${origin}/livez`);
  const url = new URL(`${container.path}/exec`, crest().address.replace(/^http/, "ws"));
  const query = { command: "sh", stdin: "true", stdout: "true", tty: "true" };
  url.search = new URLSearchParams(query).toString();
  const bearer = `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString("base64url")}`;
  await page.evaluate(pageScript);
  await page.evaluate(`openTerminal(${JSON.stringify(url.href)}, ${JSON.stringify([bearer, v5])})`);
  return page;
}

const terminalOf = (page: Page): Promise<Terminal> => page.evaluate("terminal");

/** Waits until the terminal's text has a match. */
async function shows(page: Page, pattern: RegExp): Promise<void> {
  const text = async () => (await page.textContent("pre")) ?? "";
  await eventually(async () => pattern.test(await text()), { timeoutMs: 20_000, intervalMs: 30 }).catch(
    async (cause: unknown) => {
      throw new Error(`No ${pattern}: the terminal shows ${JSON.stringify(await text())}`, { cause });
    },
  );
}

async function closed(page: Page): Promise<Terminal & Required<Pick<Terminal, "closed">>> {
  return await eventually(
    async () => {
      const terminal = await terminalOf(page);
      return terminal.closed && { ...terminal, closed: terminal.closed };
    },
    { timeoutMs: 20_000, intervalMs: 30 },
  );
}

test("a browser drives a shell in a terminal, with keys, history and a control character", {
  skip,
}, async (t) => {
  const page = await openTerminal(t, crest().address, crest().token);
  await shows(page, /# $/);
  const { protocol, messages } = await terminalOf(page);
  assert.equal(protocol, v5);
  assert.deepEqual(messages[0], [1, 0]);

  await page.keyboard.type("echo $((6*7))\n");
  await shows(page, /\n42\n\/ # $/);
  await page.keyboard.press("ArrowUp");
  await shows(page, /# echo \$\(\(6\*7\)\)$/);
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Backspace");
  await page.keyboard.type("8\n");
  await shows(page, /\n48\n\/ # $/);
  await page.keyboard.type("stty size; ls /\n");
  await shows(page, /\n20 80\nbin .*# $/s);
  await page.keyboard.type("sleep 31337\n");
  // The shell takes the character itself until the command runs.
  const isAsleep = () => listProcesses().some(({ argv }) => argv.join(" ") === "sleep 31337");
  await eventually(isAsleep, { timeoutMs: 20_000, intervalMs: 30 });
  await page.keyboard.press("Control+c");
  await shows(page, /\^C\n\/ # $/);
  await page.keyboard.type("printf 'gr\\303\\274\\303\\237e, 5 \\342\\202\\254\\n'\n");
  await shows(page, /\ngrüße, 5 €\n.*# $/);
  await page.keyboard.type("exit 7");
  await shows(page, /exit 7$/);
  await picture(page);

  await page.keyboard.press("Enter");
  const { closed: ending, status } = await closed(page);
  assert.deepEqual(ending, { code: 1000, reason: "", wasClean: true });
  assert.equal(status && exitCodeOf(status), 7);
});

async function picture(page: Page): Promise<void> {
  const kept = process.env.KEEP_SCREENSHOTS === "1";
  const folder = kept
    ? join(repositoryRoot(), "test", "browser", "screenshots")
    : mkdtempSync(join(tmpdir(), "crest-exec-"));
  const path = join(folder, "exec-terminal.png");
  await page.screenshot({ path });
  const { size } = statSync(path);
  if (!kept) rmSync(folder, { recursive: true });
  assert.ok(size > 5000 && size < 100_000, `${size} bytes`);
}

test("the README's script for a browser runs on an allowed page of another origin", { skip }, async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  const printed: string[] = [];
  page.on("console", (message) => printed.push(message.text()));
  await page.goto(ownOrigin);
  const script = documentedScript("js browser")
    .replace("THE TOKEN", crest().token)
    .replace("ws://127.0.0.1:8585", crest().address.replace(/^http/, "ws"))
    .replace("/v1/containers/ID", container.path);
  await page.evaluate(`{${script}}`);
  const isEnded = () => printed.some((text) => /^3 .*"status":"Success"/.test(text));
  await eventually(isEnded, { timeoutMs: 20_000, intervalMs: 30 });
  assert.match(printed.join("\n"), /^1 bin\n/m);
});

test("a browser with a wrong token gets no session", { skip }, async (t) => {
  const page = await openTerminal(t, crest().address, "wrong");
  const { closed: ending, protocol } = await closed(page);
  assert.deepEqual([ending.code, ending.wasClean, protocol], [1006, false, undefined]);
});

test("a page of another origin gets no session, even with the token", { skip }, async (t) => {
  const other = createServer((_request, response) => response.end("a page of someone else"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  t.after(() => other.close());
  const page = await openTerminal(
    t,
    `http://127.0.0.1:${(other.address() as AddressInfo).port}`,
    crest().token,
  );
  const { closed: ending, protocol } = await closed(page);
  assert.deepEqual([ending.code, ending.wasClean, protocol], [1006, false, undefined]);
});
