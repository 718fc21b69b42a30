/** The options of a gateway, as used by programs. schema.ts checks its own types against these, value by value. */
import type { GrantWord, NarrowingOf } from "../grants.ts";

/**
 * Where a gateway listens. `host` is an IP address, IPv6 without brackets, or `localhost`; port 0 picks a free port.
 * `path` is the path of a Unix socket. `fd` is a listening socket inherited from the parent process.
 */
export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  | { readonly fd: number };

/** Certificate files (PEM). The gateway reloads them when they change and uses a renewed certificate at once. */
export interface TlsOptions {
  /** The gateway's certificate, followed by any intermediate certificates. */
  readonly certFile: string;
  /** The private key of `certFile`, not encrypted. */
  readonly keyFile: string;
  /** The certificate authority for clients. Each client must present a certificate it signed, besides the token. */
  readonly clientCaFile?: string | undefined;
}

/** Accepts JSON Web Tokens of one issuer. `issuer`, `audience` and `jwks` are needed. */
export interface JwtOptions {
  /** The `iss` of its tokens. */
  readonly issuer?: string | undefined;
  /** What their `aud` must be, or contain. */
  readonly audience?: string | undefined;
  /** Its public keys (JWKS): the path of a file, or an https URL; http only on loopback. */
  readonly jwks?: string | undefined;
  /** The accepted signatures. Default: RS256, ES256 and EdDSA. */
  readonly algorithms?: readonly JwtAlgorithm[] | undefined;
  /** The claim with the caller's grants: an object like `GrantOptions`, or a list of flags. Default: `"crest"`. */
  readonly grantsClaim?: string | undefined;
}

export type JwtAlgorithm =
  | "RS256"
  | "RS384"
  | "RS512"
  | "PS256"
  | "PS384"
  | "PS512"
  | "ES256"
  | "ES384"
  | "ES512"
  | "EdDSA";

/**
 * Maps each word to what it grants: everything (`true`), some kinds of object, or some registries. `false` is the same
 * as absent.
 *
 * `{ read: ["pods", "images"], exec: true, pull: ["docker.io/library"] }`
 */
export type GrantRules = { readonly [W in GrantWord]?: boolean | NarrowingOf<W> | undefined };

/** What callers may do. Without `all` and `allow` they may do nothing. */
export interface GrantOptions {
  /** Grants everything that is not denied. Anyone with the token is then root on this node. Default: false. */
  readonly all?: boolean | undefined;
  /** Grants only what is named. Default: nothing. */
  readonly allow?: GrantRules | undefined;
  /** Denies what is named, even if it is allowed. Default: nothing. */
  readonly deny?: GrantRules | undefined;
}

/** The most that one caller may use. An absent limit has the default, which depends on whether there are several callers. */
export interface CallerLimits {
  /** Requests a second, with bursts of twice as many. Default: none with one caller, else 1000. */
  readonly requestsPerSecond?: number | undefined;
  /** Open connections. Default: none with one caller, else half of those that the open files allow. */
  readonly connections?: number | undefined;
  /** Open sessions: exec, attach and each port of a port-forward. Default: none with one caller, else a quarter of `maxSessions`. */
  readonly sessions?: number | undefined;
  /** Open streams: logs, events, stats, waits, the progress of pulls. Default: as for `sessions`. */
  readonly streams?: number | undefined;
  /** Pulls in progress that it has begun. Default: none with one caller, else 128. */
  readonly pulls?: number | undefined;
  /** Bytes of request bodies that have come and are not answered yet. Default: none with one caller, else 64 MiB. */
  readonly bodyBytes?: number | undefined;
}

/** The most that one address may use without a valid token. An IPv6 network of 64 bits counts as one address. */
export interface AnonymousLimits {
  /** Connections over which no valid token has come. Beyond it, the oldest is closed. Default: 4096. */
  readonly connections?: number | undefined;
  /** Requests a second without a valid token, with bursts of ten times as many. Default: 100. */
  readonly requestsPerSecond?: number | undefined;
}

