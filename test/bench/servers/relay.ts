/**
 * A relay of bytes that knows no protocol: what any Node process costs that stands between a client and a
 * runtime.
 *
 * Arguments: the port of 127.0.0.1 to relay to.
 */
import "../process/control.ts";
import { connect, createServer, type Socket } from "node:net";

const [, , port] = process.argv;
const host = "127.0.0.1";

function relay(from: Socket, to: Socket): void {
  from.on("data", (bytes) => {
    if (!to.write(bytes)) from.pause();
  });
  to.on("drain", () => from.resume());
  from.on("end", () => to.end());
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroy());
}

const server = createServer({ noDelay: true }, (client) => {
  const upstream = connect({ port: Number(port), host, noDelay: true });
  relay(client, upstream);
  relay(upstream, client);
});
server.listen(0, host);
