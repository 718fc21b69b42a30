/** Follows what a route sends, item by item. */
import assert from "node:assert/strict";
import { get, type IncomingMessage } from "node:http";
import type { Gateway } from "./gateway.ts";

export interface LogItem {
  readonly cursor: string;
  readonly text: string;
  readonly stream: string;
  readonly containerId?: string;
  readonly removed?: boolean;
}

export interface Followed {
  /** Resolves when the response has ended, or the connection is gone. */
  readonly ended: Promise<void>;
  leave(): void;
}

/**
 * Follows a route from `path`, the query included. An item of which only a part comes is left out.
 *
 * @param form Default: NDJSON.
 */
export async function followItems<Item>(
  { address, token }: Pick<Gateway, "address" | "token">,
  path: string,
  onItem: (item: Item) => void,
  form: "application/x-ndjson" | "text/event-stream" = "application/x-ndjson",
): Promise<Followed> {
  const headers = { authorization: `Bearer ${token}`, accept: form };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${address}${path}`, { headers, agent: false }, resolve).on("error", reject);
  });
  assert.equal(response.statusCode, 200);
  const start = form === "text/event-stream" ? "data: " : "";
  let rest = "";
  response.setEncoding("utf8").on("data", (part: string) => {
    const lines = (rest + part).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith(start)) onItem(JSON.parse(line.slice(start.length)));
  });
  response.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => response.once("close", () => resolve()));
  return { ended, leave: () => response.destroy() };
}