/** The options that are plain data. Relative paths start in the working directory. Times are in milliseconds. */
export interface GatewaySettings {
  /**
   * The container runtime: the `existing` one at `runtimeEndpoint`, or an `embedded` containerd that the gateway starts
   * and stops. The embedded one needs root and Linux; `install` can install the programs it needs. Default:
   * `"existing"`.
   */
  readonly runtime?: "existing" | "embedded" | undefined;
  /**
   * The Unix socket of the runtime: `unix:///run/containerd/containerd.sock`, or the path alone. Not with the embedded
   * runtime. It need not exist yet: requests get 503 until the runtime answers. Default: the first that answers among
   * the sockets of containerd, CRI-O, cri-dockerd, k3s and microk8s; `listen()` rejects if none does.
   */
  readonly runtimeEndpoint?: string | undefined;
  /**
   * The Unix socket of the image service, if separate. Not with the embedded runtime. Default: the runtime's socket.
   */
  readonly imageEndpoint?: string | undefined;
  /**
   * Where to listen: `"127.0.0.1:8585"`, `"[::1]:0"`, `"unix:/run/crest.sock"`, or a `ListenAddress`. An address other
   * than loopback needs `tls`. A Unix socket is created with mode 600. Default: `"127.0.0.1:8585"`.
   */
  readonly listen?: string | ListenAddress | undefined;
  /**
   * Where to serve `/metrics` and `/metrics/cadvisor` without a token: a loopback address or a Unix socket. With the
   * token they are at `listen`, too. Default: nowhere.
   */
  readonly metricsListen?: string | ListenAddress | undefined;
  /**
   * The bearer token that callers must send: at least 16 printable characters, without spaces. Not together with
   * `tokenFile`. Default: the token in `tokenFile`.
   */
  readonly token?: string | undefined;
  /**
   * The file with the token. Created if absent, readable only by its owner. The gateway refuses to start if others can
   * read or change it. Default: `token` in `dataDir`.
   */
  readonly tokenFile?: string | undefined;
  /**
   * A file of further tokens, each with grants of its own, and of callers known by their certificates. `crest token
   * create` and `POST /v1/tokens` write it. Reread when it changes. Default: `tokens.json` in `dataDir`.
   */
  readonly tokensFile?: string | undefined;
  /** Accepts JSON Web Tokens besides the other tokens. Default: none. */
  readonly jwt?: JwtOptions | undefined;
  /** Serves HTTPS with these certificates. Default: HTTP. */
  readonly tls?: TlsOptions | undefined;
  /**
   * The folder for the token, logs and the embedded runtime. Only one gateway at a time can use it. Created if absent;
   * only root and this process's user may have write access. Default: `/var/lib/crest` as root, otherwise
   * `$XDG_STATE_HOME/crest` or `~/.local/state/crest`.
   */
  readonly dataDir?: string | undefined;
  /**
   * The one IP address on which the runtime may serve its exec, attach and port-forward streams. Not with the embedded
   * runtime. Default: loopback.
   */
  readonly streamHost?: string | undefined;
  /**
   * The certificate authority (PEM) for those streams, if they use TLS. Not with the embedded runtime. Default: none.
   */
  readonly streamCaFile?: string | undefined;
  /**
   * Names accepted in a request's `Host` header, without a port. Required if `listen` is a wildcard address.
   * `localhost`, `127.0.0.1`, `[::1]` and the address of `listen` are always accepted. Default: none.
   */
  readonly acceptHost?: readonly string[] | undefined;
  /**
   * Origins of pages that may use the gateway besides its own, exactly as browsers write them: `https://app.example`.
   * Neither `*` nor `null`. Default: none.
   */
  readonly allowOrigin?: readonly string[] | undefined;
  /** Maximum number of open WebSocket sessions, at least 1. A port-forward counts once per port. Default: 1000. */
  readonly maxSessions?: number | undefined;
  /** Ends a session after this many milliseconds without traffic, at most 24 h; 0: never. Default: 4 h. */
  readonly sessionIdleMs?: number | undefined;
  /** Ends a session after this many milliseconds, at most 24 h; 0: never. Default: 0. */
  readonly sessionMaxMs?: number | undefined;
  readonly sessionLingerMs?: number | undefined;
  /**
   * Maximum run time in milliseconds of a command started with `POST .../exec`, at most 24 h; 0: no limit. It is both
   * the default and the maximum timeout of a request. Default: 1 h.
   */
  readonly execMaxMs?: number | undefined;
  /**
   * Milliseconds to wait for a command's exit status after its output ends, if more than 64 KiB went to its stdin:
   * containerd does not always send it then. At most 24 h; 0: no limit. Default: 30 s.
   */
  readonly statusGraceMs?: number | undefined;
  /**
   * What pods may ask for without a word of the grant `host`: `"baseline"`, `"restricted"`, or the path of a policy
   * file. Limits nobody who has all of `host`. Default: `"baseline"`.
   */
  readonly policy?: string | undefined;
  /**
   * Bytes of memory for responses that clients have not read yet, at least 16 MiB. A request that finds no room gets
   * 503 `overloaded`. Session output gets half as much in addition. Default: 256 MiB.
   */
  readonly maxBufferBytes?: number | undefined;
  /** The most that one caller may use. Default: everything with one caller, a part of it with several. */
  readonly callerLimits?: CallerLimits | undefined;
  /** The most that one address may use without a valid token. */
  readonly anonymousLimits?: AnonymousLimits | undefined;
  /**
   * The least important messages that `logger` receives: `"error"`, `"warn"`, `"info"` with one for each request, or
   * `"debug"` with health probes as well. Default: `"info"`.
   */
  readonly logLevel?: "error" | "warn" | "info" | "debug" | undefined;
  /**
   * The OpenTelemetry collector that receives traces as OTLP over HTTP: `"http://127.0.0.1:4318"`, without
   * `/v1/traces`. Needs `@opentelemetry/sdk-trace-base`, `@opentelemetry/exporter-trace-otlp-http` and
   * `@opentelemetry/resources`; `listen()` rejects without them. Not together with `tracerProvider`. Default: no traces.
   */
  readonly otlpEndpoint?: string | undefined;
  /**
   * Rotates the log of a running container once it has this many bytes, if Crest made its pod and the log is below
   * `logs` in `dataDir`; 0: never. Default: 10 MiB.
   */
  readonly logMaxSizeBytes?: number | undefined;
  /** Number of log files of a container, including the current one; at least 2. Default: 5. */
  readonly logMaxFiles?: number | undefined;
  /** Milliseconds for which logs of removed containers are kept; 0: forever. Default: 24 h. */
  readonly logKeepMs?: number | undefined;
  /**
   * Bytes of disk space for logs of removed containers. Those of the containers removed first are deleted first; 0: no
   * limit. Default: 1 GiB.
   */
  readonly logTotalBytes?: number | undefined;
  /**
   * The file of the audit log: who did what, as events of `audit.k8s.io/v1`, one on each line. A request whose line
   * cannot be written is refused. Created if absent; only root and this process's user may have write access. Default:
   * no file.
   */
  readonly auditFile?: string | undefined;
  /**
   * What the audit log records: `"changes"`, with commands, port-forwards, logs and every refusal, or `"all"` requests.
   * Default: `"changes"`.
   */
  readonly auditLevel?: "changes" | "all" | undefined;
  /** Rotates `auditFile` before it has more than this many bytes; 0: never. Default: 100 MiB. */
  readonly auditMaxSizeBytes?: number | undefined;
  /** Number of audit files, including the current one; at least 2. Default: 10. */
  readonly auditMaxFiles?: number | undefined;
  /**
   * The server that receives the events, several at a time as an `EventList`: `https`, or `http` on a loopback address.
   * Requests do not wait for it. Default: none.
   */
  readonly auditWebhook?: string | undefined;
  /** The file with the bearer token for `auditWebhook`, readable only by its owner. Default: no token. */
  readonly auditWebhookTokenFile?: string | undefined;
  /** Milliseconds that pending responses may take after `close()`, at most 24 h; 0: they end at once. Default: 10 s. */
  readonly drainMs?: number | undefined;
  /** Installs missing Debian packages that the embedded runtime needs. Default: false. */
  readonly install?: boolean | undefined;
  /** What callers may do. Default: nothing. */
  readonly grants?: GrantOptions | undefined;
}
