/** Bodies that are nearly valid: with members that are wrong, and with text that is hardly JSON. */
import type { Dice } from "../unit/gen/dice.ts";
import type { Json } from "./fuzz-values.ts";

const odd: readonly Json[] = [
  ...[null, {}, [], "", "x", true, 0, -1, 1.5, 1e300, -0, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 63)],
  ...["9".repeat(19), "-9223372036854775808", "9".repeat(4000), "1e3", "0x10", "007", "NaN", "-", "TCP"],
  ...["\ud800", "a\udfff", "\ud800\ud800", "\u0000", "x".repeat(200_000)],
  ...[[null], [[]], [{}], [""], { "": "" }, { a: { b: {} } }, { constructor: 1 }],
];
const oddNames = [
  "",
  "__proto__",
  "constructor",
  "toString",
  "unknownHere",
  "pod_sandbox_id",
  "podSandboxId",
  "\ud800",
  "a/b~c",
];

/** A copy with one place in it dropped, replaced, or given a neighbour. */
export function wounded(value: Json, dice: Dice): Json {
  if (typeof value !== "object" || value === null || dice.oneIn(8)) return dice.pick(odd);
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    const at = dice.roll(items.length + 1);
    return at === items.length
      ? [...items, dice.pick(odd)]
      : items.map((item, i) => (i === at ? wounded(item, dice) : item));
  }
  const entries = Object.entries(value);
  const at = dice.roll(entries.length + 1);
  const [name] = entries[at] ?? [];
  if (name === undefined) return Object.fromEntries([...entries, [dice.pick(oddNames), dice.pick(odd)]]);
  if (dice.oneIn(5)) return Object.fromEntries(entries.filter(([other]) => other !== name));
  return Object.fromEntries(
    entries.map(([key, member]) => [key, key === name ? wounded(member, dice) : member]),
  );
}

type Tear = (text: string, dice: Dice) => string;

/** What no JSON value can say. */
const tears: readonly Tear[] = [
  (text) => text,
  (text) => text,
  (text, dice) => text.slice(0, dice.roll(text.length + 1)),
  (text) => `\ufeff${text}`,
  (text) => ` \r\n\t${text}\n`,
  (text) => `${text}${text}`,
  (text) => text.replace(/^\{("[^"]*"):/, "{$1:null,$1:"),
  (text) => text.replace(/:("[^"\\]*"|\d+)/, ":$1,"),
  (text) => text.replace(/"/, "'"),
  (text) => text.replace(/:\s*[^,{}[\]]+/, `:${"[".repeat(5000)}${"]".repeat(5000)}`),
  (text) => text.replace(/:\s*[^,{}[\]]+/, `:${'{"a":'.repeat(2000)}1${"}".repeat(2000)}`),
  (text) => text.replace(/:\s*[^,{}[\]]+/, ":1e999"),
  (text) => text.replace(/:\s*[^,{}[\]]+/, ":NaN"),
  (text) => text.replace(/:\s*"/, ':"\\u0000\\uD83D'),
  (text) => text.replace(/:\s*"/, ':"\u0001'),
  () => "",
  () => "null",
  () => "[]",
  () => '""',
  () => "{",
  () => "\u0000",
];

/** The text of a wounded body. */
export function tornText(value: Json, dice: Dice): string {
  let body = value;
  for (let wounds = dice.roll(3); wounds > 0; wounds--) body = wounded(body, dice);
  return dice.pick(tears)(JSON.stringify(body), dice);
}
