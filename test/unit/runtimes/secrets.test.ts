import assert from "node:assert/strict";
import { test } from "node:test";
import { cutMark, cutText } from "../../../src/cri/runtime-text.ts";
import { GatewayError } from "../../../src/errors.ts";
import { methods } from "../../../src/gen/methods.ts";
import { openFields } from "../../../src/runtimes/open-fields.ts";
import { hideSecrets, secretsIn, withoutSecrets } from "../../../src/runtimes/secrets.ts";
import { fieldsOf } from "../../contract/table-messages.ts";

const create = "RuntimeService/CreateContainer";
const hidden = (config: object, text: string): string => hideSecrets(text, secretsIn(create, { config }));

test("secretsIn() has what is not on the allowlist: values of annotations, arguments, not programs and keys", () => {
  const config = {
    metadata: { name: "frontend" },
    command: ["/bin/server", "--password=hunter2"],
    args: ["--verbose=hunter3"],
    annotations: { "example.com/note": "a longer value", "example.com/frontend": "frontend" },
    labels: { app: "frontend-of-the-shop" },
  };
  assert.equal(
    hidden(
      config,
      "/bin/server --password=hunter2 --verbose=hunter3 example.com/note=a longer value frontend-of-the-shop frontend",
    ),
    "/bin/server [redacted] [redacted] example.com/note=[redacted] frontend-of-the-shop frontend",
  );
});

test("secretsIn() takes the first argument for the program only where there is no command", () => {
  assert.equal(
    hidden({ args: ["/bin/server", "hunter2hunter2"] }, "/bin/server hunter2hunter2"),
    "/bin/server [redacted]",
  );
  assert.equal(
    hidden({ command: ["/bin/sh"], args: ["/bin/server"] }, "/bin/sh /bin/server"),
    "/bin/sh [redacted]",
  );
});

test("hideSecrets() masks what a cut has left of a secret, before it and behind it", () => {
  const secret = "0123456789".repeat(20);
  const text = cutText(`${"a".repeat(3000)}${secret}${"b".repeat(5000)}${secret}${"c".repeat(900)}`);
  const masked = hideSecrets(text, [secret]);
  assert.ok(text.includes("01234") && text.includes(cutMark));
  assert.doesNotMatch(masked, /0123|6789/);
  assert.match(masked, /^a+\[redacted\]\.\.\. \(cut\) \.\.\.\[redacted\]c+$/);
});

test("withoutSecrets() takes secrets that look like JSON, in members and places", () => {
  const error = new GatewayError("invalid_request", "x", {
    errors: [{ pointer: "/a", detail: 'wrong: "detail":"' }],
    members: { some: ['{"pointer":'] },
  });
  const masked = withoutSecrets(error, ['"detail":"', '{"pointer":']) as GatewayError;
  assert.deepEqual(masked.errors, [{ pointer: "/a", detail: "wrong: [redacted]" }]);
  assert.deepEqual(masked.members, { some: ["[redacted]"] });
});

test("every field of the allowlist is one of a request of CRI, and none of them is a secret", () => {
  const reached = new Set<string>();
  const visit = (name: string): void => {
    if (reached.has(name)) return;
    reached.add(name);
    for (const field of fieldsOf(name)) if (field.kind === "message" && !field.map) visit(field.type);
  };
  for (const { request } of Object.values(methods)) visit(request);
  for (const [message, names] of Object.entries(openFields)) {
    assert.ok(reached.has(message), message);
    for (const name of names) {
      const field = fieldsOf(message).find((one) => one.name === name);
      assert.ok(field !== undefined && field.redact !== true, `${message}.${name}`);
    }
  }
});
