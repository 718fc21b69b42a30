/** Flags of all commands that list something. */
import type { Flags } from "../declare.ts";

export const formats = ["table", "wide", "json", "jsonl", "yaml", "name"] as const;
export type Format = (typeof formats)[number];

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
