import type { Child } from "../process/child.ts";
import type { Usage } from "../process/commands.ts";
import type { Processes, Side } from "./sides.ts";

/** What a side did in one turn. */
export interface Turn {
  readonly perSecond: number;
  /** CPU time of the server, all threads, per answer. */
  readonly cpuMs: number;
  readonly latenciesMs: readonly number[];
  /** How many cores each process kept busy: which of them was the limit. */
  readonly busy: { readonly server: number; readonly runtime: number; readonly load: number };
}

/** Lets a side read for a while and looks at what the processes used for it. */
export async function measure(
  side: Side,
  processes: Pick<Processes, "runtime" | "httpLoad" | "grpcLoad">,
  durationMs: number,
): Promise<Turn> {
  const { runtime, httpLoad, grpcLoad } = processes;
  const load = side.server === grpcLoad ? grpcLoad : httpLoad;
  const watched: readonly Child[] = [side.server, runtime, load];
  const look = (): Promise<readonly Usage[]> => Promise.all(watched.map((child) => child.ask("usage")));
  const before = await look();
  const { answered, elapsedMs, latenciesMs } = await side.read(durationMs);
  const after = await look();
  const [server = 0, ...others] = after.map(({ cpuMs }, index) => cpuMs - (before[index]?.cpuMs ?? 0));
  return {
    perSecond: (answered * 1000) / elapsedMs,
    cpuMs: server / answered,
    latenciesMs,
    busy: {
      server: server / elapsedMs,
      runtime: (others[0] ?? 0) / elapsedMs,
      load: (others[1] ?? 0) / elapsedMs,
    },
  };
}
