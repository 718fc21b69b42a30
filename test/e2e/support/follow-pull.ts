/** Reads what a pull reports, line by line. */
import { request } from "node:http";
import type { PullItem } from "../../../src/routes/answers.ts";
import { checkAnswer } from "../../support/document.ts";
import type { Gateway } from "./gateway.ts";

export interface FollowedPull {
  /** What has come so far, with the time of each by `performance.now`. */
  readonly items: readonly { readonly item: PullItem; readonly atMs: number }[];
  /** Resolves with all items when the response has ended. */
  readonly ended: Promise<readonly PullItem[]>;
  leave(): void;
}

/** Starts or joins a pull. `query`: `?detach=true`. */
export function followPull(
  { address, token }: Pick<Gateway, "address" | "token">,
  image: string,
  query = "",
): FollowedPull {
  const items: { item: PullItem; atMs: number }[] = [];
  const path = `/v1/images/pull${query}`;
  const sent = request(`${address}${path}`, {
    method: "POST",
    agent: false,
    headers: {
      authorization: `Bearer ${token}`,
      accept: "application/x-ndjson",
      "content-type": "application/json",
    },
  });
  const ended = new Promise<readonly PullItem[]>((resolve, reject) => {
    sent.on("error", reject);
    sent.on("response", (response) => {
      let text = "";
      let read = 0;
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        for (let end = text.indexOf("\n", read); end !== -1; end = text.indexOf("\n", read)) {
          const line = text.slice(read, end);
          read = end + 1;
          items.push({ item: JSON.parse(line) as PullItem, atMs: performance.now() });
        }
      });
      response.on("error", reject);
      response.on("end", () => {
        try {
          checkAnswer("POST", path, {
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
          });
          resolve(items.map(({ item }) => item));
        } catch (error) {
          reject(error);
        }
      });
    });
  });
  ended.catch(() => undefined);
  sent.end(JSON.stringify({ image }));
  return { items, ended, leave: () => sent.destroy() };
}
