import { createServer } from "node:net";

/**
 * A port of 127.0.0.1 on which nobody listens now.
 *
 * Another process may take it first: pass port 0 to what can tell the port it got, and use this for the rest.
 */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("Cannot find a free port: no address");
  return address.port;
}
