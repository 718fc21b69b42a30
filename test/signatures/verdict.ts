/** What the outcome of `npm audit signatures --json` means. */

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Verdict {
  /** `unchecked`: the registry or its keys cannot be reached, or this registry has none. */
  readonly result: "verified" | "refused" | "unchecked";
  readonly text: string;
}

/** What npm prints with `--json`. */
interface Report {
  readonly error?: { readonly code?: string; readonly summary?: string };
  readonly invalid?: readonly Flawed[];
  readonly missing?: readonly Flawed[];
}

interface Flawed {
  readonly name: string;
  readonly version: string;
}

/** Codes of npm for a network on which the registry, or Sigstore with its keys, does not answer, or a proxy does. */
const unreachable =
  /^(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ERR_SOCKET_TIMEOUT|E403|E407|E5\d\d|TUF_REFRESH_METADATA_ERROR)$/;
/** How npm says that the registry of the packages has no keys. It has no code for this. */
const withoutKeys = /^found no dependencies to audit that were installed from a supported registry/;

/** Everything that is not understood is a refusal. */
export function verdictOf({ code, stdout, stderr }: Outcome): Verdict {
  const report = parse(stdout);
  const { invalid = [], missing = [], error } = report ?? {};
  const names = (flawed: readonly Flawed[]) =>
    flawed.map(({ name, version }) => `${name}@${version}`).join(", ");
  if (invalid.length > 0) return { result: "refused", text: `Signatures are wrong: ${names(invalid)}` };
  if (missing.length > 0) return { result: "refused", text: `Signatures are missing: ${names(missing)}` };
  if (code === 0 && report !== undefined && error === undefined)
    return { result: "verified", text: "The registry's signatures of all packages are right" };
  const { code: reason = "", summary = "" } = error ?? {};
  if (unreachable.test(reason) || withoutKeys.test(summary))
    return { result: "unchecked", text: `Signatures were NOT checked: ${summary}` };
  return { result: "refused", text: `npm audit signatures failed: ${summary || stdout + stderr}` };
}

function parse(text: string): Report | undefined {
  try {
    return JSON.parse(text) as Report;
  } catch {
    return undefined;
  }
}
