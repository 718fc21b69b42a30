/** Finds the regular expressions in the built sources by parsing them, so that none is missed. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Node, parse } from "acorn";
import { repositoryRoot } from "./repository.ts";

/** A regular expression literal in the sources. */
export interface SourcePattern {
  /** File and line. */
  readonly place: string;
  readonly source: string;
  readonly flags: string;
}

export interface SourcePatterns {
  readonly literals: readonly SourcePattern[];
  /** Places that construct an expression from a string, so that it cannot be analysed here. */
  readonly made: readonly string[];
}

/** The expressions in `dist/src` and in the scripts of the pages. Skips code that only runs in development. */
export function sourcePatterns(): SourcePatterns {
  const literals: SourcePattern[] = [];
  const made: string[] = [];
  for (const path of scripts()) {
    const text = readFileSync(join(repositoryRoot(), path), "utf8");
    const tree = parse(text, { ecmaVersion: 2024, sourceType: "module", locations: true });
    for (const node of nodesOf(tree)) {
      const place = `${path}:${node.loc?.start.line}`;
      if (isPattern(node)) literals.push({ place, source: node.regex.pattern, flags: node.regex.flags });
      if (isConstruction(node)) made.push(place);
    }
  }
  return { literals, made };
}

function scripts(): readonly string[] {
  return ["dist/src", "src/docs/assets"].flatMap((folder) =>
    readdirSync(join(repositoryRoot(), folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".js") && !/^(codegen|gen)\//.test(name))
      .sort()
      .map((name) => join(folder, name)),
  );
}

function* nodesOf(value: unknown): Generator<Node> {
  if (typeof value !== "object" || value === null) return;
  if ("type" in value && typeof value.type === "string") yield value as Node;
  for (const member of Object.values(value)) yield* nodesOf(member);
}

function isPattern(
  node: Node,
): node is Node & { readonly regex: { readonly pattern: string; readonly flags: string } } {
  return node.type === "Literal" && "regex" in node && node.regex !== undefined;
}

/** Matches `new RegExp(...)` and `RegExp(...)`. */
function isConstruction(node: Node): boolean {
  if (node.type !== "NewExpression" && node.type !== "CallExpression") return false;
  const { callee } = node as Node & { readonly callee: { readonly name?: string } };
  return callee.name === "RegExp";
}
