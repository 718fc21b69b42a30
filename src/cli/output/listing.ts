/** Prints a list in every format. */
import { StartError } from "../../errors.ts";
import { printable } from "../../printable.ts";
import { type Output, styled, write } from "../terminal.ts";
import { printJson } from "./json.ts";
import type { Column } from "./table.ts";

/** `json`: the API's own answer. `jsonl`: an item a line. `name`: what other commands take, a line each. */
export type Format = "table" | "wide" | "json" | "jsonl" | "yaml" | "name";

/** What was written for the flags of a list: see `listFlags`. */
export interface ListingFlags {
  readonly output: string | undefined;
  readonly quiet: boolean;
  readonly "no-trunc": boolean;
}

/** A list, and what each format prints of it. */
export interface Listing<Row> {
  /** Of `-o json` and `yaml`. */
  readonly answer: unknown;
  /** Of `-o jsonl`. */
  readonly items: readonly unknown[];
  /** Of `-q`. */
  readonly ids: readonly string[];
  /** Of `-o name`. */
  readonly names: readonly string[];
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
}

/** What the flags ask for. @throws {StartError} for -q with a format. */
export function formatOf({ output, quiet }: Omit<ListingFlags, "no-trunc">): Format | "ids" {
  if (quiet && output !== undefined)
    throw new StartError(`-q prints only ids, so leave out -q or -o ${output}`);
  return quiet ? "ids" : ((output as Format | undefined) ?? "table");
}

export async function printListing<Row>(
  stdout: Output,
  flags: ListingFlags,
  { answer, items, ids, names, rows, columns }: Listing<Row>,
): Promise<void> {
  const format = formatOf(flags);
  switch (format) {
    case "ids":
      return write(stdout, lines(ids));
    case "name":
      return write(stdout, lines(names));
    case "json":
      return printJson(answer, stdout);
    case "yaml":
      return printYaml(answer, stdout);
    case "jsonl":
      return printJsonLines(items, stdout);
    default:
      return printTable(stdout, flags, columns, rows);
  }
}

/** As wide as the terminal, unless `--no-trunc` says otherwise. */
export async function printTable<Row>(
  stdout: Output,
  flags: Omit<ListingFlags, "quiet">,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Promise<void> {
  const { table } = await import("./table.ts");
  const shown = columns.filter(({ wide = false }) => !wide || flags.output === "wide");
  const width = stdout.isTTY === true && !flags["no-trunc"] ? stdout.columns : undefined;
  await write(stdout, table(shown, rows, { width, paint: (style, text) => styled(stdout, style, text) }));
}

export async function printYaml(value: unknown, stdout: Output): Promise<void> {
  const { yamlText } = await import("./yaml.ts");
  await write(stdout, yamlText(value));
}

/** Documents of one file. */
export async function printYamlDocuments(values: readonly unknown[], stdout: Output): Promise<void> {
  for (const [index, value] of values.entries()) {
    if (index > 0) await write(stdout, "---\n");
    await printYaml(value, stdout);
  }
}

/** One item after the other, so that the first is there at once. On a terminal, what would move it is escaped. */
export async function printJsonLines(items: Iterable<unknown>, stdout: Output): Promise<void> {
  for (const item of items) {
    const line = JSON.stringify(item);
    await write(stdout, `${stdout.isTTY === true ? printable(line) : line}\n`);
  }
}

const lines = (texts: readonly string[]): string => texts.map((text) => `${printable(text)}\n`).join("");
