/** The vocabulary in which commands are declared: data, from which parsing, help and completion derive. */

/** A flag of a command. Its name is its key, with two dashes before it. */
export interface Flag {
  /** `switch` takes no value; `list` may be repeated. */
  readonly form: "switch" | "text" | "list";
  /** One letter, for one dash. */
  readonly short?: string;
  /** The value in the help text: `NAME`. */
  readonly placeholder?: string;
  readonly about: string;
  /** The only values that it takes. */
  readonly values?: readonly string[];
  /** The names of other flags that it stands for: `KEY=VALUE` is the same as `--KEY=VALUE`. For lists. */
  readonly keys?: readonly string[];
}

export interface Flags {
  readonly [name: string]: Flag;
}

/** Headings of the overview, in its order. */
export const groups = {
  look: "Look",
  use: "Use",
  change: "Change",
  images: "Images",
  server: "Servers",
} as const;

export interface Declaration {
  readonly group: keyof typeof groups;
  /** One line, in lower case, without a full stop. */
  readonly title: string;
  /** Sentences below the usage. */
  readonly about?: string;
  /**
   * What follows the command: `CONTAINER`; `[POD]` may be absent; `CONTAINER...` is one or more, `[POD...]` any number.
   * `-- CMD...` is a command line: everything after the operands before it, flags included; `[-- CMD...]` may be absent.
   * Words in lower case are literal.
   */
  readonly operands: readonly string[];
  readonly flags: Flags;
  /** Command lines, without comments. */
  readonly examples: readonly string[];
  /** Exit code when Crest or the gateway fails. Default: 1. As with docker, 125 where the exit code is that of a command. */
  readonly failureExitCode?: number;
}

type ValueOf<F extends Flag> = F["form"] extends "switch"
  ? boolean
  : F["form"] extends "list"
    ? readonly string[]
    : string | undefined;

/** The values of flags by name. A switch that was not written is false, a list is empty, text is undefined. */
export type ValuesOf<F extends Flags> = { readonly [N in keyof F]: ValueOf<F[N]> };

/** Of every command. */
export const globalFlags = {
  server: {
    form: "text",
    placeholder: "SERVER",
    about:
      "The gateway: a URL, unix:PATH, or a name of crest server list. Default: CREST_SERVER, then what crest server use chose, then the gateway of this machine.",
  },
  "token-file": {
    form: "text",
    placeholder: "PATH",
    about:
      "The file with the token. Default: that of the server which --server names, then CREST_TOKEN, CREST_TOKEN_FILE, then that of the server.",
  },
  "show-curl": { form: "switch", about: "Print the request as a curl command instead of sending it." },
  help: { form: "switch", short: "h", about: "Show this text." },
} as const satisfies Flags;
