/** What the bench asks of its processes over the control channel, and what comes back. */

/** What a process has used since it started. */
export interface Usage {
  /** CPU time of all its threads. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** The most that it ever had. */
  readonly peakRssBytes: number;
}

/** What a closed loop of clients measured: each asks again as soon as it is answered. */
export interface Load {
  readonly answered: number;
  /** From the first request to the last answer. */
  readonly elapsedMs: number;
  readonly latenciesMs: readonly number[];
}

/** Which reads to send; client `c` sends the targets `c`, `c + clients`, ... in turn. */
interface Reads {
  readonly clients: number;
  /** When the last requests are sent; every client sends one at least. */
  readonly durationMs: number;
}

export interface HttpReads extends Reads {
  readonly port: number;
  /** Request targets: `/v1/containers?id=0a1b`. A multiple of `clients`, so that no two in flight are the same. */
  readonly targets: readonly string[];
  /** Default: GET without a body. JSON. */
  readonly post?: string;
  readonly headers: { readonly [name: string]: string };
  /** Any other status ends the run. */
  readonly status: number;
}

export interface GrpcReads extends Reads {
  readonly rpc: "ListContainers" | "ContainerStatus";
  /** Container ids: the filter's of a list, the asked one of a status. */
  readonly ids: readonly string[];
}

export interface Commands {
  readonly usage: { readonly argument: undefined; readonly result: Usage };
  /** Answer lists of so many containers from now on. */
  readonly hold: { readonly argument: number; readonly result: undefined };
  readonly readHttp: { readonly argument: HttpReads; readonly result: Load };
  readonly readGrpc: { readonly argument: GrpcReads; readonly result: Load };
}

export type CommandName = keyof Commands;

/** From the bench to a process. */
export interface Order {
  readonly id: number;
  readonly command: CommandName;
  readonly argument: unknown;
}

/** From a process to the bench: its first listening, or the answer to an order. */
export type Report =
  | { readonly listening: { readonly port: number } }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: string };
