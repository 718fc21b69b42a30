/**
 * Serves /metrics and /metrics/cadvisor for Prometheus: at the API's address with the token and `read:stats`, and on a
 * separate listener without them.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { canUse, requireGrant } from "../access/authorize.ts";
import type { HostGuard } from "../access/hosts.ts";
import { allPods } from "../access/scope.ts";
import { callerOf } from "../api/context.ts";
import { routerPath } from "../api/router-path.ts";
import { GatewayError } from "../errors.ts";
import type { SeenPod } from "../inventory/visibility.ts";
import { tellingNoIds } from "../inventory/without-ids.ts";
import type { ContainerMetrics, Sees } from "../metrics/container-metrics.ts";
import { expositionType } from "../metrics/exposition.ts";
import type { Current, GatewayMetrics } from "../metrics/gateway-metrics.ts";
import { routes } from "../routes/index.ts";
import { createListener } from "../server/listener.ts";
import { pathOf } from "../server/problems.ts";
import { hostsOf, originForm } from "../server/request-checks.ts";

/** What is scraped, by path. */
export interface Scrapes {
  /** @throws {GatewayError} when the runtime does not answer, or too many scrapes are under way. */
  open(path: MetricsPath, sees?: Sees): Promise<Readable>;
}

export const metricsPaths = ["/metrics", "/metrics/cadvisor"] as const;
type MetricsPath = (typeof metricsPaths)[number];

export interface ScrapesOptions {
  readonly gateway: GatewayMetrics;
  readonly containers: ContainerMetrics;
  readonly current: () => Current;
}

/** Maximum number of concurrent scrapes. Each holds its data until its client has read it. */
const maxScrapes = 8;

export function createScrapes({ gateway, containers, current }: ScrapesOptions): Scrapes {
  let open = 0;
  return {
    async open(path, sees) {
      if (open >= maxScrapes)
        throw new GatewayError("overloaded", `Cannot scrape: ${maxScrapes} scrapes are under way`);
      open++;
      try {
        const pieces = path === "/metrics" ? [await gateway.text(current())] : await containers.read(sees);
        const body = Readable.from(pieces, { objectMode: false });
        body.once("close", () => open--);
        return body;
      } catch (error) {
        open--;
        throw error;
      }
    },
  };
}

export function registerMetrics(app: FastifyInstance, scrapes: Scrapes): void {
  for (const path of metricsPaths) {
    app.get(path, async (request, reply) => {
      const caller = callerOf(request);
      // The gateway's own metrics count what all callers do, with all pods.
      requireGrant("read:stats", caller, path === "/metrics" ? allPods : undefined);
      const seesAll = canUse("read:stats", caller, allPods);
      const sees = seesAll ? undefined : (pod: SeenPod) => canUse("read:stats", caller, pod);
      const opened = scrapes.open(path, sees);
      return reply.type(expositionType).send(await (seesAll ? opened : tellingNoIds(opened)));
    });
  }
}

/** Counts the responses of `app`, by the ids of routes. */
export function countAnswers(app: FastifyInstance, metrics: GatewayMetrics): void {
  const ids = new Map(
    routes.map(({ id, kind, http }) => {
      const [method = "", path = ""] = http.split(" ");
      return [
        `${method} ${routerPath(path)}`,
        { id, lasts: kind === "session" || kind === "resume" || kind === "stream" },
      ];
    }),
  );
  app.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions, is404 } = request;
    const verb = method === "HEAD" ? "GET" : method;
    const known = ids.get(`${verb} ${routeOptions.url}`);
    // Callers choose methods and paths, but the number of pages is fixed.
    const route = known?.id ?? (is404 || routeOptions.url === undefined ? "none" : routeOptions.url);
    const seconds = known?.lasts === true ? undefined : reply.elapsedTime / 1000;
    metrics.answered(route, is404 ? "other" : method, reply.statusCode, seconds);
  });
}

const requestTimeoutMs = 10_000;
const stallTimeoutMs = 60_000;

/** A server that only serves metrics, without a token. It must listen where only this machine can reach it. */
export function createMetricsServer(scrapes: Scrapes, guardHost: HostGuard): Server {
  return createListener(
    (request, response) => {
      void answer(request, response, { scrapes, guardHost }).catch(() => response.destroy());
    },
    { requestTimeoutMs, stallTimeoutMs },
  );
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { scrapes, guardHost }: { readonly scrapes: Scrapes; readonly guardHost: HostGuard },
): Promise<void> {
  const { method = "", url = "/", headers } = request;
  const say = (status: number, text: string): void => {
    response.writeHead(status, {
      "content-type": "text/plain; charset=utf-8",
      "x-content-type-options": "nosniff",
    });
    response.end(method === "HEAD" ? undefined : `${text}\n`);
  };
  request.resume();
  try {
    // Otherwise websites could read metrics through a browser, because there is no token.
    for (const host of hostsOf(request, url)) guardHost(headers, host);
    const asked = pathOf(originForm(url));
    const path = metricsPaths.find((one) => one === asked);
    if (path === undefined) return say(404, `There are ${metricsPaths.join(" and ")} here`);
    if (method !== "GET" && method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      return say(405, `${path} takes GET`);
    }
    const body = await scrapes.open(path);
    response.writeHead(200, { "content-type": expositionType, "x-content-type-options": "nosniff" });
    if (method === "HEAD") {
      body.destroy();
      response.end();
      return;
    }
    response.once("close", () => body.destroy());
    body.once("error", () => response.destroy());
    body.pipe(response);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else if (error instanceof GatewayError) say(error.status, error.message);
    else say(500, "The gateway failed");
  }
}
