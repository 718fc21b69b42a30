/** Loads the work of one command, and nothing of the others. */
import type { CommandName } from "./commands.ts";
import type { Run } from "./context.ts";

const loaders: { readonly [N in CommandName]: () => Promise<{ readonly run: Run<N> }> } = {
  ps: () => import("./commands/ps.ts"),
  pods: () => import("./commands/pods.ts"),
  images: () => import("./commands/images.ts"),
  exec: () => import("./commands/exec.ts"),
  attach: () => import("./commands/attach.ts"),
  sessions: () => import("./commands/sessions.ts"),
  resume: () => import("./commands/resume.ts"),
  "port-forward": () => import("./commands/port-forward.ts"),
};

export const load = <N extends CommandName>(name: N): Promise<{ readonly run: Run<N> }> => loaders[name]();
