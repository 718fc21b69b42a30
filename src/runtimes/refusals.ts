/** What is refused of a request that its types and rules allow, because of this runtime or this node. */
import { InvalidValue } from "../wire/invalid-value.ts";

/** `pointer` is one into the request message, by canonical names. */
export function refusal(pointer: string, detail: string, options?: ErrorOptions): InvalidValue {
  return new InvalidValue("the request", [{ pointer, detail }], options);
}
