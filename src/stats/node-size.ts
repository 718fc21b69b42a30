/** The machine that the gateway runs on. */
import { availableParallelism, cpus, hostname, totalmem } from "node:os";

export interface NodeSize {
  /** Empty if it is unknown. */
  readonly name: string;
  /** NaN if it is unknown. */
  readonly cores: number;
  /** NaN if it is unknown. */
  readonly memoryBytes: number;
}

let known: NodeSize | undefined;

/** What this process may see of the machine, read once. Deno's permissions may hide each of the values. */
export function nodeSize(): NodeSize {
  known ??= {
    name: permitted(hostname, ""),
    cores: permitted(() => cpus().length || availableParallelism(), Number.NaN),
    memoryBytes: permitted(totalmem, Number.NaN),
  };
  return known;
}

function permitted<T>(read: () => T, unknown: T): T {
  try {
    return read();
  } catch {
    return unknown;
  }
}
