/**
 * Isolates the runtime's own words in an error.
 *
 * Runtimes repeat parts of the request: the name of an image or a container, a path, a command. The meaning of an error
 * is derived from its text, and a name such as `r.io/access-denied` must not influence that. So names are replaced by a
 * mark before the text is matched.
 *
 * A name may also be a word that the runtime itself uses, such as an image `not` or a tag `unknown`. So a name counts
 * only where runtimes write names: between quotes and other delimiters, never between spaces. The few places where they
 * write a name between spaces are recognized by the surrounding words.
 *
 * Runs in time proportional to the text and the request.
 */

/** Replaces a name. It is not a space, a quote or part of a word. */
const mark = "\u2026";

/** Shorter names are ignored: `o` would match in "i/o timeout". */
const minNameLength = 3;
/** How many delimiters after the start of a name are tried as its end. */
const maxDelimiters = 16;

/** The names in a request, in the forms in which a text may contain them. */
interface Names {
  /** Paths and image references. They may also occur between spaces: they don't look like words of a runtime. */
  readonly bare: ReadonlySet<string>;
  readonly phrases: ReadonlySet<string>;
  /** Single words. They count as names only between double quotes or backticks. */
  readonly words: ReadonlySet<string>;
  /** Parts of image references, split at slashes, colons and `@`. */
  readonly parts: ReadonlySet<string>;
}

/** Returns the text without the names in `message`, which is a request or another CRI message. */
export function ownWords(text: string, message: unknown): string {
  const names = namesIn(message);
  return withoutBareNames(withoutNames(text, names));
}

/** Replaces names that Go's resolver, containers/image and CRI-O write between spaces. */
function withoutBareNames(text: string): string {
  return text
    .replace(/\blookup [^\s:]+/g, `lookup ${mark}`)
    .replace(/\breading manifest \S+ in /g, `reading manifest ${mark} in `)
    .replace(/\bfind user [^:\n]{1,256}:/g, `find user ${mark}:`)
    .replace(/\bruntime handler [^[\n]{1,256} from /g, `runtime handler ${mark} from `);
}

function withoutNames(text: string, names: Names): string {
  if (Object.values(names).every(({ size }) => size === 0)) return text;
  const ends = endsIn(text);
  let words = "";
  let copied = 0;
  let next = 0;
  for (let at = 0; at < text.length; at++) {
    while ((ends[next] ?? text.length) <= at) next++;
    const isNamed = namesAt(text, at, names);
    if (isNamed === undefined) continue;
    // The longest match wins: `a/b` before `a`.
    for (let last = Math.min(next + maxDelimiters, ends.length) - 1; last >= next; last--) {
      const end = ends[last] ?? text.length;
      if (end - at < minNameLength || !isNamed(end)) continue;
      words += text.slice(copied, at) + mark;
      copied = end;
      at = end - 1;
      break;
    }
  }
  return words + text.slice(copied);
}

const quotes = new Set(['"', "'", "`"]);
const delimiters = new Set([
  ...quotes,
  "/",
  ":",
  "@",
  "_",
  "\\",
  ",",
  ";",
  "=",
  "(",
  ")",
  "[",
  "]",
  "{",
  "}",
]);

const isSpace = (character: string | undefined): boolean => character === undefined || /^\s$/.test(character);
const isWord = (character: string | undefined): boolean => /^[\p{L}\p{N}]$/u.test(character ?? "");

/** Where names may end: at delimiters, at spaces and at the end. */
function endsIn(text: string): readonly number[] {
  const ends: number[] = [];
  for (let at = 0; at < text.length; at++)
    if (delimiters.has(text[at] ?? "") || isSpace(text[at])) ends.push(at);
  ends.push(text.length);
  return ends;
}

/** Returns a test for whether the text from `at` to an end is a name; undefined where no name can start. */
function namesAt(
  text: string,
  at: number,
  { bare, phrases, words, parts }: Names,
): ((end: number) => boolean) | undefined {
  const before = text[at - 1];
  if (before !== undefined && !delimiters.has(before) && !isSpace(before)) return undefined;
  const isQuoted = before !== undefined && quotes.has(before) && !isWord(text[at - 2]);
  // Loggers write their own words like this: level=error msg="exec failed".
  const isMessage = isQuoted && text[at - 2] === "=";
  const isPart = before === "/" || before === ":" || before === "@";
  const isInName = before === "_" || before === "(" || before === "=";
  return (end) => {
    const name = text.slice(at, end);
    if (bare.has(name) || ((isPart || isQuoted) && parts.has(name))) return true;
    const after = text[end];
    if (isQuoted && (after === '"' || after === "`") && words.has(name)) return true;
    if (!(isInName || (isQuoted && !isMessage)) || !phrases.has(name)) return false;
    if (after === undefined) return true;
    // As in `k8s_NAME to CNI network`.
    if (isSpace(after)) return before === "_";
    // A quote before a word opens the next name.
    return !(quotes.has(after) && isWord(text[end + 1]));
  };
}

function namesIn(message: unknown): Names {
  const names = {
    bare: new Set<string>(),
    phrases: new Set<string>(),
    words: new Set<string>(),
    parts: new Set<string>(),
  };
  const add = (value: unknown, field: string): void => {
    if (typeof value === "string") {
      if (field === "image" || field === "userSpecifiedImage") addReference(value, names);
      for (const form of formsOf(value)) {
        (/\s/.test(form) ? names.phrases : names.words).add(form);
        if (/^\.{0,2}\//.test(form)) names.bare.add(form);
      }
    } else if (typeof value === "object" && value !== null) {
      const isList = Array.isArray(value);
      for (const [name, member] of Object.entries(value)) {
        if (!isList) add(name, "");
        add(member, isList ? field : name);
      }
    }
  };
  add(message, "");
  return names;
}

/** Adds a reference with and without its tag and digest, and its parts. */
function addReference(
  reference: string,
  { bare, parts }: { readonly bare: Set<string>; readonly parts: Set<string> },
): void {
  const [tagged = ""] = reference.split("@", 1);
  const colon = tagged.lastIndexOf(":");
  const name = colon > tagged.lastIndexOf("/") ? tagged.slice(0, colon) : tagged;
  // A single word may be one of the runtime's own, and `i/o` is part of one of its phrases.
  for (const form of [reference, tagged, name]) {
    // Docker omits docker.io.
    for (const written of [form, form.slice(form.indexOf("/") + 1)])
      if (/[/:@]/.test(written) && written.length > minNameLength) bare.add(written);
  }
  const [host = ""] = name.split("/", 1);
  if (/[.:]/.test(host)) bare.add(host);
  for (const part of reference.split(/[/:@]/)) if (part.length >= minNameLength) parts.add(part);
}

/** The value itself, quoted by Go (strconv.Quote), and quoted once more by a logger. */
function formsOf(value: string): Iterable<string> {
  if (/^[\w\s./:@-]*$/.test(value) && !/[\n\r\t\f\v]/.test(value)) return [value];
  const quoted = quoteAsGo(value);
  return new Set([value, quoted, quoteAsGo(quoted)]);
}

const quoteAsGo = (text: string): string =>
  JSON.stringify(text)
    .slice(1, -1)
    .replace(/\\u00([0-9a-f]{2})/g, "\\x$1");
