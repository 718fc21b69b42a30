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
  version: { title: "print the version", about: "The same as crest --version." },
} as const;

export type CommandName = keyof typeof commands;

/** The commands that start a gateway. Only these have settings. */
export type ServingCommand = "up" | "serve";

/** In the order of the help text. */
export const commandNames = Object.keys(commands) as readonly CommandName[];
