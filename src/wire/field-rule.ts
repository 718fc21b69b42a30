/** What a field's value must be besides its type; a field without a rule takes all that its type does. */
export interface FieldRule {
  /** Must be there and not empty: an example of it, as a phrase that follows "must be given". */
  readonly required?: string;
  /** Least number; of each item, if it is a list. */
  readonly minimum?: bigint;
  /** Greatest number, where there is a least one. */
  readonly maximum?: bigint;
  /** Longest text, in bytes of UTF-8. */
  readonly maxBytes?: number;
  /** What a text that is not empty must match, in words too: "must be an absolute path". */
  readonly pattern?: { readonly matches: RegExp; readonly detail: string };
  /** What is wrong with a text that is not empty; undefined when nothing is. Must not repeat the text. */
  readonly check?: (text: string) => string | undefined;
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
  const { required, unless, onlyWith, maxBytes, pattern, check } = rule;
  if (isAbsent(value)) {
    const isWaived = unless !== undefined && !isAbsent(members[unless]);
    return required === undefined || isWaived ? undefined : `must be given: ${required}`;
  }
  if (onlyWith?.every((other) => isAbsent(members[other])))
    return `must not be given without ${onlyWith.join(" or ")}`;
  if (typeof value === "string" && maxBytes !== undefined && Buffer.byteLength(value) > maxBytes)
    return `must be at most ${maxBytes} bytes`;
  if (typeof value === "string" && pattern && !pattern.matches.test(value)) return pattern.detail;
  const found = typeof value === "string" ? check?.(value) : undefined;
  if (found !== undefined) return found;
  for (const item of Array.isArray(value) ? value : [value]) {
    const detail = outOfRange(rule, item);
    if (detail !== undefined) return detail;
  }
  return undefined;
}

function outOfRange({ minimum, maximum }: FieldRule, value: unknown): string | undefined {
  if (minimum === undefined) return undefined;
  const number = BigInt(value as string | number);
  if (maximum === undefined) return number < minimum ? `must be at least ${minimum}` : undefined;
  return number < minimum || number > maximum ? `must be from ${minimum} to ${maximum}` : undefined;
}

/** Protobuf does not tell an empty value from one that was not given. */
function isAbsent(value: unknown): boolean {
  return (
    value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)
  );
}
