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
  /** What starts `crest` when pasted into a shell. Default: `crest`. */
  readonly program?: string | undefined;
  /** The data folder in which commands look if nobody says so. Default: that of the gateway. */
  readonly usualDataDir?: string | undefined;
}

export function banner(options: BannerOptions): string {
  const { config, address, runtime, validTo } = options;
  const socket = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
  const curl = [
    "curl",
    ...(socket === undefined ? tlsOptions(config) : ["--unix-socket", quote(socket)]),
  ].join(" ");
  const command = config.runtime === "embedded" ? "up" : "serve";
  const tokenFile = config.tokenFile ?? "TOKEN_FILE";
  const base = socket === undefined ? callableAddress(address, config) : "http://localhost";
  const auth = `-H "Authorization: Bearer $(cat ${quote(tokenFile)})"`;
  const tried = requestsFor(command, config);
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
    ...tried.map(({ words }) => `  ${crestOf(options)} ${words}`),
    "",
    "The same with curl:",
    ...tried.map(({ request }) => `  ${curl} ${auth} ${request(base)}`),
  ];
  if (command === "up") lines.push("", "Ctrl-C stops it and removes its pods; its images stay.");
  return `${lines.join("\n")}\n`;
}

/** Commands on this machine find the gateway by its data folder. */
function crestOf({ config, program = "crest", usualDataDir = config.dataDir }: BannerOptions): string {
  return config.dataDir === usualDataDir ? program : `CREST_DATA_DIR=${quote(config.dataDir)} ${program}`;
}

interface Attempt {
  readonly needs: readonly Grant[];
  readonly only?: "up";
  /** A command of `crest`. */
  readonly words: string;
  /** The same as the end of a curl command, after the token. */
  readonly request: (base: string) => string;
}

const attempts: readonly Attempt[] = [
  { needs: ["read:runtime"], words: "version", request: (base) => `${base}/v1/version` },
  { needs: ["read:images"], words: "images", request: (base) => `${base}/v1/images` },
  {
    needs: ["run", "pull"],
    only: "up",
    words: "run -d --name=web busybox:latest -- sleep 3600",
    request: (base) =>
      `--json '{"name": "web", "image": "busybox:latest", "command": ["sleep", "3600"]}' ${base}/v1/run`,
  },
  { needs: ["read:pods"], words: "pods", request: (base) => `${base}/v1/pods` },
  { needs: ["read:containers"], words: "ps -a", request: (base) => `${base}/v1/containers` },
  {
    needs: ["read:stats"],
    words: "stats --no-stream",
    request: (base) => `${base}/v1/stats/containers`,
  },
];

const whoami: Attempt = { needs: [], words: "whoami", request: (base) => `${base}/v1/grants` };

/** More would push the lines above off the screen. */
const maxRequests = 3;

/** What the grants permit. If that is nothing, the request that lists the grants. */
function requestsFor(command: "up" | "serve", { grants }: Config): readonly Attempt[] {
  const caller = { name: "", grants };
  const granted = attempts.filter(
    ({ needs, only = command }) => only === command && needs.every((grant) => canUse(grant, caller)),
  );
  return granted.length > 0 ? granted.slice(0, maxRequests) : [whoami];
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
