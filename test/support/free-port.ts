import { createServer } from "node:net";

/**
 * Returns a port of 127.0.0.1 that is currently free.
 *
 * Another process may take it first. Use port 0 for programs that report their port, and this only for the others.
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
