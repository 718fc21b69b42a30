/**
 * A client in a process of its own: opens a session, says `open`, and holds it until it is killed.
 *
 * Arguments: the gateway's address, the session's path, its query as JSON. The token is `HELD_TOKEN`.
 */
import { openSession } from "./session.ts";

const [, , address = "", path = "", query = "{}"] = process.argv;
const place = { address, token: process.env.HELD_TOKEN ?? "" };
const { ended } = await openSession(place, path, { query: JSON.parse(query) });
process.stdout.write("open\n");
await ended;
