/** Detects which spelling of field names a value uses: JSON's `logPath`, or the proto file's `log_path`. */
import { type Descriptors, messageOf } from "./descriptor.ts";

/** Whether a value has names of each kind. Names that are the same in both count for neither. */
export interface Spellings {
  readonly json: boolean;
  readonly proto: boolean;
}

/** Looks at the known fields of the message and its nested messages; ignores unknown ones and those of another type. */
export function spellings(descriptors: Descriptors, message: string, value: unknown): Spellings {
  const found = { json: false, proto: false };
  const visit = (name: string, part: unknown): void => {
    if (Array.isArray(part)) {
      for (const item of part) visit(name, item);
      return;
    }
    if (typeof part !== "object" || part === null) return;
    const members: { readonly [key: string]: unknown } = { ...part };
    for (const field of messageOf(descriptors, name).fields) {
      const isOne = field.name === field.proto;
      for (const key of isOne ? [field.name] : [field.name, field.proto]) {
        if (!Object.hasOwn(members, key)) continue;
        if (!isOne) found[key === field.name ? "json" : "proto"] = true;
        if (field.kind === "message") visit(field.type, members[key]);
      }
    }
  };
  visit(message, value);
  return found;
}
