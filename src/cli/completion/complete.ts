/** What may follow on a command line, from the declarations of the commands and, for names, from the gateway. */
import { declarationOf, isCommand } from "../commands.ts";
import { type Declaration, type Flag, type Flags, globalFlags } from "../declare.ts";
import { isGatewayCommand } from "../find-command.ts";
import { titles } from "../help.ts";
import { splitOperands } from "../parse.ts";
import type { Candidate, Completion, NamedKind, NamesOf, ServerWords } from "./completion.ts";

const nothing: Completion = { candidates: [], files: false };
const files: Completion = { candidates: [], files: true };
const listed = (candidates: readonly Candidate[]): Completion => ({ candidates, files: false });

/**
 * Completes the last of `words`, which is what was typed of it so far, perhaps nothing.
 *
 * @param words What follows `crest`.
 */
export async function complete(words: readonly string[], namesOf: NamesOf): Promise<Completion> {
  const current = words.at(-1) ?? "";
  const [name, ...before] = words.slice(0, -1);
  const found = await completionsOf(name, before, current, namesOf);
  return { ...found, candidates: found.candidates.filter(({ value }) => value.startsWith(current)) };
}

async function completionsOf(
  name: string | undefined,
  before: readonly string[],
  current: string,
  namesOf: NamesOf,
): Promise<Completion> {
  if (name === undefined && current.startsWith("-"))
    return listed([{ value: "--help" }, { value: "--version" }]);
  if (name === undefined || (name === "help" && before.length === 0))
    return listed(titles.map(([value, about]) => ({ value, about })));
  if (isCommand(name)) return completeArgument(name, declarationOf(name), before, current, namesOf);
  if (isGatewayCommand(name)) {
    const { completeGateway } = await import("./complete-gateway.ts");
    return completeGateway(name, before, current);
  }
  return nothing;
}

async function completeArgument(
  name: string,
  declaration: Declaration,
  before: readonly string[],
  current: string,
  namesOf: NamesOf,
): Promise<Completion> {
  const known: Flags = { ...declaration.flags, ...globalFlags };
  const { operands, open, isLine, around } = readWords(declaration, known, before);
  const ask = (placeholder: string): Promise<Completion> => valuesFor(placeholder, around, namesOf);
  if (open !== undefined) return flagValues(open, known, ask);
  if (isLine) return nothing;
  const [, written = "", typed] = /^--([^=]+)=(.*)$/s.exec(current) ?? [];
  const flag = known[written];
  if (typed !== undefined && flag !== undefined) {
    const found = await flagValues(flag, known, ask);
    const candidates = found.candidates.map(({ value, ...rest }) => ({
      value: `--${written}=${value}`,
      ...rest,
    }));
    return { ...found, candidates };
  }
  if (current.startsWith("-"))
    return listed(
      Object.entries(known).flatMap(([long, { short, about }]) => [
        { value: `--${long}`, about },
        ...(short !== undefined && current === `-${short}` ? [{ value: `-${short}`, about }] : []),
      ]),
    );
  const { before: specs } = splitOperands(declaration.operands);
  const last = specs.at(-1);
  const spec = specs[operands.length] ?? (last?.includes("...") ? last : undefined);
  if (spec === undefined) return nothing;
  const word = spec.replace(/^\[|\.\.\.|\]/g, "");
  if (word === word.toLowerCase()) return listed(word.split("|").map((value) => ({ value })));
  return ask(name === "server" && operands[0] !== "add" && word === "NAME" ? "SERVER" : word);
}

interface Read {
  readonly operands: readonly string[];
  /** The flag whose value comes next. */
  readonly open: Flag | undefined;
  /** Whether a command line for a container has begun. */
  readonly isLine: boolean;
  readonly around: ServerWords;
}

/** Reads what was written before, without judging it. */
function readWords({ operands: declared }: Declaration, known: Flags, before: readonly string[]): Read {
  const { before: specs, commandLine } = splitOperands(declared);
  const operands: string[] = [];
  const around: { [name: string]: string } = {};
  let open: string | undefined;
  let isLine = false;
  for (const word of before) {
    if (open !== undefined) {
      around[open] = word;
      open = undefined;
      continue;
    }
    if (word === "--") {
      isLine = true;
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      if (commandLine !== undefined && operands.length >= specs.length) {
        isLine = true;
        break;
      }
      continue;
    }
    const [, long, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    const letter = word.at(-1);
    const name =
      long ?? Object.keys(known).find((one) => known[one]?.short === letter && !word.startsWith("--"));
    if (name === undefined || known[name] === undefined || known[name].form === "switch") continue;
    if (value === undefined) open = name;
    else around[name] = value;
  }
  return { operands, open: open === undefined ? undefined : known[open], isLine, around };
}

async function flagValues(
  { values, keys, placeholder = "" }: Flag,
  known: Flags,
  ask: (placeholder: string) => Promise<Completion>,
): Promise<Completion> {
  if (values !== undefined) return listed(values.map((value) => ({ value })));
  if (keys !== undefined)
    return listed(
      keys.flatMap((key) => {
        const given = known[key]?.values;
        return given === undefined
          ? [{ value: `${key}=` }]
          : given.map((value) => ({ value: `${key}=${value}` }));
      }),
    );
  return ask(placeholder);
}

const kinds: { readonly [placeholder: string]: NamedKind } = {
  CONTAINER: "container",
  POD: "pod",
  IMAGE: "image",
  SERVER: "server",
};

async function valuesFor(placeholder: string, around: ServerWords, namesOf: NamesOf): Promise<Completion> {
  const kind = kinds[placeholder];
  if (kind !== undefined) return listed(await namesOf(kind, around));
  // `CONTAINER:PATH` of cp, beside files of this machine.
  if (/CONTAINER:|SOURCE|TARGET|DEST/.test(placeholder)) {
    const names = await namesOf("container", around);
    return { candidates: names.map((one) => ({ ...one, value: `${one.value}:` })), files: true };
  }
  return /FILE|PATH|DIR|FOLDER|JSON|CONFIG/.test(placeholder) ? files : nothing;
}
