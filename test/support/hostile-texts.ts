/**
 * Texts that make a regular expression take many steps, if any can: many repetitions of something that it matches in
 * part, between a prefix and a suffix that make the match fail late.
 */
import type { AST } from "@eslint-community/regexpp";
import { parsePattern } from "./pattern-steps.ts";

/** A recipe. `fill` creates a text of about `length` characters. */
export interface HostileText {
  readonly prefix: string;
  readonly pump: string;
  readonly suffix: string;
}

export function fill({ prefix, pump, suffix }: HostileText, length: number): string {
  const times = Math.max(1, Math.floor((length - prefix.length - suffix.length) / pump.length));
  return prefix + pump.repeat(times) + suffix;
}

/** Suffixes that few patterns accept at their end. */
const usualSuffixes = ["", "\u0000", "x\n=", " "];
/** Samples for the characters that a set accepts. */
const usual = ["a", "A", "0", " ", "\t", "\n", "_", "-", "/", ":", ".", "=", "+", '"', "\u00e9", "\u0001"];
/** Maximum number of parts to repeat. The longest patterns have hundreds. */
const maxPumps = 60;

/** Recipes built from the parts of the pattern. */
export function hostileTexts(source: string, flags: string): readonly HostileText[] {
  const sampler = createSampler(source, flags);
  const pieces = unique(sampler.pieces).filter((piece) => piece !== "");
  const pumps = unique([...pieces, ...sampler.characters]).slice(0, maxPumps);
  const prefixes = unique(["", ...sampler.beginnings]);
  const suffixes = unique([...usualSuffixes, ...sampler.excluded]);
  return prefixes.flatMap((prefix) =>
    pumps.flatMap((pump) => suffixes.map((suffix) => ({ prefix, pump, suffix }))),
  );
}

const unique = (texts: readonly string[]): readonly string[] => [...new Set(texts)];

interface Samples {
  /** Matches of adjacent parts, at any depth. */
  readonly pieces: readonly string[];
  /** Matches of the first parts, up to a repeated one. */
  readonly beginnings: readonly string[];
  /** Single characters that some part accepts. */
  readonly characters: readonly string[];
  /** Characters that a negated set excludes. */
  readonly excluded: readonly string[];
}

function createSampler(source: string, flags: string): Samples {
  const tree = parsePattern(source, flags);
  const unicode = flags.replace(/[gyd]/g, "");
  const pieces: string[] = [];
  const beginnings: string[] = [];
  const characters = new Set<string>();
  const excluded = new Set<string>();

  function charactersOf(raw: string): readonly string[] {
    const set = new RegExp(`^(?:${raw})$`, unicode);
    const found = usual.filter((character) => set.test(character));
    for (const character of found) characters.add(character);
    return found;
  }

  /** Texts that the element matches, one per alternative. */
  function samplesOf(element: AST.Element): readonly string[] {
    switch (element.type) {
      case "Character":
        characters.add(textOf(element));
        return [textOf(element)];
      case "CharacterClass":
        if (element.negate)
          for (const member of element.elements)
            if (member.type === "Character") excluded.add(textOf(member));
        return charactersOf(element.raw).slice(0, 1);
      case "CharacterSet":
      case "ExpressionCharacterClass":
        return charactersOf(element.raw).slice(0, 1);
      case "Quantifier": {
        const times = Math.max(1, Math.min(element.min, 64));
        return samplesOf(element.element).map((sample) => sample.repeat(times));
      }
      case "Group":
      case "CapturingGroup":
        return element.alternatives.map(({ elements }) => sampleOfSequence(elements));
      case "Assertion":
        if ("alternatives" in element)
          for (const { elements } of element.alternatives) sampleOfSequence(elements);
        return [];
      default:
        return [];
    }
  }

  /** Returns one text that a sequence matches, and records those of its parts. */
  function sampleOfSequence(elements: readonly AST.Element[]): string {
    const parts: (readonly string[])[] = [];
    let literal = "";
    for (const element of elements) {
      const samples = samplesOf(element);
      // Keep literals whole: repeating half a word finds nothing new.
      if (element.type === "Character") {
        literal += samples[0];
        continue;
      }
      if (literal !== "") parts.push([literal]);
      literal = "";
      parts.push(samples);
      beginnings.push(firsts(parts));
    }
    if (literal !== "") parts.push([literal]);
    for (let from = 0; from < parts.length; from++) {
      for (let to = from + 1; to <= parts.length; to++) notePieces(parts.slice(from, to));
    }
    return firsts(parts);
  }

  /** Records the first alternative of each part, combined with each other alternative of one part. */
  function notePieces(parts: readonly (readonly string[])[]): void {
    for (const [index, samples] of parts.entries()) {
      for (const sample of samples)
        pieces.push(firsts(parts.slice(0, index)) + sample + firsts(parts.slice(index + 1)));
    }
  }

  for (const { elements } of tree.alternatives) sampleOfSequence(elements);
  return {
    pieces,
    beginnings: beginnings.slice(0, 12),
    characters: [...characters],
    excluded: [...excluded],
  };
}

const firsts = (parts: readonly (readonly string[])[]): string => parts.map(([first = ""]) => first).join("");

const textOf = ({ value }: AST.Character): string => String.fromCodePoint(value);
