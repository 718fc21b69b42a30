import type { Manner, MannerName } from "../manner.ts";
import { containerd } from "./containerd.ts";
import { criDockerd } from "./cri-dockerd.ts";
import { criO } from "./cri-o.ts";

/** The behaviour of a runtime, by name. */
export function mannerOf(name: MannerName): Manner {
  switch (name) {
    case "containerd-1.6":
      return containerd("1.6");
    case "containerd-1.7":
      return containerd("1.7");
    case "containerd-2.1":
      return containerd("2.1");
    case "cri-o":
      return criO();
    case "cri-dockerd":
      return criDockerd();
  }
}
