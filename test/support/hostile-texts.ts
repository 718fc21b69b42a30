/**
 * Texts on which a pattern takes many steps if there are any: something that it matches a part of, over and over,
 * between a beginning and an end that make it fail late.
 */
import type { AST } from "@eslint-community/regexpp";
import { parsePattern } from "./pattern-steps.ts";

/** A recipe; `fill` makes a text of about `length` characters. */
export interface HostileText {
  readonly prefix: string;
  readonly pump: string;
  readonly suffix: string;
}

export function fill({ prefix, pump, suffix }: HostileText, length: number): string {
  const times = Math.max(1, Math.floor((length - prefix.length - suffix.length) / pump.length));
  return prefix + pump.repeat(times) + suffix;
}

/** What hardly a pattern ends with. */
const usualSuffixes = ["", "\u0000", "x\n=", " "];
/** Stand in for what a set of characters takes. */
const usual = ["a", "A", "0", " ", "\t", "\n", "_", "-", "/", ":", ".", "=", "+", '"', "\u00e9", "\u0001"];
/** Parts of a pattern that are repeated, most; the longest patterns have hundreds. */
const maxPumps = 60;

/** Recipes made of the parts of the pattern. */
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
  /** What runs of parts that stand side by side match, at any depth. */
  readonly pieces: readonly string[];
  /** What the first parts match, as far as a part that is repeated. */
  readonly beginnings: readonly string[];
  /** Single characters that some part takes. */
  readonly characters: readonly string[];
  /** Characters that a part takes all but. */
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

  /** Texts that the element matches, one for each way of it. */
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

  /** One text that a sequence matches; those of its parts are noted on the way. */
  function sampleOfSequence(elements: readonly AST.Element[]): string {
    const parts: (readonly string[])[] = [];
    let literal = "";
    for (const element of elements) {
      const samples = samplesOf(element);
      // Literals stay whole: what repeats half a word finds nothing new.
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

  /** With the first way of each part, and with each other way of one of them. */
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
