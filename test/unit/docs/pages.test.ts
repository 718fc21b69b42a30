/** The pages as text: complete, and with nothing that the browser's policy would refuse. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { assets } from "../../../src/docs/assets.ts";
import { type ApiDocument, routesOf } from "../../../src/docs/document.ts";
import { problemsPage } from "../../../src/docs/problems-page.ts";
import { referencePage } from "../../../src/docs/reference-page.ts";
import { errorTable } from "../../../src/errors.ts";
import { closeCode } from "../../../src/streaming/socket.ts";
import { openApiFile } from "../../../src/version.ts";

const document = JSON.parse(readFileSync(openApiFile, "utf8")) as ApiDocument;
const reference = referencePage(document, "/var/lib/crest/token");
const problems = problemsPage("1.2.3");
const pages = { "/docs": reference, "/docs/problems": problems } as const;

const all = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? "");
const anchorsOf = (text: string): readonly string[] => all(text, /\sid="([^"]*)"/g);

test("the reference has every operation with its method, path, grant and RPC, and every component", () => {
  const anchors = new Set(anchorsOf(reference));
  const routes = routesOf(document);
  assert.ok(routes.length >= 39);
  for (const { method, path, operation } of routes) {
    const { operationId } = operation;
    const start = reference.indexOf(`<section class="operation" id="${operationId}"`);
    assert.notEqual(start, -1, operationId);
    const section = reference.slice(start, reference.indexOf("</section>", start));
    assert.ok(section.includes(`data-method="${method}" data-path="${path}"`), operationId);
    const grant = operation["x-crest-grant"];
    if (grant !== "authenticated") assert.ok(section.includes(`data-grant="${grant}"`), operationId);
    for (const rpc of [operation["x-cri-rpc"] ?? []].flat())
      assert.ok(section.replaceAll("<wbr>", "").includes(`<code>${rpc}</code>`), `${operationId}: ${rpc}`);
    for (const status of Object.keys(operation.responses).filter((name) => name !== "default"))
      assert.ok(section.includes(`>${status}</`), `${operationId}: ${status}`);
    for (const { name } of operation.parameters ?? [])
      assert.ok(section.includes(`<code class="name">${name}</code>`), `${operationId}: ${name}`);
  }
  for (const name of Object.keys(document.components.schemas)) assert.ok(anchors.has(name), name);
});

test("sessions have lines to paste and no form, everything else has both", () => {
  for (const { operation, isSession } of routesOf(document)) {
    const start = reference.indexOf(`id="${operation.operationId}"`);
    const section = reference.slice(start, reference.indexOf("</section>", start));
    assert.equal(section.includes("<form"), !isSession, operation.operationId);
    assert.equal(section.includes('class="curl"'), !isSession, operation.operationId);
    assert.equal(section.includes('class="script"'), isSession, operation.operationId);
    const hasChoice = operation["x-crest-media-types"] !== undefined;
    assert.equal(section.includes('name="accept"'), hasChoice, operation.operationId);
  }
});

test("what the document shows stands in the page: bodies to send, answers, queries of sessions", () => {
  const sectionOf = (id: string): string => {
    const start = reference.indexOf(`id="${id}"`);
    const text = reference.slice(start, reference.indexOf("</section>", start));
    return text.replaceAll("&quot;", '"').replaceAll("&amp;", "&");
  };
  for (const { operation } of routesOf(document)) {
    const section = sectionOf(operation.operationId);
    const body = operation.requestBody?.content["application/json"]?.example;
    if (body !== undefined) {
      const texts = [JSON.stringify(body), JSON.stringify(body, undefined, 2)];
      assert.ok(
        texts.some((text) => section.includes(`>\n${text}</textarea>`)),
        operation.operationId,
      );
    }
    const answer = operation.responses["200"]?.content?.["application/json"]?.example;
    if (answer !== undefined)
      assert.ok(section.includes(JSON.stringify(answer, undefined, 2)), operation.operationId);
  }
  assert.ok(sectionOf("execContainer").includes("/exec?command=ls&command=-l&command=%2F"));
  assert.ok(sectionOf("forwardPorts").includes("/portforward?ports=8080"));
});

test("the guide of sessions names every close code that is not an HTTP status", () => {
  const start = reference.indexOf('id="sessions"');
  const guide = reference.slice(start, reference.indexOf("</section>", start));
  for (const code of Object.values(closeCode)) {
    if (code !== closeCode.internal) assert.ok(guide.includes(`<dt>${code}</dt>`), String(code));
  }
});

test("the problems page has every code of the error table under its own anchor", () => {
  for (const [code, { status, title, ...row }] of Object.entries(errorTable)) {
    const start = problems.indexOf(`<section class="problem-code" id="${code}"`);
    assert.notEqual(start, -1, code);
    const section = problems.slice(start, problems.indexOf("</section>", start));
    assert.ok(section.includes(`>${title.replaceAll('"', "&quot;")}</a>`), code);
    assert.ok(section.includes(`>${status}</span>`), code);
    assert.equal(section.includes(">retryable<"), "retryable" in row, code);
    assert.match(section, /What happened\.<\/strong> [A-Z].*[.?]<\/p>/, code);
    assert.match(section, /What to do\.<\/strong> \S.*\.<\/p>/, code);
  }
});

for (const [path, text] of Object.entries(pages)) {
  test(`${path}: anchors are unique`, () => {
    const anchors = anchorsOf(text);
    assert.equal(new Set(anchors).size, anchors.length);
  });

  test(`${path}: links lead to anchors that exist, and to nowhere else`, () => {
    for (const target of all(text, /\shref="([^"]*)"/g)) {
      if (target.startsWith("data:image/svg+xml,")) continue;
      const [page, anchor] = target.split("#");
      const linked = page === "" ? text : pages[page as keyof typeof pages];
      if (linked !== undefined) {
        if (anchor !== undefined) assert.ok(linked.includes(` id="${anchor}"`), target);
      } else {
        assert.ok(
          target === "/openapi.json" || assets.some(({ name }) => target === `/docs/assets/${name}`),
          target,
        );
      }
    }
  });

  test(`${path}: no script or style stands in the page, and nothing is loaded from elsewhere`, () => {
    assert.doesNotMatch(
      text,
      /<script(?![^>]*\ssrc="\/docs\/assets\/)|<style|\sstyle=|\son\w+="|javascript:/,
    );
    assert.doesNotMatch(text, /\s(?:src|action|srcset)="(?!\/docs\/)/);
  });

  test(`${path}: labels and headings lead to elements that exist`, () => {
    const anchors = new Set(anchorsOf(text));
    for (const target of all(text, /\s(?:for|aria-labelledby|aria-controls)="([^"]*)"/g))
      assert.ok(anchors.has(target), target);
  });
}

test("every file of the assets' folder is one that is served, and the scripts are small", () => {
  const [first] = assets;
  assert.ok(first);
  const folder = fileURLToPath(new URL("./", first.file));
  const found = readdirSync(folder).filter((name) => name !== "tsconfig.json");
  assert.deepEqual(found.sort(), assets.map(({ name }) => name).sort());
  const scripts = assets.filter(({ mediaType }) => mediaType === "text/javascript");
  const bytes = scripts.reduce((sum, { file }) => sum + readFileSync(file).length, 0);
  assert.ok(bytes < 40_000, `${bytes} bytes`);
});
