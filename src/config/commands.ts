/** The commands of `crest`, as data. */

export const commands = {
  up: {
    title: "a private containerd, and the gateway in front of it",
    about:
      "The containerd has its own folder, network and images, and touches no other runtime of this machine. " +
      "Everything is granted on it unless --allow flags say what. Ctrl-C removes its pods and keeps its images.",
  },
  serve: {
    title: "the gateway in front of the runtime that is there",
    about:
      "Nothing is granted that no flag grants. Pods and containers stay when the gateway comes and goes.",
  },
  openapi: {
    title: "print the OpenAPI document of the API",
    about: "As JSON, the same as GET /openapi.json.",
  },
  policy: {
    title: "explain what a pod policy makes of a config",
    about:
      "POLICY is baseline, restricted or a file as for --policy. FILE is what would be posted to /v1/pods, or, with an image, to /v1/pods/ID/containers. Prints every reason, or what Crest fills in. Runs nothing. Ends with 1 if the config is refused.",
    operands: ["check", "POLICY", "FILE"],
  },
  token: {
    title: "make, list and revoke tokens with grants of their own",
    about:
      "create prints a new token, once; a running gateway takes it within a second. It can do what both its own grants and those of the gateway allow. list shows the tokens that there are, and revoke NAME removes one, with those that were made with it. Run it as the gateway's user. See docs/callers.md.",
    operands: ["create|list|revoke", "[NAME]"],
  },
} as const;

export type CommandName = keyof typeof commands;

/** What follows the command, besides flags. Words in lower case are literal, and those in brackets may be absent. */
export function operandsOf(name: CommandName): readonly string[] {
  const command: { readonly title: string; readonly operands?: readonly string[] } = commands[name];
  return command.operands ?? [];
}

/** The commands that start a gateway. Only these have settings. */
export type ServingCommand = "up" | "serve";

/** In the order of the help text. */
export const commandNames = Object.keys(commands) as readonly CommandName[];
