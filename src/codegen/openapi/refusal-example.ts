/** The example of a refusal by the pod policy. The policy itself makes it from these bodies. */
import { createPodPolicy } from "../../access/policy/pod-policy.ts";
import { createBinder } from "../../api/bind.ts";
import { locatedInRequest } from "../../api/gateway.ts";
import { decodeRequest, encodeCallers } from "../../cri/codec.ts";
import type { Route } from "../../routes/define.ts";
import { type Problem, problemOf } from "../../server/problems.ts";

/** By route id: what asks for more than `--allow-run` permits. No paths: whether they exist depends on the machine. */
export const refusedBodies: { readonly [routeId: string]: object } = {
  runPod: {
    metadata: { name: "web", namespace: "default" },
    portMappings: [{ containerPort: 80, hostPort: 8080 }],
    linux: {
      sysctls: { "net.core.somaxconn": "1024" },
      securityContext: { namespaceOptions: { network: "NODE" } },
    },
  },
  createContainer: {
    metadata: { name: "nginx" },
    image: { image: "docker.io/library/nginx:1.27" },
    linux: {
      securityContext: {
        privileged: true,
        capabilities: { addCapabilities: ["NET_ADMIN"] },
        seccomp: { profileType: "Unconfined" },
      },
    },
  },
};

const requestId = "6a3c8a3b-0d3f-4b8e-9f5d-2f4f5f1f9a77";
const podSandboxId = "e21d3d7330166eb75a35888abe2006c8b2baff743281269a89a0e3be419abdd7";

/** Undefined for routes without one. */
export function refusalExample(route: Route): Problem | undefined {
  const body = refusedBodies[route.id];
  if (body === undefined || route.kind !== "unary") return undefined;
  const binder = createBinder(route);
  const bytes = Buffer.from(JSON.stringify(body));
  const { message } = binder.bind({ params: { podSandboxId }, query: {}, body: bytes });
  const request = { ...decodeRequest(route.rpc, encodeCallers(route.rpc, message)) };
  const policy = createPodPolicy({ level: "baseline", logRoot: "/var/lib/crest/logs", kept: [] });
  const grants = { all: false, allow: { run: true }, deny: {} } as const;
  const instance = (route.http.split(" ")[1] ?? "").replace("{podSandboxId}", podSandboxId);
  try {
    policy.apply(route.rpc, request, { name: "token", grants });
  } catch (error) {
    return problemOf(locatedInRequest(error, message, binder), { instance, requestId });
  }
  throw new Error(`The policy permits the example of a refusal for ${route.id}`);
}
