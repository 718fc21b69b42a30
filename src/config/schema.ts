/**
 * The schema of the options. Each setting of a gateway is defined here once.
 *
 * Options of a program (`createGateway`), flags (`--runtime-endpoint`), variables (`CREST_RUNTIME_ENDPOINT`), help
 * texts, `.env.example` and the type of the configuration derive from it. No variable may have a name that Kubernetes
 * injects (`CREST_SERVICE_*`, `CREST_PORT`, `CREST_PORT_*`).
 *
 * Import types only: loading TypeBox adds about 60 ms and 10 MB to every start. `npm run generate` compiles the schema
 * to gen/settings.ts, which does not need TypeBox.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { type GrantWord, grantWordNames, grantWords, type NarrowingOf, policyLevels } from "../grants.ts";
import type { Annotations, TextAnnotations } from "./annotations.ts";
import { maxAgeMs, maxCount, maxDurationMs, minSizeBytes } from "./quantities.ts";

/** Lets the compiler check the annotations: TypeBox itself accepts any member. */
const flag = (annotations: Annotations): Annotations => annotations;
const text = (annotations: TextAnnotations): TextAnnotations => annotations;

/** Rejects unknown members, so that a misspelt option is an error. */
const closed = { additionalProperties: false } as const;

const address = (annotations: Annotations) =>
  Type.Union(
    [
      Type.String(text({ reader: "listen-address" })),
      Type.Object({ host: Type.String(), port: Type.Integer({ minimum: 0, maximum: 65_535 }) }, closed),
      Type.Object({ path: Type.String() }, closed),
      Type.Object({ fd: Type.Integer({ minimum: 3, maximum: 9999 }) }, closed),
    ],
    {
      expected:
        "an address such as 127.0.0.1:8585, unix:/path or fd:3, or { host, port }, { path } or { fd }",
      ...annotations,
      reader: "listen-address",
      placeholder: "ADDRESS",
    },
  );

const listenAddress = address({
  group: "where",
  description:
    "Where to listen: an address with a port (0 takes a free one), unix:/path, or fd:3 for a socket that systemd listens on. An address that is not loopback needs --tls-cert.",
  default: "127.0.0.1:8585",
});

/** A duration in milliseconds; 0 means no limit. */
const duration = (annotations: Annotations & { readonly default: number }) =>
  Type.Integer({
    ...annotations,
    reader: "duration",
    placeholder: "DURATION",
    minimum: 0,
    maximum: maxDurationMs,
  });

/** A number of things, at least 1. */
const count = (annotations: Annotations) =>
  Type.Integer({ ...annotations, reader: "count", placeholder: "COUNT", minimum: 1, maximum: maxCount });

/** The default of a limit of one caller. */
const shared = (part: string): string => `no limit with one caller, else ${part}`;

/**
 * What a JSON Web Token may be signed with. Only with a key pair: with a shared secret (HS256), an issuer's public key
 * could be passed off as the secret.
 */
const jwtAlgorithms = [
  ...(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const),
  ...(["ES256", "ES384", "ES512", "EdDSA"] as const),
] as const;

