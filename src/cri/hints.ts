/** Adds a suggestion to common mistakes in a request. */
import { descriptors } from "../gen/descriptors.ts";
import { type Field, messageOf } from "../wire/descriptor.ts";
import { InvalidValue, type Mistake } from "../wire/invalid-value.ts";
import { examples, replacementFor } from "./foreign-names.ts";

/** Returns the mistakes of a value of `message`, with suggestions. */
export function withHints(message: string, error: InvalidValue): InvalidValue {
  const [first, ...more] = error.mistakes.map((mistake) => hinted(message, mistake));
  return first === undefined ? error : new InvalidValue(message, [first, ...more], { cause: error });
}

function hinted(message: string, mistake: Mistake): Mistake {
  const { pointer, detail, kind } = mistake;
  if (kind === undefined) return mistake;
  const place = placeOf(message, pointer);
  if (place === undefined) return mistake;
  if (kind === "unknown") {
    const hint = hintFor(place.message, place.name);
    return hint === undefined ? mistake : { ...mistake, detail: `is not known: ${hint}` };
  }
  const example = exampleOf(place);
  return example === undefined ? mistake : { ...mistake, detail: `${detail}: write ${json(example)}` };
}

function hintFor(message: string, name: string): string | undefined {
  const replacement = replacementFor(message, name);
  if (replacement === undefined) return undefined;
  if ("say" in replacement) return replacement.say;
  return "field" in replacement ? `write ${replacement.field} instead` : `write ${json(replacement.write)}`;
}

/** What a pointer refers to. */
interface Place {
  /** The message that has the field, or should have it. */
  readonly message: string;
  readonly name: string;
  readonly field: Field | undefined;
  /** Whether it points at an item of the list. */
  readonly isItem: boolean;
}

/** Follows a pointer in either spelling. Undefined if it leads into a map or to nothing. */
function placeOf(root: string, pointer: string): Place | undefined {
  const parts = pointer.split("/").slice(1).map(partOf);
  let message = root;
  for (let at = 0; at < parts.length; at++) {
    const name = parts[at] ?? "";
    const field = messageOf(descriptors, message).fields.find(
      (one) => one.name === name || one.proto === name,
    );
    const isItem = field?.repeated === true && at + 1 < parts.length;
    if (at + (isItem ? 1 : 0) === parts.length - 1) return { message, name, field, isItem };
    if (field?.kind !== "message") return undefined;
    message = field.type;
    if (isItem) at++;
  }
  return undefined;
}

const partOf = (part: string): string => part.replaceAll("~1", "/").replaceAll("~0", "~");

/** An example value for the place, if there is one. */
function exampleOf({ message, field, isItem }: Place): unknown {
  if (field === undefined) return undefined;
  const ofField = examples[`${message}.${field.name}`];
  if (ofField !== undefined) return isItem && Array.isArray(ofField) ? ofField[0] : ofField;
  const ofType = field.kind === "message" ? examples[field.type] : undefined;
  return ofType !== undefined && field.repeated && !isItem ? [ofType] : ofType;
}

/** JSON in the style of the documentation: `{"key": "LANG", "value": "C.UTF-8"}`. */
function json(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(json).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, member]) => `${JSON.stringify(name)}: ${json(member)}`)
    .join(", ")}}`;
}
