/**
 * The schema of the configuration: every setting, once.
 *
 * Flags (`--runtime-endpoint`), variables (`CREST_RUNTIME_ENDPOINT`), help texts, `.env.example`
 * and the type of the configuration derive from it. No variable may have a name that Kubernetes
 * injects (`CREST_SERVICE_*`, `CREST_PORT`, `CREST_PORT_*`).
 */
import type { Static, TProperties, TSchema } from "@sinclair/typebox";
import { type GrantWord, grantWordNames, grantWords } from "../grants.ts";
import { type Annotations, Type } from "./setting.ts";

/**
 * Where the gateway listens. An IPv6 host stands without brackets; port 0 takes a free one. `fd` is a
 * socket that listens already, inherited from whoever started the process.
 */
export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  | { readonly fd: number };

/** The settings other than grants, in the order of the help text. */
const plain = {
  runtimeEndpoint: Type.Optional(
    Type.String({
      group: "where",
      command: "serve",
      format: "unix-socket",
      placeholder: "SOCKET",
      description: "The Unix socket of the container runtime.",
      defaultText: "found, containerd's first, then CRI-O's, cri-dockerd's, k3s' and microk8s'",
      example: "unix:///run/containerd/containerd.sock",
    }),
  ),
  imageEndpoint: Type.Optional(
    Type.String({
      group: "where",
      command: "serve",
      format: "unix-socket",
      placeholder: "SOCKET",
      description: "The Unix socket of the image service, where it is another one.",
      defaultText: "the runtime's",
      example: "unix:///run/containerd/containerd.sock",
    }),
  ),
  listen: Type.Unsafe<ListenAddress>({
    group: "where",
    type: "string",
    format: "listen-address",
    placeholder: "ADDRESS",
    description:
      "Where to listen: an address with a port (0 takes a free one), unix:/path, or fd:3 for a socket that systemd listens on. An address that is not loopback needs --tls-cert.",
    default: "127.0.0.1:8585",
  }),
  tlsCert: Type.Optional(
    Type.String({
      group: "where",
      format: "path",
      placeholder: "FILE",
      description:
        "The gateway's certificate (PEM), the ones between it and its authority behind it. Read again when it changes.",
      defaultText: "none, and no TLS",
      example: "/etc/crest/tls.crt",
    }),
  ),
  tlsKey: Type.Optional(
    Type.String({
      group: "where",
      format: "path",
      placeholder: "FILE",
      description: "The private key (PEM, not encrypted) of --tls-cert. Read again when it changes.",
      defaultText: "none",
      example: "/etc/crest/tls.key",
    }),
  ),
  dataDir: Type.Optional(
    Type.String({
      group: "where",
      format: "path",
      placeholder: "DIR",
      description:
        "The folder for the token, logs and, with crest up, the private containerd. Nobody but root and Crest's own user may write to it.",
      defaultText: "/var/lib/crest as root, else $XDG_STATE_HOME/crest or ~/.local/state/crest",
      example: "/var/lib/crest",
    }),
  ),
  streamHost: Type.Optional(
    Type.String({
      group: "where",
      command: "serve",
      format: "ip-address",
      placeholder: "IP",
      description: "The one address on which the runtime may offer its streams (exec, attach, port-forward).",
      defaultText: "loopback",
      example: "127.0.0.1",
    }),
  ),
  streamCa: Type.Optional(
    Type.String({
      group: "where",
      command: "serve",
      format: "path",
      placeholder: "FILE",
      description: "The certificate authority (PEM) of the runtime's streams, where they use TLS.",
      defaultText: "none",
      example: "/etc/crest/stream-ca.pem",
    }),
  ),
  tokenFile: Type.Optional(
    Type.String({
      group: "who",
      format: "path",
      placeholder: "FILE",
      description:
        "One token in clear, which callers send as a bearer token. Made when absent, readable to its owner only.",
      defaultText: "DATA_DIR/token",
      example: "/var/lib/crest/token",
    }),
  ),
  tlsClientCa: Type.Optional(
    Type.String({
      group: "who",
      format: "path",
      placeholder: "FILE",
      description:
        "The certificate authority (PEM) of clients: they must show a certificate of it, besides the token. Read again when it changes.",
      defaultText: "none, the token alone is asked for",
      example: "/etc/crest/clients.crt",
    }),
  ),
  acceptHost: Type.Array(Type.String({ format: "host-name" }), {
    group: "who",
    placeholder: "NAME,...",
    description:
      "The names that a request's Host header may have, besides the default and the address of --listen. Needed where --listen is every address.",
    default: ["localhost", "127.0.0.1", "[::1]"],
  }),
  maxSessions: Type.Unsafe<number>({
    group: "sessions",
    type: "string",
    format: "count",
    placeholder: "COUNT",
    description:
      "WebSocket sessions that may be open at once. A port-forward counts once for each of its ports.",
    default: "1000",
  }),
  sessionIdle: Type.Unsafe<number>({
    group: "sessions",
    type: "string",
    format: "duration",
    placeholder: "DURATION",
    description:
      "Ends a session in which nothing is sent for so long; 0 never. A client whose network is gone is found out within 30 s by its missing answers; one with output left to read by TCP, on Linux in about 15 minutes.",
    default: "4h",
  }),
  sessionMax: Type.Unsafe<number>({
    group: "sessions",
    type: "string",
    format: "duration",
    placeholder: "DURATION",
    description: "Ends a session after so long, however busy it is; 0 never.",
    default: "0",
  }),
  execMax: Type.Unsafe<number>({
    group: "sessions",
    type: "string",
    format: "duration",
    placeholder: "DURATION",
    description:
      "How long a command may take that is run with POST, in whole seconds; 0 as long as it likes. It is the timeout of a request that gives none, and the longest that one may give. Sessions have limits of their own.",
    default: "1h",
  }),
  statusGrace: Type.Unsafe<number>({
    group: "sessions",
    type: "string",
    format: "duration",
    placeholder: "DURATION",
    description:
      "How long to wait for a command's exit status once its output has ended, when over 64 KiB went to its stdin: containerd never sends it when much of that was left unread. 0 waits for ever.",
    default: "30s",
  }),
  maxBuffer: Type.Unsafe<number>({
    group: "limits",
    type: "string",
    format: "size",
    placeholder: "SIZE",
    description:
      "Memory for answers that wait for their readers; each caller may have half. A request that finds no room is 503 overloaded. Half as much more is for the output of sessions. The process may need 300 MiB besides, and more while many commands write much at once.",
    default: "256MiB",
  }),
  drain: Type.Unsafe<number>({
    group: "start",
    type: "string",
    format: "duration",
    placeholder: "DURATION",
    description: "How long answers under way may take when the gateway is told to stop; 0 ends them at once.",
    default: "10s",
  }),
  install: Type.Boolean({
    group: "start",
    command: "up",
    description: "Install the Debian packages that are missing.",
    default: false,
  }),
  config: Type.Optional(
    Type.String({
      group: "start",
      format: "path",
      placeholder: "FILE",
      description:
        "A file of variables in the format of .env.example. The environment beats it, flags beat both.",
      defaultText: "none",
      example: "/etc/crest.env",
    }),
  ),
};

