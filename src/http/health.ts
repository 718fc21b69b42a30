/** /livez and /readyz for Kubernetes probes: plain text, no token. `/readyz?verbose` shows more and needs a grant. */
import type { FastifyInstance } from "fastify";
import { requireGrant } from "../access/authorize.ts";
import { callerOf } from "../api/context.ts";
import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import type { Drain } from "../server/drain.ts";
import type { SessionRegistry } from "../streaming/registry.ts";
import { docsPaths } from "./docs.ts";

export interface HealthOptions {
  readonly runtime: Runtime;
  readonly sessions: Pick<SessionRegistry, "count">;
  readonly drain: Pick<Drain, "isDraining">;
}

const probeMs = 2000;
/** Anyone may call this, so the runtime is probed at most once a second. */
const freshMs = 1000;

export function registerHealth(app: FastifyInstance, { runtime, sessions, drain }: HealthOptions): void {
  let asked = Number.NEGATIVE_INFINITY;
  let answer: Promise<boolean> = Promise.resolve(false);

  function runtimeAnswers(): Promise<boolean> {
    const now = performance.now();
    if (now - asked > freshMs) {
      asked = now;
      answer = call(runtime, "RuntimeService/Version", {}, { deadlineMs: probeMs, atOnce: true }).then(
        () => true,
        () => false,
      );
    }
    return answer;
  }

  app.get("/livez", async (_request, reply) => reply.type("text/plain").send("ok\n"));
  app.get("/readyz", async (request, reply) => {
    const verbose = (request.query as { readonly verbose?: unknown }).verbose !== undefined;
    if (verbose) requireGrant("read:runtime", callerOf(request));
    if (drain.isDraining) return reply.code(503).type("text/plain").send("the gateway is shutting down\n");
    const answers = await runtimeAnswers();
    const lines = verbose
      ? [`runtime ${answers ? "ok" : "does not answer"}`, `sessions ${sessions.count}`]
      : [answers ? "ok" : "the container runtime does not answer"];
    return reply
      .code(answers ? 200 : 503)
      .type("text/plain")
      .send(`${lines.join("\n")}\n`);
  });
}

/** Probe paths. They are also answered during shutdown. */
export const healthPaths: ReadonlySet<string> = new Set(["/livez", "/readyz"]);

/** Paths that need no token. */
export const openPaths: ReadonlySet<string> = new Set([...healthPaths, "/openapi.json", ...docsPaths]);
