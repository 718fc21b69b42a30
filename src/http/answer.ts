/** Answers that are not the RPC's response as it stands. */
import { isUtf8 } from "node:buffer";
import { decodeReply } from "../cri/codec.ts";
import type { ExecAnswer } from "../routes/answers.ts";

/** ExecSync's reply in the encoding that the caller asked for. */
export function execAnswer(wire: Buffer, encoding: "utf8" | "base64"): ExecAnswer {
  const { exitCode, stdout, stderr } = decodeReply("RuntimeService/ExecSync", wire);
  if (encoding === "base64") return { exitCode, stdout, stderr, encoding, lossy: false };
  const outputs = [stdout, stderr].map((text) => Buffer.from(text, "base64")) as [Buffer, Buffer];
  const [out, err] = outputs;
  return {
    exitCode,
    stdout: out.toString("utf8"),
    stderr: err.toString("utf8"),
    encoding,
    lossy: !outputs.every((bytes) => isUtf8(bytes)),
  };
}