/** The setting that grants or denies one word: `--allow-exec`, `--deny-exec`. */
function grantSetting(verb: "allow" | "deny", name: GrantWord): TSchema {
  const word = grantWords[name];
  const described = (values: string): Annotations =>
    verb === "allow"
      ? { group: "grants", description: `${word.summary}.${values}`, default: false }
      : { group: "denials", description: "", default: false };
  if (word.takes === "kinds") {
    const kinds = Type.Array(Type.String({ enum: word.kinds }), {});
    return Type.Union([Type.Boolean({}), kinds], {
      ...described(` KINDS: some of ${word.kinds.join(",")}.`),
      placeholder: "KINDS",
    });
  }
  if (word.takes === "prefixes") {
    const prefixes = Type.Array(Type.String({ format: "image-prefix" }), {});
    return Type.Union([Type.Boolean({}), prefixes], {
      ...described(" PREFIXES: registries, or such with a path: ghcr.io,docker.io/library."),
      placeholder: "PREFIXES",
    });
  }
  return Type.Boolean(word.takes === "scope" ? { ...described(""), scope: true } : described(""));
}

/** The key of a grant word's setting: `allowImageRemove`. */
export function grantKey(verb: "allow" | "deny", name: GrantWord): string {
  return `${verb}-${name}`.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

const grantSettings: TProperties = {
  allowAll: Type.Boolean({
    group: "grants",
    short: "A",
    description: "Everything that is not denied. Whoever has the token is root on this node.",
    default: false,
  }),
};
for (const verb of ["allow", "deny"] as const) {
  for (const name of grantWordNames) grantSettings[grantKey(verb, name)] = grantSetting(verb, name);
}

export const schema = Type.Object({ ...plain, ...grantSettings });

type Frozen<T> = { readonly [K in keyof T]: T[K] extends (infer I)[] ? readonly I[] : T[K] };

/** The settings other than grants, as their readers give them. */
export type PlainSettings = Frozen<Static<ReturnType<typeof Type.Object<typeof plain>>>>;

/** How a value of a setting is written: one text, true or false, several texts, or one of the last two. */
export type Form = "text" | "switch" | "list" | "switch-or-list";

/** One setting under all its names. */
export interface Setting extends Annotations {
  /** In the schema: `acceptHost`. */
  readonly key: string;
  /** With its dashes: `--accept-host`. */
  readonly flag: string;
  /** `CREST_ACCEPT_HOST` */
  readonly variable: string;
  readonly form: Form;
  /** What each text of the value must be. */
  readonly text: Pick<Annotations, "format" | "enum">;
}

/** A schema as far as it is looked at here. */
interface Shape extends Annotations {
  readonly type?: string;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
}

const forms: { readonly [type: string]: Form } = { string: "text", boolean: "switch", array: "list" };

/** Every setting of the schema, in its order. */
export const settings: readonly Setting[] = Object.entries(schema.properties).map(([key, property]) => {
  const shape = property as unknown as Shape;
  const words = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return {
    ...shape,
    key,
    flag: `--${words}`,
    variable: `CREST_${words.replaceAll("-", "_").toUpperCase()}`,
    form: forms[shape.type ?? ""] ?? "switch-or-list",
    text: shape.items ?? shape.anyOf?.[1]?.items ?? shape,
  };
});
