/** Answers that are not the RPC's response as it stands. */
import { isUtf8 } from "node:buffer";
import { decodeReply } from "../cri/codec.ts";

/** The answer of a command: its output as text or exactly, and whether the text lost something. */
export interface ExecAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly encoding: "utf8" | "base64";
  readonly lossy: boolean;
}

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
