/** Who answers the same reads, and how each of them is asked. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "../bench.ts";
import { idOf } from "../population.ts";
import { type Child, startChild } from "../process/child.ts";
import type { Load } from "../process/commands.ts";
import { startCrest } from "../servers/crest.ts";

/** One read, asked in one way. */
export interface Scenario {
  readonly read: "list" | "status";
  /** How many containers the runtime holds. */
  readonly containers: number;
  readonly clients: number;
}

export const sideNames = [
  "crest",
  "crest, shared",
  "crest, 304",
  "naive gateway",
  "direct grpc-js",
  "prebuilt answer",
] as const;
export type SideName = (typeof sideNames)[number];

export interface Side {
  readonly name: SideName;
  /** The process whose CPU the answers cost. */
  readonly server: Child;
  /** Reads for a while. */
  read(durationMs: number): Promise<Load>;
}

/** An HTTP server under test. */
export interface Gateway {
  readonly name: "crest" | "naive gateway" | "prebuilt answer";
  readonly child: Child;
  readonly port: number;
  readonly headers: { readonly [name: string]: string };
}

export interface Processes {
  readonly runtime: Child;
  readonly crest: Gateway;
  readonly naive: Gateway;
  readonly floor: Gateway;
  readonly httpLoad: Child;
  readonly grpcLoad: Child;
}

/** How many different reads there are: more than clients, and a multiple of any number of them. */
const variety = 1024;
const ids = Array.from({ length: variety }, (_, index) => idOf("asked", index));

/** Starts all processes; they are stopped at the end. */
export async function startProcesses({ folder, onEnd }: Bench): Promise<Processes> {
  const socket = join(folder, "cri.sock");
  const own = (program: string): Child => {
    const child = startChild(program, { args: [socket] });
    onEnd(child.stop);
    return child;
  };
  const runtime = own("servers/runtime");
  await runtime.listening;
  const home = join(folder, "crest");
  mkdirSync(home);
  const crest = startCrest(socket, home);
  onEnd(crest.child.stop);
  const gateway = async (name: Gateway["name"], child: Child, headers = {}): Promise<Gateway> => {
    const { port } = await child.listening;
    return { name, child, port, headers };
  };
  return {
    runtime,
    crest: await gateway("crest", crest.child, crest.headers),
    naive: await gateway("naive gateway", own("servers/naive")),
    floor: await gateway("prebuilt answer", own("servers/floor")),
    httpLoad: own("load/http-load"),
    grpcLoad: own("load/grpc-load"),
  };
}

/**
 * The targets of a scenario. A list that cannot be shared filters by an id, another one in each request:
 * applying it is the runtime's part, which here answers everything, and a gateway cannot know that.
 */
export function targetsOf({ read }: Scenario, shared: boolean): readonly string[] {
  if (read === "status") return ids.map((id) => `/v1/containers/${id}`);
  return shared ? ["/v1/containers"] : ids.map((id) => `/v1/containers?id=${id}`);
}

/** The sides of a scenario. `etag` is of Crest's answer to it, when it has one. */
export function sidesOf(scenario: Scenario, processes: Processes, etag: string | undefined): readonly Side[] {
  const { clients, read } = scenario;
  const http = (
    name: SideName,
    { child, port, headers }: Gateway,
    { shared = false, status = 200, extra = {} } = {},
  ): Side => ({
    name,
    server: child,
    read: (durationMs) =>
      processes.httpLoad.ask("readHttp", {
        ...{ port, clients, durationMs, status },
        targets: targetsOf(scenario, shared),
        headers: { ...headers, ...extra },
      }),
  });
  const direct: Side = {
    name: "direct grpc-js",
    server: processes.grpcLoad,
    read: (durationMs) =>
      processes.grpcLoad.ask("readGrpc", {
        ...{ ids, clients, durationMs },
        rpc: read === "list" ? "ListContainers" : "ContainerStatus",
      }),
  };
  const sides = [http("crest", processes.crest)];
  // One client alone shares with nobody, and every status is asked for once at a time.
  if (read === "list" && clients > 1) sides.push(http("crest, shared", processes.crest, { shared: true }));
  if (etag !== undefined) {
    sides.push(
      http("crest, 304", processes.crest, { shared: true, status: 304, extra: { "if-none-match": etag } }),
    );
  }
  return [...sides, http("naive gateway", processes.naive), direct, http("prebuilt answer", processes.floor)];
}