/** The options other than grants, in the order of the help text. */
const plain = {
  runtime: Type.Optional(Type.Union([Type.Literal("existing"), Type.Literal("embedded")])),
  runtimeEndpoint: Type.Optional(
    Type.String(
      flag({
        group: "where",
        command: "serve",
        reader: "unix-socket",
        placeholder: "SOCKET",
        description: "The Unix socket of the container runtime.",
        defaultText: "found, containerd's first, then CRI-O's, cri-dockerd's, k3s' and microk8s'",
        example: "unix:///run/containerd/containerd.sock",
      }),
    ),
  ),
  imageEndpoint: Type.Optional(
    Type.String(
      flag({
        group: "where",
        command: "serve",
        reader: "unix-socket",
        placeholder: "SOCKET",
        description: "The Unix socket of the image service, where it is another one.",
        defaultText: "the runtime's",
        example: "unix:///run/containerd/containerd.sock",
      }),
    ),
  ),
  listen: Type.Optional(listenAddress),
  metricsListen: Type.Optional(
    address({
      group: "where",
      description:
        "Where to serve /metrics and /metrics/cadvisor without a token, for a Prometheus on this machine: a loopback address or unix:/path. They are at --listen too, with the token, for callers that may read stats.",
      defaultText: "nowhere",
      example: "127.0.0.1:9585",
    }),
  ),
  token: Type.Optional(
    Type.String({
      pattern: "^[\\x21-\\x7e]{16,}$",
      writeOnly: true,
      expected: "one token of at least 16 printable characters, without spaces",
    }),
  ),
  tokenFile: Type.Optional(
    Type.String(
      flag({
        group: "who",
        reader: "path",
        placeholder: "FILE",
        description:
          "One token in clear, which callers send as a bearer token. Made when absent, readable to its owner only.",
        defaultText: "DATA_DIR/token",
        example: "/var/lib/crest/token",
      }),
    ),
  ),
  tokensFile: Type.Optional(
    Type.String(
      flag({
        group: "who",
        reader: "path",
        placeholder: "FILE",
        description:
          "Further tokens, each with a name, grants of its own and an expiry, and callers known by their certificates: see docs/callers.md. crest token create writes it. Read again when it changes.",
        defaultText: "DATA_DIR/tokens.json",
        example: "/var/lib/crest/tokens.json",
      }),
    ),
  ),
  jwt: Type.Optional(
    Type.Object(
      {
        issuer: Type.Optional(
          Type.String(
            flag({
              group: "who",
              placeholder: "URL",
              description:
                "Accepts JSON Web Tokens of this issuer, besides the other tokens: exactly their iss. Needs the next two as well.",
              defaultText: "none",
              example: "https://login.example",
            }),
          ),
        ),
        audience: Type.Optional(
          Type.String(
            flag({
              group: "who",
              placeholder: "NAME",
              description: "What the aud of a JSON Web Token must be, or contain.",
              defaultText: "none",
              example: "crest",
            }),
          ),
        ),
        jwks: Type.Optional(
          Type.String(
            flag({
              group: "who",
              reader: "key-set",
              placeholder: "FILE|URL",
              description:
                "The issuer's public keys (JWKS): a file, or an https URL; http only on loopback. Read again when they change, or when a token has a new key.",
              defaultText: "none",
              example: "https://login.example/keys",
            }),
          ),
        ),
        algorithms: Type.Optional(
          Type.Array(Type.Union(jwtAlgorithms.map((name) => Type.Literal(name))), {
            ...flag({
              group: "who",
              placeholder: "NAME,...",
              description: `The signatures that a JSON Web Token may have: some of ${jwtAlgorithms.join(",")}.`,
              default: ["RS256", "ES256", "EdDSA"],
            }),
            minItems: 1,
          }),
        ),
        grantsClaim: Type.Optional(
          Type.String(
            flag({
              group: "who",
              placeholder: "NAME",
              description:
                "The claim of a JSON Web Token with its grants: an object as in the tokens file, or a list of flags.",
              default: "crest",
            }),
          ),
        ),
      },
      closed,
    ),
  ),
  tls: Type.Optional(
    Type.Object(
      {
        certFile: Type.String(
          flag({
            group: "where",
            flag: "tls-cert",
            reader: "path",
            placeholder: "FILE",
            description:
              "The gateway's certificate (PEM), the ones between it and its authority behind it. Read again when it changes.",
            defaultText: "none, and no TLS",
            example: "/etc/crest/tls.crt",
          }),
        ),
        keyFile: Type.String(
          flag({
            group: "where",
            flag: "tls-key",
            reader: "path",
            placeholder: "FILE",
            description: "The private key (PEM, not encrypted) of --tls-cert. Read again when it changes.",
            defaultText: "none",
            example: "/etc/crest/tls.key",
          }),
        ),
        clientCaFile: Type.Optional(
          Type.String(
            flag({
              group: "who",
              flag: "tls-client-ca",
              reader: "path",
              placeholder: "FILE",
              description:
                "The certificate authority (PEM) of clients: they must show a certificate of it, besides the token. Read again when it changes.",
              defaultText: "none, the token alone is asked for",
              example: "/etc/crest/clients.crt",
            }),
          ),
        ),
      },
      closed,
    ),
  ),
  dataDir: Type.Optional(
    Type.String(
      flag({
        group: "where",
        reader: "path",
        placeholder: "DIR",
        description:
          "The folder for the token, logs and, with crest up, the private containerd. Nobody but root and Crest's own user may write to it.",
        defaultText: "/var/lib/crest as root, else $XDG_STATE_HOME/crest or ~/.local/state/crest",
        example: "/var/lib/crest",
      }),
    ),
  ),
  streamHost: Type.Optional(
    Type.String(
      flag({
        group: "where",
        command: "serve",
        reader: "ip-address",
        placeholder: "IP",
        description:
          "The one address on which the runtime may offer its streams (exec, attach, port-forward).",
        defaultText: "loopback",
        example: "127.0.0.1",
      }),
    ),
  ),
  streamCaFile: Type.Optional(
    Type.String(
      flag({
        group: "where",
        flag: "stream-ca",
        command: "serve",
        reader: "path",
        placeholder: "FILE",
        description: "The certificate authority (PEM) of the runtime's streams, where they use TLS.",
        defaultText: "none",
        example: "/etc/crest/stream-ca.pem",
      }),
    ),
  ),
  acceptHost: Type.Optional(
    Type.Array(
      Type.String(text({ reader: "host-name" })),
      flag({
        group: "who",
        placeholder: "NAME,...",
        description:
          "The names that a request's Host header may have, besides the default and the address of --listen. Needed where --listen is every address.",
        default: ["localhost", "127.0.0.1", "[::1]"],
      }),
    ),
  ),
  allowOrigin: Type.Optional(
    Type.Array(
      Type.String(text({ reader: "origin" })),
      flag({
        group: "who",
        placeholder: "ORIGIN,...",
        description:
          "Pages that may use the gateway besides its own, by the origin that a browser names: https://app.example. They need a token like everyone else.",
        defaultText: "none",
        example: "https://app.example",
      }),
    ),
  ),
  maxSessions: Type.Optional(
    Type.Integer({
      ...flag({
        group: "sessions",
        reader: "count",
        placeholder: "COUNT",
        description:
          "WebSocket sessions that may be open at once. A port-forward counts once for each of its ports.",
        default: 1000,
      }),
      minimum: 1,
      maximum: maxCount,
    }),
  ),
  sessionIdleMs: Type.Optional(
    duration({
      group: "sessions",
      description:
        "Ends a session in which nothing is sent for so long; 0 never. A client whose network is gone is found out within 30 s by its missing answers; one with output left to read by TCP, on Linux in about 15 minutes.",
      default: 4 * 3_600_000,
    }),
  ),
  sessionMaxMs: Type.Optional(
    duration({
      group: "sessions",
      description: "Ends a session after so long, however busy it is; 0 never.",
      default: 0,
    }),
  ),
  sessionLingerMs: Type.Optional(
    duration({
      group: "sessions",
      description:
        "How long a session with session=keep waits for its client after the connection was lost. Then its command ends as that of any other session; 0 at once.",
      default: 60_000,
    }),
  ),
  execMaxMs: Type.Optional(
    duration({
      group: "sessions",
      description:
        "How long a command may take that is run with POST, in whole seconds; 0 as long as it likes. It is the timeout of a request that gives none, and the longest that one may give. Sessions have limits of their own.",
      default: 3_600_000,
    }),
  ),
  statusGraceMs: Type.Optional(
    duration({
      group: "sessions",
      description:
        "How long to wait for a command's exit status once its output has ended, when over 64 KiB went to its stdin: containerd never sends it when much of that was left unread. 0 waits for ever.",
      default: 30_000,
    }),
  ),
  policy: Type.Optional(
    Type.String(
      flag({
        group: "limits",
        reader: "policy",
        placeholder: "LEVEL|FILE",
        description:
          "What pods may ask for without a word of --allow-host: baseline; restricted, which also refuses root and needs a memory limit; or a JSON file with a level and host words. crest policy check explains what it decides.",
        default: "baseline",
      }),
    ),
  ),
  maxBufferBytes: Type.Optional(
    Type.Integer({
      ...flag({
        group: "limits",
        reader: "size",
        placeholder: "SIZE",
        description:
          "Memory for answers that wait for their readers; each caller may have half. A request that finds no room is 503 overloaded. Half as much more is for the output of sessions. The process may need 300 MiB besides, and more while many commands write much at once.",
        default: 256 * 2 ** 20,
      }),
      minimum: minSizeBytes,
    }),
  ),
  callerLimits: Type.Optional(
    Type.Object(
      {
        requestsPerSecond: Type.Optional(
          count({
            group: "limits",
            flag: "caller-requests",
            description:
              "Requests a second of one caller, with bursts of twice as many. What exceeds a limit of a caller is 429 with Retry-After.",
            defaultText: shared("1000"),
            example: "1000",
          }),
        ),
        connections: Type.Optional(
          count({
            group: "limits",
            flag: "caller-connections",
            description: "Open connections of one caller.",
            defaultText: shared("half of those that the open files allow"),
            example: "1000",
          }),
        ),
        sessions: Type.Optional(
          count({
            group: "limits",
            flag: "caller-sessions",
            description: "Sessions of one caller, among those of --max-sessions.",
            defaultText: shared("a quarter of --max-sessions"),
            example: "250",
          }),
        ),
        streams: Type.Optional(
          count({
            group: "limits",
            flag: "caller-streams",
            description:
              "Streams of one caller: logs, events, stats, waits and the progress of pulls. They take places of --max-sessions, too.",
            defaultText: shared("a quarter of --max-sessions"),
            example: "250",
          }),
        ),
        pulls: Type.Optional(
          count({
            group: "limits",
            flag: "caller-pulls",
            description: "Pulls in progress that one caller has begun. At most 256 run in all.",
            defaultText: shared("128"),
            example: "128",
          }),
        ),
        bodyBytes: Type.Optional(
          Type.Integer({
            ...flag({
              group: "limits",
              flag: "caller-bodies",
              reader: "size",
              placeholder: "SIZE",
              description: "Request bodies of one caller that are not answered yet.",
              defaultText: shared("64MiB"),
              example: "64MiB",
            }),
            minimum: minSizeBytes,
          }),
        ),
      },
      closed,
    ),
  ),
  anonymousLimits: Type.Optional(
    Type.Object(
      {
        connections: Type.Optional(
          count({
            group: "limits",
            flag: "anonymous-connections",
            description:
              "Connections of one address, for IPv6 of one /64, over which no valid token has come. Beyond it, the oldest is closed.",
            default: 4096,
          }),
        ),
        requestsPerSecond: Type.Optional(
          count({
            group: "limits",
            flag: "anonymous-requests",
            description:
              "Requests a second without a valid token of one address, for IPv6 of one /64, with bursts of ten times as many. It never applies to a valid token. More are 429 after a second.",
            default: 100,
          }),
        ),
      },
      closed,
    ),
  ),
  logLevel: Type.Optional(
    Type.Union(
      [Type.Literal("error"), Type.Literal("warn"), Type.Literal("info"), Type.Literal("debug")],
      flag({
        group: "log",
        placeholder: "LEVEL",
        description:
          "The least important entries to log: error, warn, info with a line for each request, or debug with health probes as well.",
        default: "info",
      }),
    ),
  ),
  otlpEndpoint: Type.Optional(
    Type.String(
      flag({
        group: "log",
        reader: "http-url",
        placeholder: "URL",
        description:
          "Where to send OpenTelemetry traces: the address of a collector that takes OTLP over HTTP, without /v1/traces. Needs packages that do not come with Crest; without them, the start says which.",
        defaultText: "OTEL_EXPORTER_OTLP_ENDPOINT, else no traces",
        example: "http://127.0.0.1:4318",
      }),
    ),
  ),
  logMaxSizeBytes: Type.Optional(
    Type.Integer({
      ...flag({
        group: "logs",
        reader: "log-size",
        placeholder: "SIZE",
        description:
          "Rotates the log of a running container once it is this large, in pods that Crest made and that log below DATA_DIR/logs; 0 never.",
        default: 10 * 2 ** 20,
      }),
      minimum: 0,
    }),
  ),
  logMaxFiles: Type.Optional(
    Type.Integer({
      ...flag({
        group: "logs",
        reader: "count",
        placeholder: "COUNT",
        description: "Log files of a container, the one being written included. Older ones are removed.",
        default: 5,
      }),
      minimum: 2,
      maximum: 1000,
    }),
  ),
  logKeepMs: Type.Optional(
    Type.Integer({
      ...flag({
        group: "logs",
        reader: "age",
        placeholder: "AGE",
        description: "How long to keep the logs of removed containers: 30m, 1d or 7d; 0 for ever.",
        default: 24 * 3_600_000,
      }),
      minimum: 0,
      maximum: maxAgeMs,
    }),
  ),
  logTotalBytes: Type.Optional(
    Type.Integer({
      ...flag({
        group: "logs",
        reader: "log-size",
        placeholder: "SIZE",
        description:
          "Disk space for the logs of removed containers. The containers removed first lose theirs first; 0 is no limit.",
        default: 2 ** 30,
      }),
      minimum: 0,
    }),
  ),
  auditFile: Type.Optional(
    Type.String(
      flag({
        group: "audit",
        reader: "path",
        placeholder: "FILE",
        description:
          "Records who did what in this file, as events of audit.k8s.io/v1, one on each line. A request whose line cannot be written is refused. See docs/audit.md.",
        defaultText: "none",
        example: "/var/log/crest/audit.log",
      }),
    ),
  ),
  auditLevel: Type.Optional(
    Type.Union(
      [Type.Literal("changes"), Type.Literal("all")],
      flag({
        group: "audit",
        placeholder: "LEVEL",
        description:
          "What is recorded: changes, with commands, port-forwards, logs and every refusal; or all requests, with those that only read as well.",
        default: "changes",
      }),
    ),
  ),
  auditMaxSizeBytes: Type.Optional(
    Type.Integer({
      ...flag({
        group: "audit",
        reader: "log-size",
        placeholder: "SIZE",
        description: "Rotates --audit-file before it is larger than this; 0 never.",
        default: 100 * 2 ** 20,
      }),
      minimum: 0,
    }),
  ),
  auditMaxFiles: Type.Optional(
    Type.Integer({
      ...flag({
        group: "audit",
        reader: "count",
        placeholder: "COUNT",
        description: "Audit files to keep, the one being written included. Older ones are removed.",
        default: 10,
      }),
      minimum: 2,
      maximum: 1000,
    }),
  ),
  auditWebhook: Type.Optional(
    Type.String(
      flag({
        group: "audit",
        reader: "webhook-url",
        placeholder: "URL",
        description:
          "Posts the events to this server, several at a time as an EventList: https, or http on this machine. No request waits for it, and what its queue cannot hold is dropped and counted.",
        defaultText: "none",
        example: "https://audit.example/events",
      }),
    ),
  ),
  auditWebhookTokenFile: Type.Optional(
    Type.String(
      flag({
        group: "audit",
        reader: "path",
        placeholder: "FILE",
        description: "The bearer token for --audit-webhook, readable to its owner only. Read for each batch.",
        defaultText: "none",
        example: "/etc/crest/audit-token",
      }),
    ),
  ),
  drainMs: Type.Optional(
    duration({
      group: "start",
      description:
        "How long answers under way may take when the gateway is told to stop; 0 ends them at once.",
      default: 10_000,
    }),
  ),
  install: Type.Optional(
    Type.Boolean(
      flag({
        group: "start",
        command: "up",
        description: "Install the Debian packages that are missing.",
        default: false,
      }),
    ),
  ),
};

