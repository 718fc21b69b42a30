/** The options of a gateway, as programs write them. schema.ts holds them to its own types, value by value. */
import type { GrantWord, NarrowingOf } from "../grants.ts";

/**
 * Where a gateway listens. `host` is an IP address, IPv6 without brackets, or `localhost`; port 0 takes a free one.
 * `path` is that of a Unix socket. `fd` is a socket that listens already, inherited from whoever started the process.
 */
export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  | { readonly fd: number };

/** Files of certificates (PEM). They are read again when they change; a renewed certificate is used at once. */
export interface TlsOptions {
  /** The gateway's certificate, followed by those between it and its authority. */
  readonly certFile: string;
  /** The private key of `certFile`, not encrypted. */
  readonly keyFile: string;
  /** The certificate authority of clients: each must show a certificate of it, besides the token. */
  readonly clientCaFile?: string | undefined;
}

/**
 * word -> what it is granted for: all of it (`true`), some kinds of thing, or some registries. `false` is as absent.
 *
 * `{ read: ["pods", "images"], exec: true, pull: ["docker.io/library"] }`
 */
export type GrantRules = { readonly [W in GrantWord]?: boolean | NarrowingOf<W> | undefined };

/** What callers may do. Without `all` and `allow` they may do nothing. */
export interface GrantOptions {
  /** Everything that is not denied. Whoever has the token is then root on this node. Default: false. */
  readonly all?: boolean | undefined;
  /** Only what is named. Default: nothing. */
  readonly allow?: GrantRules | undefined;
  /** Never what is named, whatever is allowed. Default: nothing. */
  readonly deny?: GrantRules | undefined;
}

/** The options that are data. Paths may be relative to the working directory. Times are in milliseconds. */
export interface GatewaySettings {
  /**
   * Which container runtime: the `existing` one at `runtimeEndpoint`, or an `embedded` containerd, which the gateway
   * starts and stops. The embedded one needs root and Linux; `install` can install the programs that it needs.
   * Default: `"existing"`.
   */
  readonly runtime?: "existing" | "embedded" | undefined;
  /**
   * The Unix socket of the runtime: `unix:///run/containerd/containerd.sock`, or the path alone. Not with the embedded
   * runtime. It need not exist yet: requests are 503 until the runtime answers. Default: the first socket that answers
   * of those of containerd, CRI-O, cri-dockerd, k3s and microk8s; `listen()` rejects if none does.
   */
  readonly runtimeEndpoint?: string | undefined;
  /** The Unix socket of the image service, where it has another. Not with the embedded runtime. Default: the runtime's. */
  readonly imageEndpoint?: string | undefined;
  /**
   * Where to listen: `"127.0.0.1:8585"`, `"[::1]:0"`, `"unix:/run/crest.sock"`, or a `ListenAddress`. An address that is
   * not loopback needs `tls`. A Unix socket is made with mode 600. Default: `"127.0.0.1:8585"`.
   */
  readonly listen?: string | ListenAddress | undefined;
  /**
   * The bearer token that callers must send: at least 16 printable characters, without spaces. Not together with
   * `tokenFile`. Default: the one in `tokenFile`.
   */
  readonly token?: string | undefined;
  /**
   * The file with the token. It is made when it is absent, readable to its owner only; a start is refused when others
   * may read or change it. Default: `token` in `dataDir`.
   */
  readonly tokenFile?: string | undefined;
  /** Speaks HTTPS with these certificates. Default: HTTP. */
  readonly tls?: TlsOptions | undefined;
  /**
   * The folder for the token, logs and the embedded runtime; one gateway at a time uses it. It is made when it is
   * absent; nobody but root and this process's user may be able to write to it. Default: `/var/lib/crest` as root, else
   * `$XDG_STATE_HOME/crest` or `~/.local/state/crest`.
   */
  readonly dataDir?: string | undefined;
  /**
   * The one IP address on which the runtime may offer its streams of exec, attach and port-forward. Not with the
   * embedded runtime. Default: loopback.
   */
  readonly streamHost?: string | undefined;
  /** The certificate authority (PEM) of those streams, where they use TLS. Not with the embedded runtime. Default: none. */
  readonly streamCaFile?: string | undefined;
  /**
   * Names that a request's `Host` may have, without a port. Needed where `listen` is every address. Default: none.
   * `localhost`, `127.0.0.1`, `[::1]` and the address of `listen` are always accepted.
   */
  readonly acceptHost?: readonly string[] | undefined;
  /** WebSocket sessions that may be open at once, from 1. A port-forward counts once for each port. Default: 1000. */
  readonly maxSessions?: number | undefined;
  /** Ends a session in which nothing is sent for so many milliseconds, at most 24 h; 0: never. Default: 4 h. */
  readonly sessionIdleMs?: number | undefined;
  /** Ends a session after so many milliseconds, at most 24 h; 0: never. Default: 0. */
  readonly sessionMaxMs?: number | undefined;
  /**
   * Milliseconds that a command run with `POST .../exec` may take, at most 24 h; 0: no limit. The timeout of a request
   * that gives none, and the longest that one may give. Default: 1 h.
   */
  readonly execMaxMs?: number | undefined;
  /**
   * Milliseconds to wait for a command's exit status after its output has ended, when over 64 KiB went to its stdin:
   * containerd does not always send it then. At most 24 h; 0: no limit. Default: 30 s.
   */
  readonly statusGraceMs?: number | undefined;
  /**
   * Bytes of memory for answers that wait for their readers, at least 16 MiB. A request that finds no room is 503
   * `overloaded`. Half as much more is for the output of sessions. Default: 256 MiB.
   */
  readonly maxBufferBytes?: number | undefined;
  /** Milliseconds that answers under way may take after `close()`, at most 24 h; 0: they end at once. Default: 10 s. */
  readonly drainMs?: number | undefined;
  /** Installs the Debian packages that the embedded runtime needs, if they are missing. Default: false. */
  readonly install?: boolean | undefined;
  /** What callers may do. Default: nothing. */
  readonly grants?: GrantOptions | undefined;
}
