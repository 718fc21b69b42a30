/**
 * /metrics and /metrics/cadvisor for Prometheus: with the token and `read:stats` beside the API, or without either on a
 * listener of their own.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { requireGrant } from "../access/authorize.ts";
import type { HostGuard } from "../access/hosts.ts";
import { callerOf } from "../api/context.ts";
import { routerPath } from "../api/router-path.ts";
import { GatewayError } from "../errors.ts";
import type { ContainerMetrics } from "../metrics/container-metrics.ts";
import { expositionType } from "../metrics/exposition.ts";
import type { GatewayMetrics } from "../metrics/gateway-metrics.ts";
import { routes } from "../routes/index.ts";
import { createListener } from "../server/listener.ts";
import { pathOf } from "../server/problems.ts";
import { hostOf, originForm } from "../server/request-checks.ts";

/** What is scraped, by path. */
export interface Scrapes {
  /** @throws {GatewayError} when the runtime does not answer, or too many scrapes are under way. */
  open(path: MetricsPath): Promise<Readable>;
}

export const metricsPaths = ["/metrics", "/metrics/cadvisor"] as const;
type MetricsPath = (typeof metricsPaths)[number];

export interface ScrapesOptions {
  readonly gateway: GatewayMetrics;
  readonly containers: ContainerMetrics;
  readonly sessions: { readonly count: number };
  readonly usage: { readonly watchers: number };
}

/** Scrapes at a time. Each holds what it has read until its client has taken it. */
const maxScrapes = 8;

export function createScrapes({ gateway, containers, sessions, usage }: ScrapesOptions): Scrapes {
  let open = 0;
  return {
    async open(path) {
      if (open >= maxScrapes)
        throw new GatewayError("overloaded", `Cannot scrape: ${maxScrapes} scrapes are under way`);
      open++;
      try {
        const pieces =
          path === "/metrics"
            ? [await gateway.text({ sessions: sessions.count, watchers: usage.watchers })]
            : await containers.read();
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
      requireGrant("read:stats", callerOf(request));
      return reply.type(expositionType).send(await scrapes.open(path));
    });
  }
}

/** Counts the responses of `app`, by the ids of routes. */
export function countAnswers(app: FastifyInstance, metrics: GatewayMetrics): void {
  const ids = new Map(
    routes.map(({ id, kind, http }) => {
      const [method = "", path = ""] = http.split(" ");
      return [`${method} ${routerPath(path)}`, { id, lasts: kind === "session" || kind === "stream" }];
    }),
  );
  app.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions, is404 } = request;
    const verb = method === "HEAD" ? "GET" : method;
    const known = ids.get(`${verb} ${routeOptions.url}`);
    // Callers invent methods and paths, but pages are few.
    const route = known?.id ?? (is404 || routeOptions.url === undefined ? "none" : routeOptions.url);
    const seconds = known?.lasts === true ? undefined : reply.elapsedTime / 1000;
    metrics.answered(route, is404 ? "other" : method, reply.statusCode, seconds);
  });
}

const requestTimeoutMs = 10_000;
const stallTimeoutMs = 60_000;

/** A server of nothing else, without token. It must listen where only this machine reaches it. */
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
    // Pages of other sites could read what has no token.
    guardHost({ host: hostOf(request, url), origin: headers.origin });
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