// ---- Grants ----

type Rules = { readonly [W in GrantWord]?: boolean | NarrowingOf<W> };

const aboutScopes =
  "SCOPE: only for these pods: demo (a namespace), demo/web, demo/*, */web-*, label:app=web; several with commas.";

/** The option that grants or denies one word: `--allow-exec`, `--deny-exec`. */
function grantRule(verb: "allow" | "deny", name: GrantWord): TSchema {
  const word = grantWords[name];
  const described = (values: string): Annotations => ({
    group: verb === "allow" ? "grants" : "denials",
    flag: `${verb}-${name}`,
    description: verb === "allow" ? `${word.summary}.${values}` : "",
    default: false,
  });
  const some = { minItems: 1 };
  if (word.takes === "kinds") {
    return Type.Union([Type.Boolean(), Type.Array(Type.String(text({ reader: "read-item" })), some)], {
      ...described(
        ` WHAT: some of ${word.kinds.join(",")}; or a SCOPE with a slash, for all of its pods; or stats:SCOPE.`,
      ),
      placeholder: "WHAT",
    });
  }
  if (word.takes === "scope") {
    return Type.Union([Type.Boolean(), Type.Array(Type.String(text({ reader: "scope" })), some)], {
      ...described(name === "logs" ? ` ${aboutScopes}` : ""),
      placeholder: "SCOPE",
    });
  }
  if (word.takes === "ports") {
    return Type.Union([Type.Boolean(), Type.Array(Type.String(text({ reader: "forward-scope" })), some)], {
      ...described(" With PORTS only to these: demo/web:80,8000-8010."),
      placeholder: "SCOPE[:PORTS]",
    });
  }
  if (word.takes === "prefixes") {
    return Type.Union([Type.Boolean(), Type.Array(Type.String(text({ reader: "image-prefix" })), some)], {
      ...described(" PREFIXES: registries, or such with a path: ghcr.io,docker.io/library."),
      placeholder: "PREFIXES",
    });
  }
  if (word.takes === "hosts") {
    return Type.Union([Type.Boolean(), Type.Array(Type.String(text({ reader: "host-word" })), some)], {
      ...described(
        " Pods that stay within --policy do not need it. WORDS: network,port:8000-8010,mount:/srv/data:ro and more, listed in docs/grants.md.",
      ),
      placeholder: "WORDS",
    });
  }
  return Type.Boolean(described(""));
}

