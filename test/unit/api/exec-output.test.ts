/** ExecSync's text in pieces, against JSON.stringify of the whole. */
import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { execPieces } from "../../../src/api/exec-output.ts";
import { encodeReply } from "../../../src/cri/codec.ts";
import { Malformed } from "../../../src/wire/read.ts";

interface Output {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

const pieceBytes = 48 * 1024;

function replyOf({ exitCode, stdout, stderr }: Output): Buffer {
  return encodeReply("RuntimeService/ExecSync", {
    exitCode,
    stdout: stdout.toString("base64"),
    stderr: stderr.toString("base64"),
  });
}

/** Asserts that the pieces are the text that JSON.stringify makes, in both encodings. */
function check(output: Output): void {
  for (const encoding of ["utf8", "base64"] as const) {
    const { exitCode, stdout, stderr } = output;
    const lossy = encoding === "utf8" && !(isUtf8(stdout) && isUtf8(stderr));
    const whole = {
      ...{ exitCode, stdout: stdout.toString(encoding), stderr: stderr.toString(encoding) },
      ...{ encoding, lossy },
    };
    const text = Buffer.concat([...execPieces(replyOf(output), encoding)]).toString();
    // Not assert.equal, which would print megabytes.
    assert.ok(text === `${JSON.stringify(whole)}\n`, `${encoding}, ${stdout.length} bytes`);
  }
}

const nothing = Buffer.alloc(0);

test("execPieces() writes exit codes, and outputs of every kind of byte", () => {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  for (const exitCode of [0, 1, 255, -1, 2 ** 31 - 1]) {
    check({ exitCode, stdout: nothing, stderr: nothing });
    check({ exitCode, stdout: everyByte, stderr: Buffer.from('grüße "世界" 🚀 \\ \u2028\n') });
  }
});

test("execPieces() never parts a character, wherever the pieces end", () => {
  for (const character of ["é", "世", "🚀", "\u0000", "\xff\xfe"]) {
    const unit = Buffer.from(character, character === "\xff\xfe" ? "latin1" : "utf8");
    for (let before = 0; before < 5; before++) {
      const stdout = Buffer.concat([Buffer.alloc(pieceBytes - before, "a"), unit, unit, Buffer.from("b")]);
      check({ exitCode: 0, stdout, stderr: stdout.subarray(1) });
    }
  }
});

test("execPieces() replaces broken UTF-8 as the whole text would have it, also where a piece ends", () => {
  const broken = [
    "80808080",
    "f09f",
    "f09f9a",
    "e4b8",
    "c3",
    "edb080",
    "f5808080",
    "8080e4b896",
    "f09f80c3a9",
  ];
  for (const hex of broken) {
    for (let before = 0; before < 6; before++) {
      const stdout = Buffer.concat([Buffer.alloc(pieceBytes - before, "a"), Buffer.from(hex, "hex")]);
      check({ exitCode: 0, stdout, stderr: Buffer.concat([stdout, Buffer.from("z")]) });
    }
  }
});

test("execPieces() is JSON.stringify() for random bytes around the size of a piece", () => {
  const bytes = fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array));
  const output = fc
    .tuple(bytes, fc.integer({ min: pieceBytes - 8, max: pieceBytes + 8 }), bytes)
    .map(([fill, length, end]) => Buffer.concat([Buffer.alloc(length, fill.length > 0 ? fill : "a"), end]));
  fc.assert(
    fc.property(output, output, (stdout, stderr) => check({ exitCode: 0, stdout, stderr })),
    { numRuns: 60 },
  );
});

test("execPieces() keeps its pieces small, whatever the output becomes", () => {
  const stdout = Buffer.alloc(1024 * 1024);
  for (const piece of execPieces(replyOf({ exitCode: 0, stdout, stderr: nothing }), "utf8")) {
    assert.ok(piece.length <= 6 * pieceBytes);
  }
});

test("execPieces() refuses what is not protobuf before its first piece", () => {
  assert.throws(() => execPieces(Buffer.from("0a05", "hex"), "utf8"), Malformed);
});
