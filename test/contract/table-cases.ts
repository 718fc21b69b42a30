/** What each route of the table is asked with: a target with every parameter, and a body that is taken. */
import { methods, type Rpc } from "../../src/gen/methods.ts";
import type { Grant } from "../../src/grants.ts";
import type {
  CustomRoute,
  ListRoute,
  Route,
  SessionRoute,
  StreamRoute,
  UnaryRoute,
} from "../../src/routes/define.ts";
import { routes } from "../../src/routes/index.ts";
import type { ContainerInit, FakeRuntime, PodInit } from "../support/fake-runtime.ts";
import { fieldAt, fieldsOf, fullMessage, type Message } from "./table-messages.ts";

/** Routes with one RPC whose answer goes out. */
export type PlainRoute = UnaryRoute | ListRoute;

export const plainRoutes = routes.filter(
  (route): route is PlainRoute => route.kind === "unary" || route.kind === "list",
);
export const unaryRoutes = routes.filter((route): route is UnaryRoute => route.kind === "unary");
export const listRoutes = routes.filter((route): route is ListRoute => route.kind === "list");
export const customRoutes = routes.filter(
  (route): route is CustomRoute | StreamRoute => route.kind === "custom" || route.kind === "stream",
);
export const sessionRoutes = routes.filter((route): route is SessionRoute => route.kind === "session");

export const methodOf = (route: Route): string => route.http.slice(0, route.http.indexOf(" "));
export const patternOf = (route: Route): string => route.http.slice(route.http.indexOf(" ") + 1);

/** The RPCs that a route asks first. */
export const rpcsOf = (route: Route): readonly Rpc[] => ("rpc" in route ? [route.rpc] : route.uses);

/** The grant that a route needs. What its body asks for may need words of `host` besides. */
export const grantsOf = ({ allow }: Route): readonly Grant[] => (allow === "authenticated" ? [] : [allow]);

export const managed = { "crest/managed": "true" };

/** The state that a route's container must be in; running by default. */
export const states: { readonly [routeId: string]: NonNullable<ContainerInit["state"]> } = {
  startContainer: "created",
  waitContainer: "exited",
  // A running one has run for longer in each answer.
  getPostMortem: "exited",
};

/** Bodies as a person would write them; for a route that stands not here, one with every field. */
const bodies: { readonly [routeId: string]: (number: number) => object } = {
  runPod: (number) => ({ metadata: { name: `made-${number}` } }),
  createContainer: (number) => ({ metadata: { name: `made-${number}` }, image: "busybox:1.36" }),
  updateContainerResources: () => ({ linux: { cpuShares: "512" } }),
  updatePodResources: () => ({ resources: { cpuShares: "512" } }),
  execSync: () => ({ cmd: ["true"] }),
  pullImage: () => ({ image: "busybox:1.36" }),
  run: (number) => ({ image: "busybox:1.36", name: `made-${number}`, pull: "never" }),
  createToken: (number) => ({ name: `made-${number}`, grants: { allow: { exec: true } } }),
  setNetworkConfig: () => ({ podCidr: "10.64.0.0/16" }),
  checkpointContainer: () => ({ location: "/var/lib/checkpoints/one.tar" }),
  checkpointPod: () => ({ outputPath: "/var/lib/checkpoints/pod" }),
  restorePod: (number) => ({
    checkpointPath: "/var/lib/checkpoints/pod",
    config: { metadata: { name: `restored-${number}` } },
  }),
};

let made = 0;

/** With a cgroup parent: without one a runtime has no stats of it. */
function podInit(labels: object): PodInit {
  return {
    labels: { ...labels },
    config: { linux: { cgroupParent: "/crest" }, logDirectory: "/var/log/pods/none-of-the-contract-tests" },
  };
}

/** Something for a path parameter to name, new for each case. */
export function subjectOf(fake: FakeRuntime, route: Route, field: string, labels: object = managed): string {
  made++;
  if (field === "image.image") {
    const tag = `quay.io/contract/app-${made}:1`;
    fake.addImage({ tags: [tag] });
    return tag;
  }
  const pod = fake.addPod(podInit(labels));
  if (field === "podSandboxId") return pod.id;
  // Pulls and tokens are the gateway's own: see `subjectIn`.
  if (field === "pullId") return `pull-${made}`;
  if (field === "tokenName") return `token-${made}`;
  if (field === "sessionId") return `session-${made}`;
  if (field === "containerId")
    return fake.addContainer({ pod, logPath: "0.log", state: states[route.id] ?? "running" }).id;
  throw new Error(`Cannot make a subject for ${route.id}: what does ${field} name?`);
}

/** One parameter of the query: as text, and as the fake records it. */
interface Sample {
  readonly text: string;
  readonly recorded: unknown;
}

