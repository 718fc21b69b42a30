/** Commands that change nothing, as data. */
import type { Declaration } from "../declare.ts";
import { filterBy, labelFlag, latestFlags, listFlags } from "./list-flags.ts";

export const lookCommands = {
  ps: {
    group: "look",
    title: "list containers",
    about: "Lists the containers that run, newest first. A selection by state lists those of that state.",
    operands: [],
    flags: {
      all: { form: "switch", short: "a", about: "Also those that do not run." },
      ...latestFlags,
      id: { form: "text", placeholder: "ID", about: "Only this id." },
      name: { form: "text", placeholder: "NAME", about: "Only containers of this name." },
      namespace: { form: "text", placeholder: "NAME", about: "Only of pods in this namespace." },
      pod: { form: "text", short: "p", placeholder: "POD", about: "Only those of this pod." },
      state: {
        form: "text",
        short: "s",
        placeholder: "STATE",
        values: ["created", "running", "exited", "unknown"],
        about: "Only in this state.",
      },
      image: {
        form: "text",
        placeholder: "IMAGE",
        about: "Only of this image: its name, with or without a tag, or the beginning of its id.",
      },
      label: labelFlag,
      ...filterBy("id", "name", "namespace", "pod", "state", "image", "label"),
      ...listFlags,
    },
    examples: ["crest ps -a", "crest ps -f state=exited -f label=app=web", "crest ps -o json"],
  },
  pods: {
    group: "look",
    title: "list pods",
    about: "Lists pods, newest first, also those that have stopped.",
    operands: [],
    flags: {
      ...latestFlags,
      id: { form: "text", placeholder: "ID", about: "Only this id." },
      name: { form: "text", placeholder: "NAME", about: "Only pods of this name." },
      namespace: { form: "text", placeholder: "NAME", about: "Only pods in this namespace." },
      state: {
        form: "text",
        short: "s",
        placeholder: "STATE",
        values: ["ready", "notready"],
        about: "Only in this state.",
      },
      label: labelFlag,
      ...filterBy("id", "name", "namespace", "state", "label"),
      ...listFlags,
    },
    examples: ["crest pods", "crest pods --state ready --namespace default", "crest pods -q"],
  },
  images: {
    group: "images",
    title: "list images",
    about: "Lists images by name, with a line for each of their tags.",
    operands: ["[IMAGE]"],
    flags: {
      digests: { form: "switch", about: "Also the digests of their manifests." },
      dangling: {
        form: "text",
        placeholder: "BOOLEAN",
        values: ["true", "false"],
        about: "Only those without a tag, or only those with one.",
      },
      ...filterBy("dangling"),
      ...listFlags,
    },
    examples: ["crest images", "crest images busybox:1.35 --digests", "crest images -f dangling=true -q"],
  },
} as const satisfies { readonly [name: string]: Declaration };
