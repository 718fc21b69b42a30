/** Asks for a secret at the terminal, without showing it. */
import { StartError } from "../errors.ts";
import { Interrupted, type Terminal } from "./terminal.ts";

/** A secret is shorter. */
const maxLength = 64 * 1024;

/**
 * Returns what was typed up to Enter. The terminal is as before afterwards, whatever happens.
 *
 * @throws {StartError} without a terminal, or if nothing was typed. @throws {Interrupted} after Ctrl-C.
 */
export async function askSecret(
  { stdin, stderr, signal }: Pick<Terminal, "stdin" | "stderr" | "signal">,
  { question, otherwise }: { readonly question: string; readonly otherwise: string },
): Promise<string> {
  if (stdin.isTTY !== true || stdin.setRawMode === undefined)
    throw new StartError(`There is no terminal to ask for the password: ${otherwise}`);
  signal.throwIfAborted();
  const { setRawMode } = stdin;
  stderr.write(`${question}: `);
  setRawMode.call(stdin, true);
  try {
    const secret = await typedLine(stdin, signal);
    if (secret === "") throw new StartError("The password is empty");
    return secret;
  } finally {
    setRawMode.call(stdin, false);
    stdin.pause();
    stderr.write("\n");
  }
}

function typedLine(stdin: Terminal["stdin"], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const decoder = new TextDecoder();
    const end = (settle: () => void): void => {
      stdin.off("data", read).off("end", ended).off("error", failed);
      signal.removeEventListener("abort", aborted);
      settle();
    };
    const failed = (error: unknown): void => end(() => reject(error));
    const aborted = (): void => failed(signal.reason);
    const ended = (): void => end(() => resolve(text));
    const read = (data: Uint8Array | string): void => {
      const keys = typeof data === "string" ? data : decoder.decode(data, { stream: true });
      for (const key of keys) {
        if (key === "\r" || key === "\n" || key === "\u0004") {
          ended();
          return;
        }
        if (key === "\u0003") {
          failed(new Interrupted("Stopped by Ctrl-C", 130));
          return;
        }
        if (key === "\u007f" || key === "\b") text = [...text].slice(0, -1).join("");
        else if (key === "\u0015") text = "";
        else if (key >= " " && text.length < maxLength) text += key;
      }
    };
    stdin.on("data", read).once("end", ended).once("error", failed);
    signal.addEventListener("abort", aborted, { once: true });
    stdin.resume();
  });
}