const rulesOf = (verb: "allow" | "deny") =>
  Type.Unsafe<Rules>(
    Type.Object(
      Object.fromEntries(grantWordNames.map((name) => [name, Type.Optional(grantRule(verb, name))])),
      closed,
    ),
  );

/** The options of `createGateway` that are plain data. */
export const optionsSchema = Type.Object(
  {
    ...plain,
    grants: Type.Optional(
      Type.Object(
        {
          all: Type.Optional(
            Type.Boolean(
              flag({
                group: "grants",
                flag: "allow-all",
                short: "A",
                description: "Everything that is not denied. Whoever has the token is root on this node.",
                default: false,
              }),
            ),
          ),
          allow: Type.Optional(rulesOf("allow")),
          deny: Type.Optional(rulesOf("deny")),
        },
        closed,
      ),
    ),
  },
  closed,
);

/** The content of a file that `--policy` names. */
export const policySchema = Type.Object(
  {
    level: Type.Union(
      policyLevels.map((level) => Type.Literal(level)),
      { expected: policyLevels.map((level) => `"${level}"`).join(" or ") },
    ),
    allow: Type.Optional(Type.Array(Type.String(text({ reader: "host-word" })))),
    deny: Type.Optional(Type.Array(Type.String(text({ reader: "host-word" })))),
  },
  closed,
);

