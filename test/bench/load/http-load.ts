/** The process that sends HTTP reads. */
import { answer } from "../process/control.ts";
import { closedLoop } from "./closed-loop.ts";
import { openHttp } from "./http-client.ts";

answer("readHttp", async ({ port, targets, headers, status, clients, durationMs, post }) => {
  const body =
    post === undefined ? {} : { "content-type": "application/json", "content-length": post.length };
  const lines = Object.entries({ host: `127.0.0.1:${port}`, ...body, ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  const method = post === undefined ? "GET" : "POST";
  const requests = targets.map((target) =>
    Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n${post ?? ""}`),
  );
  const connections = await Promise.all(Array.from({ length: clients }, () => openHttp(port)));
  try {
    return await closedLoop({ clients, durationMs }, async (client, turn) => {
      const request = requests[(client + turn * clients) % requests.length];
      const got = request && (await connections[client]?.send(request));
      if (got !== status)
        throw new Error(`Cannot measure port ${port}: it answered ${got} and not ${status}`);
    });
  } finally {
    for (const connection of connections) connection.close();
  }
});
