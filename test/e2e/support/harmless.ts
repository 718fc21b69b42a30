/** A request to every route that changes nothing when it is let through: to what is absent, or incomplete. */
import type { Route } from "../../../src/routes/define.ts";
import type { Answer, Api } from "./api.ts";

const bodies: { readonly [routeId: string]: object } = { setNetworkConfig: { podCidr: "" } };
const absent: { readonly [parameter: string]: string } = { image: "registry.example/absent:1" };

/** Sends it; what is let through is not answered by 401 or 403. */
export function sendHarmless(
  api: Api,
  route: Route,
  headers: { readonly [name: string]: string | undefined } = {},
): Promise<Answer> {
  const [method = "", path = ""] = route.http.split(" ");
  const concrete = path.replace(/\{(\w+)\}/g, (_, name: string) => absent[name] ?? "f".repeat(64));
  const body = method === "GET" || method === "DELETE" ? undefined : (bodies[route.id] ?? {});
  return api.send(method, concrete, { body, headers });
}
