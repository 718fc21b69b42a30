/** Errors for requests that pass the types and rules, but that this runtime or this node cannot serve. */
import { InvalidValue } from "../wire/invalid-value.ts";

/** `pointer` refers to the request message, with canonical names. */
export function refusal(pointer: string, detail: string, options?: ErrorOptions): InvalidValue {
  return new InvalidValue("the request", [{ pointer, detail }], options);
}
