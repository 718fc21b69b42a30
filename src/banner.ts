/** The text that a gateway prints when it is ready: its address, token and grants, and commands to try. */
import { canUse } from "./access/authorize.ts";
import { callableAddress } from "./callable-address.ts";
import type { Config } from "./config.ts";
import { type Grant, type GrantSet, grantWordNames } from "./grants.ts";
import { quote } from "./shell.ts";

export interface BannerOptions {
  readonly config: Config;
  /** `http://127.0.0.1:8585`, `https://10.0.0.7:8585` or `unix:/path`. */
  readonly address: string;
  /** Expiry date of the certificate, if there is one. */
  readonly validTo?: Date | undefined;
  /** The runtime's name, version and socket, as text. */
  readonly runtime: string;
}

export function banner({ config, address, runtime, validTo }: BannerOptions): string {
  const socket = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
  const curl = [
    "curl",
    ...(socket === undefined ? tlsOptions(config) : ["--unix-socket", quote(socket)]),
  ].join(" ");
  const command = config.runtime === "embedded" ? "up" : "serve";
  const tokenFile = config.tokenFile ?? "TOKEN_FILE";
  const base = socket === undefined ? callableAddress(address, config) : "http://localhost";
  const auth = `-H "Authorization: Bearer $(cat ${quote(tokenFile)})"`;
  const lines = [
    `Crest is ready at ${address}`,
    ...(validTo === undefined ? [] : [`  tls      ${tlsLine(config, validTo)}`]),
    `  runtime  ${runtime}`,
    `  token    ${tokenFile}`,
    "  callers  crest token create makes tokens for others, which may do less",
    `  grants   ${grantsLine(config)}`,
    `  docs     ${base}/docs${socket === undefined ? "" : ", through the socket"}`,
    "",
    "Try it:",
    ...requestsFor(command, config).map((request) => `  ${curl} ${auth} ${request(base)}`),
  ];
  if (command === "up") lines.push("", "Ctrl-C stops it and removes its pods; its images stay.");
  return `${lines.join("\n")}\n`;
}

/** The end of a curl command, after the token. */
type Request = (base: string) => string;

const requests: readonly {
  readonly needs: readonly Grant[];
  readonly only?: "up";
  readonly request: Request;
}[] = [
  { needs: ["read:runtime"], request: (base) => `${base}/v1/version` },
  { needs: ["read:images"], request: (base) => `${base}/v1/images` },
  {
    needs: ["run"],
    only: "up",
    request: (base) => `--json '{"metadata": {"name": "web"}}' ${base}/v1/pods`,
  },
  { needs: ["read:pods"], request: (base) => `${base}/v1/pods` },
  { needs: ["read:containers"], request: (base) => `${base}/v1/containers` },
  { needs: ["read:stats"], request: (base) => `${base}/v1/stats/containers` },
];

/** More would push the lines above off the screen. */
const maxRequests = 3;

/** The requests that the grants permit. If there are none, the request that lists the grants. */
function requestsFor(command: "up" | "serve", { grants }: Config): readonly Request[] {
  const caller = { name: "", grants };
  const granted = requests.filter(
    ({ needs, only = command }) => only === command && needs.every((grant) => canUse(grant, caller)),
  );
  return granted.length > 0
    ? granted.slice(0, maxRequests).map(({ request }) => request)
    : [(base) => `${base}/v1/grants`];
}

function tlsLine({ tls }: Config, validTo: Date): string {
  const clients =
    tls?.clientCaFile === undefined ? "" : `; clients show a certificate of ${tls.clientCaFile}`;
  return `https and wss, ${tls?.certFile} until ${validTo.toISOString()}${clients}`;
}

/** Trusts the certificate itself, since curl already knows the system's authorities. */
function tlsOptions({ tls }: Config): readonly string[] {
  if (tls === undefined) return [];
  const client = tls.clientCaFile === undefined ? [] : ["--cert", "CLIENT.crt", "--key", "CLIENT.key"];
  return ["--cacert", quote(tls.certFile), ...client];
}

function grantsLine({ grants }: Config): string {
  const denied = wordsOf(grants.deny);
  const but = denied.length > 0 ? `, but not ${denied.join(", ")}` : "";
  if (grants.all) return `EVERYTHING${but}: whoever has the token is root on this runtime`;
  const allowed = wordsOf(grants.allow);
  return allowed.length > 0
    ? `${allowed.join(", ")}${but}`
    : "nothing: see crest serve --help for --allow-read and the others";
}

/** `run`, `read=pods,images` */
function wordsOf(set: GrantSet): readonly string[] {
  return grantWordNames.flatMap((word) => {
    const entry = set[word];
    return entry === undefined ? [] : [entry === true ? word : `${word}=${entry.join(",")}`];
  });
}
