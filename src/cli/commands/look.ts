/** Commands that change nothing, as data. */
import type { Declaration, Flag, Flags } from "../declare.ts";
import { filterBy, labelFlag, latestFlags, listFlags } from "./list-flags.ts";

const outputFlag = {
  form: "text",
  short: "o",
  placeholder: "FORMAT",
  values: ["json", "yaml"],
  about: "The API's own answer instead of a text for people.",
} as const satisfies Flag;

const inspectFlags = {
  output: { ...outputFlag, values: ["json", "jsonl", "yaml"], about: "How it is written. Default: json." },
  verbose: {
    form: "switch",
    short: "v",
    about: "Also the runtime's own details. They can contain secrets, so they need the grant verbose.",
  },
} as const satisfies Flags;

const inspectAbout =
  "Prints the answer of the API: of one as it is, of several as a list. -o jsonl has a line for each, -o yaml a document.";

const statsFlags = {
  pods: { form: "switch", about: "Pods instead of containers, with their network traffic." },
  sort: {
    form: "text",
    placeholder: "BY",
    values: ["cpu", "memory", "name", "received", "sent", "read", "written", "disk"],
    about: "The order of the rows. Default: cpu.",
  },
  name: { form: "text", placeholder: "NAME", about: "Only those of this name." },
  namespace: { form: "text", placeholder: "NAME", about: "Only pods in this namespace." },
  pod: { form: "text", short: "p", placeholder: "POD", about: "Only containers of this pod." },
  label: labelFlag,
  ...filterBy("name", "namespace", "pod", "label"),
  interval: {
    form: "text",
    placeholder: "TIME",
    about: "Time between readings, 1s to 1m. Default: 2s; 1s for a single reading.",
  },
  "no-stream": { form: "switch", about: "A single reading, also on a terminal." },
  watch: { form: "switch", short: "w", about: "Reading after reading, also without a terminal." },
  ...listFlags,
} as const satisfies Flags;