function sampleOf(fake: FakeRuntime, route: PlainRoute, path: string): Sample {
  const field = fieldAt(methods[route.rpc].request, path);
  if (path === "filter.podSandboxId" || (path === "filter.id" && route.id.includes("Pod"))) {
    const { id } = fake.addPod(podInit(managed));
    return { text: id, recorded: id };
  }
  if (path === "filter.id") return { text: "beef", recorded: "beef" };
  if (path === "filter.image.image") return { text: "busybox:1.36", recorded: "busybox:1.36" };
  if (field.kind === "enum") {
    const name = (fullMessage(parentOf(methods[route.rpc].request, path))[field.name] ?? "") as string;
    return { text: name.slice(name.indexOf("_") + 1).toLowerCase(), recorded: name };
  }
  if (field.type === "bool") return { text: "true", recorded: true };
  if (field.type === "int64" || field.type === "uint64") return { text: "7", recorded: "7" };
  if (field.type === "int32" || field.type === "uint32") return { text: "7", recorded: 7 };
  return { text: "runc", recorded: "runc" };
}

/** The message that holds the field at a path. */
function parentOf(message: string, path: string): string {
  const holder = path.split(".").slice(0, -1).join(".");
  return holder === "" ? message : fieldAt(message, holder).type;
}

export interface Case {
  readonly method: string;
  /** Path, without the query. */
  readonly path: string;
  /** Every parameter of the query that the table binds: `?a=b`, or nothing. */
  readonly query: string;
  /** Where the values of path and query must land in the request, as the fake records it. */
  readonly lands: ReadonlyMap<string, unknown>;
  readonly json: object | undefined;
}

export interface CaseOptions {
  /** Labels of the pods; those of a managed one by default. */
  readonly labels?: object;
  /** What path parameters name, when nothing is to be made. */
  readonly subject?: string;
}

/** A case that succeeds on a runtime that has the RPC. */
export function caseOf(fake: FakeRuntime, route: Route, options: CaseOptions = {}): Case {
  const lands = new Map<string, unknown>();
  const path = patternOf(route).replace(/\{(\w+)\}/g, (_, name: string) => {
    const field = route.path?.[name] ?? "";
    const subject = options.subject ?? subjectOf(fake, route, field, options.labels);
    lands.set(field, subject);
    return field === "image.image" ? subject : encodeURIComponent(subject);
  });
  const query = new URLSearchParams();
  if (route.kind === "unary" || route.kind === "list") {
    const bindings = route.kind === "list" ? route.filters : route.query;
    for (const [name, field] of Object.entries(bindings ?? {})) {
      const { text, recorded } = sampleOf(fake, route, field);
      query.set(name, text);
      lands.set(field, recorded);
    }
  }
  if (route.kind === "list" && route.labels !== undefined) {
    query.set("labelSelector", "app=web,tier==front");
    lands.set(route.labels, { app: "web", tier: "front" });
  }
  made++;
  const body = "body" in route ? route.body : undefined;
  return {
    method: methodOf(route),
    path,
    query: query.size === 0 ? "" : `?${query}`,
    lands,
    json: body === undefined ? undefined : (bodies[route.id]?.(made) ?? fullBody(route as UnaryRoute)),
  };
}

/** `GET /v1/pods`. */
export const targetOf = ({ method, path }: Case, query = ""): string => `${method} ${path}${query}`;

/** A body with every field that the body may have. */
export function fullBody(route: UnaryRoute): Message {
  const message = fullMessage(methods[route.rpc].request);
  for (const field of Object.values({ ...route.path, ...route.query }))
    delete message[field.split(".")[0] ?? ""];
  return asBody(route, message);
}

/** A request message as this route's body: a spread field's members stand at the top. */
export function asBody({ body }: UnaryRoute, message: Message): Message {
  if (typeof body !== "object") return message;
  const keys = body.spread.split(".");
  const { [keys[0] ?? ""]: holder, ...beside } = message;
  const spread = keys.slice(1).reduce<unknown>((at, key) => (at as Message | undefined)?.[key], holder);
  return { ...(spread as Message | undefined), ...beside };
}

/** The fields of a body's top level. */
export function bodyFields(route: UnaryRoute) {
  const { request } = methods[route.rpc];
  const bound = new Set(Object.values({ ...route.path, ...route.query }));
  const { body } = route;
  if (body === undefined) return [];
  if (body === "*") return fieldsOf(request).filter(({ name }) => !bound.has(name));
  const [first] = body.spread.split(".");
  const beside = fieldsOf(request).filter(({ name }) => name !== first && !bound.has(name));
  return [...fieldsOf(fieldAt(request, body.spread).type), ...beside];
}
