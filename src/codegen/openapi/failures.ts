/** Which failures an operation has, by what it is. */
import type { Route } from "../../routes/define.ts";
import type { Schema } from "./schemas.ts";

/** HTTP status -> what it means for a caller. */
const meanings = {
  "400": "The request is invalid: `errors` says where.",
  "401": "The token is missing or wrong.",
  "403": "The grant is missing; the problem names the flag that gives it.",
  "404": "There is none.",
  "406": "None of the media types in `Accept` can be answered.",
  "409": "The state does not allow it, the name is taken, or several ids begin so.",
  "413": "The body is over 1 MiB.",
  "415": "The body is not `application/json`.",
  "422": "The registry refused the credentials, or the output is too large.",
  "426": "The request is no WebSocket handshake.",
  "429": "Something ran out: sessions of the gateway, or a resource of the runtime.",
  "501": "This runtime does not have the RPC.",
  "502": "The runtime, or a registry behind it, failed.",
  "503": "The runtime does not answer.",
  "504": "The runtime did not answer in time.",
} as const;

type Status = keyof typeof meanings;

/** The responses of everything that may go wrong; `default` stands for what no one foresaw. */
export function failuresOf(route: Route): Schema {
  const statuses = new Set<Status>(["400", "401", "403"]);
  const add = (...more: readonly Status[]): void => {
    for (const status of more) statuses.add(status);
  };
  const calls = route.kind !== "custom" || route.uses.length > 0;
  if (calls) add("501", "502", "503", "504");
  if (route.path !== undefined) add("404", "409");
  if (route.kind === "list" && route.filters?.pod !== undefined) add("409");
  if (route.kind === "unary" && route.body !== undefined) add("413", "415", "409");
  if (route.kind === "session") add("426", "429");
  else if (route.kind === "list" || route.success !== 204) add("406");
  if (route.id === "pullImage" || route.id === "createContainer") add("404");
  if (route.id === "pullImage" || route.id === "execSync") add("422");
  return {
    ...Object.fromEntries([...statuses].sort().map((status) => [status, problem(meanings[status])])),
    default: { $ref: "#/components/responses/Problem" },
  };
}

function problem(description: string): Schema {
  return {
    description,
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
}
