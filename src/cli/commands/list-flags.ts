/** Flags of all commands that list something. */
import type { Flag, Flags } from "../declare.ts";
import type { Format } from "../output/listing.ts";

const formats = ["table", "wide", "json", "jsonl", "yaml", "name"] as const satisfies readonly Format[];

export const listFlags = {
  output: {
    form: "text",
    short: "o",
    placeholder: "FORMAT",
    values: formats,
    about: "How it is written: json is the API's own answer, jsonl has an item a line. Default: table.",
  },
  quiet: { form: "switch", short: "q", about: "Only ids." },
  "no-trunc": { form: "switch", about: "Whole ids and texts." },
} as const satisfies Flags;

/** Of commands whose items have an order in time. */
export const latestFlags = {
  latest: { form: "switch", short: "l", about: "Only the newest, in any state." },
  last: {
    form: "text",
    short: "n",
    placeholder: "COUNT",
    about: "Only so many of the newest, in any state; 0 for all.",
  },
} as const satisfies Flags;

/** `--filter KEY=VALUE` for flags of these names. */
export const filterBy = (...keys: readonly string[]) =>
  ({
    filter: {
      form: "list",
      short: "f",
      placeholder: "KEY=VALUE",
      keys,
      about: "The same as --KEY=VALUE; may be repeated.",
    },
  }) as const satisfies Flags;

export const labelFlag = {
  form: "list",
  placeholder: "LABEL",
  about: "Only with this label: app=web, app, !app, tier!=db. May be repeated: all must match.",
} as const satisfies Flag;