const statsAbout =
  "On a terminal it is a live table: letters choose the order, q leaves. Otherwise it is a single reading. CPU is in per cent of one core. With --pods, names are those of pods. crest stats and crest top are the same.";

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
  inspect: {
    group: "look",
    title: "show all about containers",
    about: inspectAbout,
    operands: ["CONTAINER..."],
    flags: inspectFlags,
    examples: ["crest inspect web", "crest inspect -o yaml web db"],
  },
  inspectp: {
    group: "look",
    title: "show all about pods",
    about: inspectAbout,
    operands: ["POD..."],
    flags: inspectFlags,
    examples: ["crest inspectp web", "crest inspectp -o yaml demo/web"],
  },
  stats: {
    group: "look",
    title: "show the usage of containers or pods, live",
    about: statsAbout,
    operands: ["[CONTAINER...]"],
    flags: statsFlags,
    examples: ["crest stats", "crest stats --no-stream --sort memory", "crest stats -w -o jsonl web"],
  },
  top: {
    group: "look",
    title: "show the usage of containers or pods, live",
    about: statsAbout,
    operands: ["[CONTAINER...]"],
    flags: statsFlags,
    examples: ["crest top", "crest top --pods --namespace demo", "crest top -o wide --sort written"],
  },
  events: {
    group: "look",
    title: "show what happens on the node",
    about:
      "Prints the state of the node as events, or what has happened since. With -f it goes on with what happens, also after a lost connection, until Ctrl-C.",
    operands: [],
    flags: {
      follow: { form: "switch", short: "f", about: "Go on with new events." },
      since: {
        form: "text",
        placeholder: "TIME",
        about:
          "From here on: a time such as 2026-11-29T07:00:00Z, how long ago (5m, 1h30m), or an event's id.",
      },
      type: {
        form: "text",
        placeholder: "TYPES",
        about:
          "Only these: container.exited, or pod, container, image for all of theirs; several with commas.",
      },
      namespace: { form: "text", placeholder: "NAME", about: "Only of pods in this namespace." },
      pod: { form: "text", short: "p", placeholder: "POD", about: "Only of this pod." },
      container: { form: "text", placeholder: "CONTAINER", about: "Only of this container." },
      label: labelFlag,
      filter: {
        form: "list",
        placeholder: "KEY=VALUE",
        keys: ["type", "namespace", "pod", "container", "label"],
        about: "The same as --KEY=VALUE; may be repeated.",
      },
      output: {
        form: "text",
        short: "o",
        placeholder: "FORMAT",
        values: ["text", "json", "jsonl", "yaml"],
        about: "How it is written; with -f, json is the same as jsonl, a line for each event. Default: text.",
      },
    },
    examples: [
      "crest events -f",
      "crest events -f --type container.exited --since 10m",
      "crest events -o json",
    ],
  },
  wait: {
    group: "look",
    title: "wait until containers have exited",
    about: "Prints the exit code of each, in their order, a line each.",
    operands: ["CONTAINER..."],
    flags: {
      timeout: {
        form: "text",
        placeholder: "SECONDS",
        about: "Fail if one is still running after so long. Default: wait for ever.",
      },
      output: { ...outputFlag, values: ["json"], about: "The API's own answer, a line each." },
    },
    examples: ["crest wait job", "crest wait --timeout 60 job-1 job-2"],
  },
  "post-mortem": {
    group: "look",
    title: "say why a container ended",
    about:
      "Collects what is known: the likely cause, exit, memory, last log lines, events and earlier attempts.",
    operands: ["CONTAINER"],
    flags: {
      tail: { form: "text", placeholder: "LINES", about: "Log lines, 0 to 1000. Default: 20." },
      output: outputFlag,
    },
    examples: ["crest post-mortem web", "crest post-mortem -o json web"],
  },
  images: {
    group: "images",
    title: "list images",
    about:
      "Lists images by name, with a line for each of their tags. IMAGE selects one name with its tag, all tags of a name without one, or an id by its beginning.",
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
    examples: ["crest images", "crest images busybox --digests", "crest images -f dangling=true -q"],
  },
  inspecti: {
    group: "images",
    title: "show all about images",
    about: inspectAbout,
    operands: ["IMAGE..."],
    flags: inspectFlags,
    examples: ["crest inspecti busybox:1.35", "crest inspecti -o yaml busybox:1.35"],
  },
  prune: {
    group: "change",
    title: "remove stopped pods and unused images",
    about:
      "Lists what would be removed, and asks. Without a word, pods come first, then the images that nothing uses any more.",
    operands: ["[pods|images]"],
    flags: {
      force: { form: "switch", short: "f", about: "Remove without asking." },
      "dry-run": { form: "switch", about: "Only list what would be removed." },
      "older-than": {
        form: "text",
        placeholder: "AGE",
        about: "Only pods that were created longer ago: 30m, 1.5h, 7d.",
      },
      namespace: { form: "text", placeholder: "NAME", about: "Only pods in this namespace." },
      label: { ...labelFlag, about: "Only pods with this label. May be repeated: all must match." },
      unmanaged: {
        form: "switch",
        about: "Also pods that Crest did not create, such as a kubelet's. Needs the grant unmanaged.",
      },
      untagged: { form: "switch", about: "Only images without a tag." },
      output: { ...outputFlag, values: ["json"] },
      "no-trunc": listFlags["no-trunc"],
    },
    examples: ["crest prune", "crest prune pods --older-than 1d -f", "crest prune images --dry-run"],
  },
  info: {
    group: "server",
    title: "show the runtime: its state, what it has and how it differs",
    about: "-o json is the runtime's status as the API has it.",
    operands: [],
    flags: {
      verbose: {
        form: "switch",
        short: "v",
        about: "Also the runtime's own details, such as its configuration. Needs the grant verbose.",
      },
      output: outputFlag,
    },
    examples: ["crest info", "crest info -o json"],
  },
  version: {
    group: "server",
    title: "print the versions of crest, the gateway and the runtime",
    about: "Without a gateway it prints its own alone. crest --version asks nobody.",
    operands: [],
    flags: { output: { ...outputFlag, about: "For programs." } },
    examples: ["crest version", "crest version -o json"],
  },
  whoami: {
    group: "server",
    title: "show who you are to the gateway, and what you may do",
    operands: [],
    flags: { output: outputFlag, "no-trunc": listFlags["no-trunc"] },
    examples: ["crest whoami", "crest whoami -o json"],
  },
} as const satisfies { readonly [name: string]: Declaration };
