/** /livez and /readyz, as Kubernetes' probes want them: plain text, no token. */
import type { FastifyInstance } from "fastify";
import type { Runtime } from "../cri/channel.ts";
import { invoke } from "../cri/invoke.ts";

const probeMs = 2000;
/** Anyone may ask, so that many askers cost the runtime no more than one a second. */
const freshMs = 1000;

export function registerHealth(app: FastifyInstance, runtime: Runtime): void {
  let asked = Number.NEGATIVE_INFINITY;
  let answer: Promise<boolean> = Promise.resolve(false);

  function runtimeAnswers(): Promise<boolean> {
    const now = performance.now();
    if (now - asked > freshMs) {
      asked = now;
      answer = invoke(runtime, "RuntimeService/Version", {}, { deadlineMs: probeMs }).then(
        () => true,
        () => false,
      );
    }
    return answer;
  }

  app.get("/livez", async (_request, reply) => reply.type("text/plain").send("ok\n"));
  app.get("/readyz", async (_request, reply) =>
    (await runtimeAnswers())
      ? reply.type("text/plain").send("ok\n")
      : reply.code(503).type("text/plain").send("the container runtime does not answer\n"),
  );
}

/** Paths that answer without a token. */
export const openPaths: ReadonlySet<string> = new Set(["/livez", "/readyz", "/openapi.json"]);
