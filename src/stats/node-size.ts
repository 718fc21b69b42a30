/** How large this machine is. */
import { availableParallelism, cpus, totalmem } from "node:os";

/** Of the node, if the gateway runs there. */
export const nodeSize = {
  cores: cpus().length || availableParallelism(),
  memoryBytes: totalmem(),
};
