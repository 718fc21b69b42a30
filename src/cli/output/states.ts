/** States of pods and containers for people. */
import type { Style } from "../terminal.ts";

/** `CONTAINER_RUNNING` -> `running`, `SANDBOX_NOTREADY` -> `notready`: what `--state` takes. */
export const stateName = (state: string): string => state.replace(/^(CONTAINER|SANDBOX)_/, "").toLowerCase();

const styles: { readonly [state: string]: Style } = {
  running: "green",
  ready: "green",
  created: "yellow",
  exited: "gray",
  notready: "gray",
  unknown: "red",
};

export const stateStyle = (state: string): Style | undefined => styles[stateName(state)];
