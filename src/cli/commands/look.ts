/** Commands that change nothing, as data. */
import type { Declaration } from "../declare.ts";
import { listFlags } from "./list-flags.ts";

export const lookCommands = {
  ps: {
    group: "look",
    title: "list containers",
    operands: [],
    flags: {
      all: { form: "switch", short: "a", about: "Also those that do not run." },
      ...listFlags,
    },
    examples: ["crest ps -a", "crest ps -o json"],
  },
} as const satisfies { readonly [name: string]: Declaration };
