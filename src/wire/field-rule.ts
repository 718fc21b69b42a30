/** What a field's value must be besides its type; a field without a rule takes all that its type does. */
export interface FieldRule {
  /** Must be there and not empty: an example of it, as a phrase that follows "must be given". */
  readonly required?: string;
  /** Least number; of each item, if it is a list. */
  readonly minimum?: bigint;
  /** Greatest number, where there is a least one. */
  readonly maximum?: bigint;
  /** Numbers within the range that are no values all the same, from the first to the last of these. */
  readonly except?: readonly [first: bigint, last: bigint];
  /** Longest text, in bytes of UTF-8: of a text, of each item of a list, of each key with its value in a map. */
  readonly maxBytes?: number;
  /** Longest first item of a list of texts, in bytes of UTF-8. */
  readonly maxFirstBytes?: number;
  /** What a text that is not empty must match, in words too: "must be an absolute path". */
  readonly pattern?: { readonly matches: RegExp; readonly detail: string };
  /** What is wrong with a text that is not empty; undefined when nothing is. Must not repeat the text. */
  readonly check?: (text: string) => string | undefined;
  /** What is wrong with an item of a list of texts; undefined when nothing is. */
  readonly item?: (text: string) => string | undefined;
  /** Must not be given without one of these others of the same message. */
  readonly onlyWith?: readonly string[];
  /** `required` holds only when this other field is absent. */
  readonly unless?: string;
  /**
   * No rule holds inside this message field. For a message that one request acts on and another only carries along,
   * as a pull does with a pod's config.
   */
  readonly unchecked?: true;
}

/** By message and field: `rules["PortMapping"]["hostPort"]`. */
export type FieldRules = {
  readonly [message: string]: { readonly [field: string]: FieldRule };
};

/** The members of a message as the sender gave them, by their canonical names. */
export type Members = { readonly [field: string]: unknown };

/** What is wrong with a field of a message whose values have the right types; undefined when nothing is. */
export function breaks(rule: FieldRule, field: string, members: Members): string | undefined {
  const value = members[field];
  const { required, unless, onlyWith, pattern, check } = rule;
  if (isAbsent(value)) {
    const isWaived = unless !== undefined && !isAbsent(members[unless]);
    return required === undefined || isWaived ? undefined : `must be given: ${required}`;
  }
  if (onlyWith?.every((other) => isAbsent(members[other])))
    return `must not be given without ${onlyWith.join(" or ")}`;
  const tooLong = overLength(rule, value);
  if (tooLong !== undefined) return tooLong;
  if (typeof value === "string" && pattern && !pattern.matches.test(value)) return pattern.detail;
  const found = typeof value === "string" ? check?.(value) : undefined;
  if (found !== undefined) return found;
  for (const item of Array.isArray(value) ? value : [value]) {
    const detail = outOfRange(rule, item);
    if (detail !== undefined) return detail;
  }
  return undefined;
}

function overLength({ maxBytes, maxFirstBytes }: FieldRule, value: unknown): string | undefined {
  if (maxFirstBytes !== undefined && Array.isArray(value) && isLonger(value[0], maxFirstBytes))
    return `must have at most ${maxFirstBytes} bytes in its first item`;
  if (maxBytes === undefined) return undefined;
  if (typeof value === "string")
    return isLonger(value, maxBytes) ? `must be at most ${maxBytes} bytes` : undefined;
  if (Array.isArray(value)) {
    const isTooLong = value.some((item) => isLonger(item, maxBytes));
    return isTooLong ? `must have at most ${maxBytes} bytes in each item` : undefined;
  }
  const isTooLong = Object.entries(value as object).some(([key, text]) =>
    isLonger(`${key}${text}`, maxBytes),
  );
  return isTooLong ? `must have at most ${maxBytes} bytes in each key with its value` : undefined;
}

/** Whether a text is longer than `maxBytes` in UTF-8. A UTF-16 unit has three bytes there at most. */
function isLonger(text: unknown, maxBytes: number): boolean {
  if (typeof text !== "string" || text.length * 3 <= maxBytes) return false;
  return text.length > maxBytes || Buffer.byteLength(text) > maxBytes;
}

function outOfRange(rule: FieldRule, value: unknown): string | undefined {
  const { minimum, maximum, except } = rule;
  if (minimum === undefined && except === undefined) return undefined;
  const number = BigInt(value as string | number);
  const isExcepted = except !== undefined && number >= except[0] && number <= except[1];
  const isBelow = minimum !== undefined && number < minimum;
  const isAbove = minimum !== undefined && maximum !== undefined && number > maximum;
  if (!isExcepted && !isBelow && !isAbove) return undefined;
  return rangeInWords(rule);
}

function rangeInWords({ minimum, maximum, except }: FieldRule): string {
  const range =
    minimum === undefined
      ? undefined
      : maximum === undefined
        ? `must be at least ${minimum}`
        : `must be from ${minimum} to ${maximum}`;
  if (except === undefined) return range ?? "";
  const [first, last] = except;
  return range === undefined
    ? `must not be from ${first} to ${last}`
    : `${range}, and not from ${first} to ${last}`;
}

/** The items of a list of texts that break a rule, with their places. */
export function brokenItems(
  { item }: FieldRule,
  value: unknown,
): readonly (readonly [index: number, detail: string])[] {
  if (item === undefined || !Array.isArray(value)) return [];
  return value.flatMap((text: unknown, index) => {
    const detail = typeof text === "string" ? item(text) : undefined;
    return detail === undefined ? [] : [[index, detail] as const];
  });
}

/** Protobuf does not tell an empty value from one that was not given. */
function isAbsent(value: unknown): boolean {
  return (
    value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)
  );
}
