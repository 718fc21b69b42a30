/** JSON for people and programs. */
import type { FetchResponse } from "../../client/index.ts";
import { CrestError } from "../../client/index.ts";
import { printable } from "../../printable.ts";
import { type Output, write } from "../terminal.ts";

/**
 * Indented on a terminal, where characters that would move it are written as JSON escapes; otherwise on one line, as the
 * gateway writes it. The value is the same.
 */
export function jsonText(value: unknown, isTerminal: boolean): string {
  if (!isTerminal) return `${JSON.stringify(value)}\n`;
  const lines = JSON.stringify(value, null, 2).split("\n");
  return lines.map((line) => `${printable(line)}\n`).join("");
}

export const printJson = (value: unknown, stdout: Output): Promise<void> =>
  write(stdout, jsonText(value, stdout.isTTY === true));

/** The body as it is, byte for byte and as it arrives, and a newline at its end; indented on a terminal. @throws {CrestError} */
export async function printJsonBody(response: FetchResponse, stdout: Output): Promise<void> {
  if (stdout.isTTY === true || response.body === null) return printJson(await jsonBody(response), stdout);
  const reader = response.body.getReader();
  let last: number | undefined;
  for (;;) {
    const { done, value } = await reader.read().catch(lost);
    if (done) break;
    if (value === undefined) continue;
    last = value.at(-1) ?? last;
    await write(stdout, value);
  }
  if (last !== newline) await write(stdout, "\n");
}

const newline = 0x0a;

/** The value of the body; its type is what the gateway's document promises. @throws {CrestError} */
export async function jsonBody<T>(response: FetchResponse): Promise<T> {
  const text = await response.text().catch(lost);
  try {
    return JSON.parse(text);
  } catch (error) {
    const { status } = response;
    throw new CrestError("invalid_answer", "The answer is not JSON", { status, cause: error });
  }
}

function lost(error: unknown): never {
  const reason = error instanceof Error ? error.message : String(error);
  throw new CrestError("connection_lost", `The answer was cut: ${reason}`, { cause: error });
}