/** The name of a caller in the tokens file. */
const callerName = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
  expected: "a name of at most 63 letters, digits, dots, dashes and underscores",
});
/** Checked as the option `grants`. */
const grants = Type.Unknown();
const records = Type.Array(Type.Object({}), { expected: "a list of objects" });
const time = Type.String({
  pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d)$",
  expected: "a time as in 2030-01-31T12:00:00Z",
});

/** The content of the tokens file. Each item has a schema of its own. */
export const tokensFileSchema = Type.Object(
  {
    tokens: Type.Optional(records),
    certificates: Type.Optional(records),
  },
  closed,
);

export const tokenSchema = Type.Object(
  {
    name: callerName,
    sha256: Type.String({
      pattern: "^[0-9a-f]{64}$",
      expected: "the SHA-256 of the token, in 64 hexadecimal digits in lower case",
    }),
    grants,
    created: Type.Optional(time),
    expires: Type.Optional(time),
    parent: Type.Optional(Type.String()),
    within: Type.Optional(records),
  },
  closed,
);

export const certificateSchema = Type.Object(
  {
    name: callerName,
    subject: Type.String({
      pattern: "^(CN|DNS|URI):.",
      expected: "CN:, DNS: or URI: and the name in the certificate, such as URI:spiffe://example/ci",
    }),
    grants,
  },
  closed,
);

/** The body of `POST /v1/tokens`. */
export const tokenRequestSchema = Type.Object(
  { name: callerName, grants, expires: Type.Optional(time), for: Type.Optional(Type.String()) },
  closed,
);

/** Settings that only the command line has. */
export const commandSchema = Type.Object(
  {
    logFormat: Type.Optional(
      Type.Union(
        [Type.Literal("json"), Type.Literal("text")],
        flag({
          group: "log",
          placeholder: "FORMAT",
          description: "How the log is written to stderr: json, one object on each line, or text for people.",
          defaultText: "text on a terminal, else json",
          example: "json",
        }),
      ),
    ),
    config: Type.Optional(
      Type.String(
        flag({
          group: "start",
          reader: "path",
          placeholder: "FILE",
          description:
            "A file of variables in the format of .env.example. The environment beats it, flags beat both.",
          defaultText: "none",
          example: "/etc/crest.env",
        }),
      ),
    ),
  },
  closed,
);

type Immutable<T> = T extends readonly (infer E)[]
  ? readonly Immutable<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Immutable<T[K]> }
    : T;

/** The options as given, before defaults. */
export type Settings = Immutable<Static<typeof optionsSchema>>;
