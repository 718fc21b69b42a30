/** Why a gateway cannot be reached, and what to do. */

/** What a server did that no gateway does, or an error of the system. */
export type UnreachableCause = Error | { readonly redirectedTo: string };

/** The message has no address: the client's own has. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
  /** What to do; undefined if there is no advice. */
  readonly hint: string | undefined;
  /** As messages name it: `unix:/run/crest.sock`. */
  readonly address: string;

  constructor(address: string, cause: UnreachableCause) {
    super(messageOf(cause), { cause });
    this.address = address;
    this.hint = hintOf(address, cause);
  }
}

function messageOf(cause: UnreachableCause): string {
  if ("redirectedTo" in cause)
    return `it answers with a redirection to ${cause.redirectedTo.slice(0, 200)}, which no gateway does`;
  // Node tries several addresses of a host and says nothing of its own about that.
  const { code } = cause as NodeJS.ErrnoException;
  return cause.message === "" && code !== undefined ? code : cause.message;
}

const isUntrusted =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?))$/;

function hintOf(address: string, cause: UnreachableCause): string | undefined {
  if ("redirectedTo" in cause)
    return "The token follows no redirection. If the gateway is there, name that with --server";
  const { code = "" } = cause as NodeJS.ErrnoException;
  const isTls = address.startsWith("https:");
  if (code === "ECONNREFUSED" || code === "ENOENT")
    return "Is the gateway running? crest up or crest serve starts one, --server names another";
  if (code === "EACCES" || code === "EPERM")
    return "The socket is another user's: run this command as the gateway's user";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "Is the name of the host right?";
  if (isUntrusted.test(code))
    return `If it is the gateway's own certificate: crest server add NAME ${address} --ca=FILE, with that file`;
  if (code === "CERT_HAS_EXPIRED") return "The gateway needs a new certificate";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return "Name the server by a name that its certificate has, or give it another certificate";
  if (/CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA/.test(code))
    return `The gateway may ask for a client certificate: crest server add NAME ${address} --cert=FILE --key=FILE`;
  if (isTls && (code === "EPROTO" || code.startsWith("ERR_SSL")))
    return `Is it https? Otherwise write ${address.replace("https:", "http:")}`;
  if (!isTls && (code === "ECONNRESET" || code.startsWith("HPE_")))
    return `Is it a gateway of Crest?${address.startsWith("http:") ? ` One with a certificate is at ${address.replace("http:", "https:")}` : ""}`;
  return undefined;
}
