/** Constraints on a field's value beyond its type. A field without a rule accepts any value of its type. */
export interface FieldRule {
  /** Must be present and not empty. An example of a value, as a phrase that follows "must be given". */
  readonly required?: string;
  /** Smallest number; for a list, of each item. */
  readonly minimum?: bigint;
  /** Largest number. Only together with `minimum`. */
  readonly maximum?: bigint;
  /** An inclusive range of invalid numbers within the limits. */
  readonly except?: readonly [first: bigint, last: bigint];
  /** Longest text, in bytes of UTF-8: of a text, of each list item, of each map key with its value. */
  readonly maxBytes?: number;
  /** Longest first item of a list of texts, in bytes of UTF-8. */
  readonly maxFirstBytes?: number;
  /** What a non-empty text must match, and in words: "must be an absolute path". */
  readonly pattern?: { readonly matches: RegExp; readonly detail: string };
  /** Describes what is wrong with a non-empty text, or returns undefined. Must not repeat the text. */
  readonly check?: (text: string) => string | undefined;
  /** Describes what is wrong with an item of a list of texts, or returns undefined. */
  readonly item?: (text: string) => string | undefined;
  /** Must not be given unless one of these fields of the same message is. */
  readonly onlyWith?: readonly string[];
  /** `required` applies only if this other field is absent. */
  readonly unless?: string;
  /**
   * No rule applies inside this message field. For a message that one request acts on and another only carries, such as
   * a pod's config in a pull.
   */
  readonly unchecked?: true;
}

/** By message and field: `rules["PortMapping"]["hostPort"]`. */
export type FieldRules = {
  readonly [message: string]: { readonly [field: string]: FieldRule };
};

/** The members of a message as the sender gave them, by canonical name. */
export type Members = { readonly [field: string]: unknown };

/** Describes what is wrong with a field of a message whose values have the right types, or returns undefined. */
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

/** Whether a text is longer than `maxBytes` in UTF-8, where a UTF-16 unit takes at most three bytes. */
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

/** The items of a list of texts that break a rule, with their indexes. */
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

/** Protobuf does not distinguish an empty value from an absent one. */
function isAbsent(value: unknown): boolean {
  return (
    value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)
  );
}
