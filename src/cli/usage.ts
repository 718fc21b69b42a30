/** How a command is written. */
import type { CommandName } from "./commands.ts";
import type { Declaration } from "./declare.ts";

/** `crest exec [FLAGS] CONTAINER -- CMD...` */
export function usageOf(name: CommandName, { operands }: Declaration): string {
  return ["crest", name, "[FLAGS]", ...operands].join(" ");
}
