/** The reference's filter finds operations by what people call them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { synonyms } from "../../../src/codegen/openapi/synonyms.ts";
import { assets } from "../../../src/docs/assets.ts";
import { type ApiDocument, routesOf } from "../../../src/docs/document.ts";
import { referencePage } from "../../../src/docs/reference-page.ts";
import { openApiFile } from "../../../src/version.ts";

const document = JSON.parse(readFileSync(openApiFile, "utf8")) as ApiDocument;
const script = assets.find(({ name }) => name === "match.js");
assert.ok(script);
const { matches } = (await import(script.file.href)) as {
  matches(entries: readonly (readonly string[])[], text: string): readonly boolean[];
};

/** The entries of the page's contents, as the browser reads them. */
const entries = [
  ...referencePage(document, "/t").matchAll(/<li data-words="([^"]*)"><a href="#([^"]*)">/g),
].map(([, words = "", target = ""]) => ({ words: words.split(" "), target }));
const operations = new Set(routesOf(document).map(({ operation }) => operation.operationId));

/** The operations that the filter shows. */
function found(text: string): readonly string[] {
  const shown = matches(
    entries.map(({ words }) => words),
    text,
  );
  return entries.filter((_, index) => shown[index]).map(({ target }) => target);
}

test("the filter finds an operation by the words of other tools, and few besides", () => {
  for (const [text, wanted, most] of [
    ["run", ["runPod", "createContainer", "startContainer", "execSync", "execContainer"], 9],
    ["logs", ["getContainerLogs", "getPodLogs", "listLogs", "reopenContainerLog"], 6],
    ["log", ["getContainerLogs", "getPodLogs", "listLogs", "reopenContainerLog"], 6],
    ["restart", ["startContainer", "stopContainer"], 4],
    ["inspect", ["getPod", "getContainer", "getImage"], 5],
    ["port-forward", ["forwardPorts"], 1],
    ["port forward", ["forwardPorts"], 1],
    ["portforward", ["forwardPorts"], 1],
    ["ps", ["listPods", "listContainers"], 2],
    ["rmi", ["removeImage"], 1],
    ["delete", ["removePod", "removeContainer", "removeImage", "cancelPull", "revokeToken"], 6],
    ["kill", ["stopContainer", "stopPod", "removePod"], 4],
    [
      "top",
      ["watchContainerStats", "watchPodStats", "getContainerStats", "listContainerStats", "listPodStats"],
      8,
    ],
    ["shell", ["execContainer", "execSync"], 2],
    ["download", ["pullImage", "listPulls", "getPull"], 3],
    ["whoami", ["getGrants"], 1],
    ["run pod", ["runPod", "run"], 4],
    ["create container", ["createContainer"], 2],
  ] as const) {
    const ids = found(text).filter((target) => operations.has(target));
    for (const id of wanted) assert.ok(ids.includes(id), `${text}: ${ids}`);
    assert.ok(ids.length <= most, `${text}: ${ids}`);
  }
});

test("the filter goes on finding by id, path, grant, method and RPC, whole or in part", () => {
  for (const [text, wanted] of [
    ["runtime", ["getRuntimeStatus", "getVersion"]],
    ["RuntimeService/StopContainer", ["stopContainer"]],
    ["StopPodSandbox", ["stopPod"]],
    ["image-remove", ["removeImage"]],
    ["PATCH pods", ["updatePodResources"]],
    ["pods", ["listPods", "getPod"]],
    ["pod", ["listPods", "getPod"]],
    ["contai", ["listContainers", "createContainer"]],
    ["PodSandboxState", ["PodSandboxState"]],
  ] as const) {
    for (const id of wanted) assert.ok(found(text).includes(id), `${text}: ${found(text)}`);
  }
  assert.deepEqual(found("nothing of the kind"), []);
  assert.equal(found("").length, entries.length);
});

test("every synonym is an operation's, in lower case, and finds it", () => {
  for (const [id, words] of Object.entries(synonyms)) {
    assert.ok(operations.has(id), id);
    for (const word of words) {
      assert.equal(word, word.toLowerCase());
      assert.ok(found(word).includes(id), `${id}: ${word} finds ${found(word)}`);
    }
  }
});
