/** Errors that tell no ids of others. Runtimes quote ids in their errors. */
import { GatewayError } from "../errors.ts";

/** The form of ids. Digests have a colon in front of them. */
const idPattern = /(?<![0-9a-f:])[0-9a-f]{64}(?![0-9a-f])/g;
/** In the place of an id. */
const unseen = "(out of scope)";

/** The ids in an error. */
export const idsIn = ({ message, errors, members }: GatewayError): readonly string[] =>
  JSON.stringify([message, errors, members]).match(idPattern) ?? [];

/** The error without the ids that `isHidden` names, each of its texts also changed by `change`. */
export function withoutIds(
  error: unknown,
  isHidden: (id: string) => boolean,
  change = (text: string): string => text,
): unknown {
  if (!(error instanceof GatewayError)) return error;
  const plain = (text: string): string =>
    change(text).replace(idPattern, (id) => (isHidden(id) ? unseen : id));
  return new GatewayError(error.code, plain(error.message), {
    errors: error.errors.map((one) => ({ ...one, detail: plain(one.detail) })),
    members: JSON.parse(JSON.stringify(error.members), (_, value) =>
      typeof value === "string" ? plain(value) : value,
    ),
    cause: error,
    grpcCode: error.grpcCode,
    headers: error.headers,
  });
}

/** What `work` gives. An error of it tells no ids at all. */
export async function tellingNoIds<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw withoutIds(error, () => true);
  }
}
