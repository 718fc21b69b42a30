/** Requests that are not sent: what is missing or wrong in them, with its place in the body. */
import { GatewayError } from "../errors.ts";

/** `invalid_request`: a member that must be there. `detail` shows how it is written. */
export function missing(pointer: string, detail: string): GatewayError {
  return refusal("Missing", pointer, detail);
}

/** `invalid_request`: a member that has a value which no runtime, or not this one, can use. */
export function wrong(pointer: string, detail: string): GatewayError {
  return refusal("Invalid", pointer, detail);
}

function refusal(word: string, pointer: string, detail: string): GatewayError {
  return new GatewayError("invalid_request", `${word} ${pointer}: ${detail}`, {
    errors: [{ pointer, detail }],
  });
}
