/** Loads the work of one command, and nothing of the others. */
import type { CommandName } from "./commands.ts";
import type { Run } from "./context.ts";

const loaders: { readonly [N in CommandName]: () => Promise<{ readonly run: Run<N> }> } = {
  ps: () => import("./commands/ps.ts"),
  server: () => import("./commands/server.ts"),
  console: () => import("./commands/console.ts"),
  completion: () => import("./commands/completion.ts"),
  pods: () => import("./commands/pods.ts"),
  images: () => import("./commands/images.ts"),
  logs: () => import("./commands/logs.ts"),
  create: async () => ({ run: (await import("./commands/create.ts")).create }),
  cp: () => import("./commands/cp.ts"),
  start: async () => ({ run: (await import("./commands/lifecycle.ts")).start }),
  stop: async () => ({ run: (await import("./commands/lifecycle.ts")).stop }),
  rm: async () => ({ run: (await import("./commands/remove.ts")).rm }),
  runp: async () => ({ run: (await import("./commands/create.ts")).runp }),
  stopp: async () => ({ run: (await import("./commands/lifecycle.ts")).stopp }),
  rmp: async () => ({ run: (await import("./commands/remove.ts")).rmp }),
  pull: () => import("./commands/pull.ts"),
  rmi: () => import("./commands/rmi.ts"),
  inspect: () => import("./commands/inspect.ts"),
  inspectp: () => import("./commands/inspect.ts"),
  inspecti: () => import("./commands/inspect.ts"),
  stats: () => import("./commands/stats.ts"),
  top: () => import("./commands/stats.ts"),
  events: () => import("./commands/events.ts"),
  wait: () => import("./commands/wait.ts"),
  "post-mortem": () => import("./commands/post-mortem.ts"),
  prune: () => import("./commands/prune.ts"),
  info: () => import("./commands/info.ts"),
  version: () => import("./commands/version.ts"),
  whoami: () => import("./commands/whoami.ts"),
  run: () => import("./commands/run.ts"),
  exec: () => import("./commands/exec.ts"),
  attach: () => import("./commands/attach.ts"),
  sessions: () => import("./commands/sessions.ts"),
  resume: () => import("./commands/resume.ts"),
  "port-forward": () => import("./commands/port-forward.ts"),
};

export const load = <N extends CommandName>(name: N): Promise<{ readonly run: Run<N> }> => loaders[name]();
