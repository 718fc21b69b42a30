/** Commands that change pods, containers and images, and those that read logs, as data. */
import type { Declaration, Flag, Flags } from "../declare.ts";

const timeout = (about: string): Flag & { readonly form: "text" } => ({
  form: "text",
  short: "t",
  placeholder: "SECONDS",
  about,
});

/** Of `rm` and `rmp`. */
const removalFlags = {
  force: { form: "switch", short: "f", about: "Also what is running." },
  all: {
    form: "switch",
    short: "a",
    about: "All in pods that Crest created. Without -f, what is running stays.",
  },
  unmanaged: {
    form: "switch",
    about: "With -a: also in pods that Crest did not create. The gateway must allow it.",
  },
} as const satisfies Flags;

const levels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

export const changeCommands = {
  logs: {
    group: "look",
    title: "print or follow the logs of containers",
    about:
      "Standard output goes to stdout and standard error to stderr. The lines of several containers begin with POD/CONTAINER. A lost connection is opened again, and no line is lost or printed twice.",
    operands: ["[CONTAINER...]"],
    flags: {
      follow: { form: "switch", short: "f", about: "Go on with new lines until the container exits." },
      timestamps: { form: "switch", short: "t", about: "Begin each line with its time." },
      tail: {
        form: "text",
        short: "n",
        placeholder: "LINES",
        about: "Only so many last lines: of each container that is named, or of all of a pod or selector.",
      },
      since: { form: "text", placeholder: "TIME", about: "Only from this time on: 5m ago, or RFC 3339." },
      until: { form: "text", placeholder: "TIME", about: "Only up to this time." },
      previous: { form: "switch", short: "p", about: "The attempt before this one." },
      selector: {
        form: "text",
        short: "l",
        placeholder: "LABELS",
        about: "All containers with these labels, or in pods with them: app=web,tier!=db.",
      },
      pod: { form: "text", placeholder: "POD", about: "All containers of this pod." },
      namespace: {
        form: "text",
        placeholder: "NAME",
        about: "All containers of the pods of this namespace.",
      },
      stream: {
        form: "text",
        placeholder: "STREAM",
        values: ["stdout", "stderr"],
        about: "Only this stream.",
      },
      grep: { form: "text", placeholder: "TEXT", about: "Only lines with this text." },
      regex: { form: "text", placeholder: "PATTERN", about: "Only lines that match it, in RE2 syntax." },
      before: { form: "text", short: "B", placeholder: "LINES", about: "Lines before each match." },
      after: { form: "text", short: "A", placeholder: "LINES", about: "Lines after each match." },
      level: {
        form: "text",
        placeholder: "LEVEL",
        values: levels,
        about: "Only lines of at least this level.",
      },
      "limit-bytes": { form: "text", placeholder: "BYTES", about: "At most so many bytes of text." },
      cursor: {
        form: "text",
        placeholder: "CURSOR",
        about: "Go on after the line with this cursor, which -o jsonl shows.",
      },
      prefix: { form: "switch", about: "Begin each line with POD/CONTAINER, also for one container." },
      "no-prefix": { form: "switch", about: "Never do." },
      output: {
        form: "text",
        short: "o",
        placeholder: "FORMAT",
        values: ["text", "jsonl", "json"],
        about: "jsonl has an item a line, json is one page of the API. Default: text.",
      },
    },
    examples: [
      "crest logs -f web",
      "crest logs --tail 20 -t shop/web shop/db",
      "crest logs -f -l app=shop --level warn",
      "crest logs --pod shop --since 5m --grep timeout -A 3",
    ],
  },
  create: {
    group: "change",
    title: "create a container in a pod from a file of crictl",
    about:
      "The files of crictl work unchanged, in JSON and in YAML; - is stdin. Prints the id of the container. crictl's third argument, the configuration of the pod, may be there: Crest has it already.",
    operands: ["POD", "FILE", "[POD_FILE]"],
    flags: {
      "with-pull": { form: "switch", about: "Pull the image first." },
    },
    examples: ["crest create web container.json", "crest create --with-pull web container.yaml pod.yaml"],
  },
  cp: {
    group: "use",
    title: "copy files and folders between a container and this machine",
    about:
      "One of the two places is CONTAINER:PATH; - is a tar archive on stdin or stdout. Names are as with docker: into a folder that exists, else by the new name; SRC/. copies what is in a folder. Needs tar in the container. Copies keep permissions and times, but no owners, devices or set-user-ID bits.",
    operands: ["SRC", "DST"],
    flags: {
      "follow-link": {
        form: "switch",
        short: "L",
        about: "If SRC is a symbolic link, copy what it leads to.",
      },
      "unsafe-links": {
        form: "switch",
        about: "Also make links that lead out of what is copied from a container. Default: leave them out.",
      },
    },
    examples: [
      "crest cp web:/etc/nginx/nginx.conf .",
      "crest cp ./site/. web:/usr/share/nginx/html",
      "crest cp web:/var/log -",
    ],
  },
  start: {
    group: "change",
    title: "start containers",
    operands: ["CONTAINER..."],
    flags: {},
    examples: ["crest start web"],
  },
  stop: {
    group: "change",
    title: "stop containers",
    operands: ["CONTAINER..."],
    flags: { timeout: timeout("Seconds between the stop signal and SIGKILL; 0 kills. Default: 10.") },
    examples: ["crest stop web db", "crest stop -t 0 web"],
  },
  rm: {
    group: "change",
    title: "remove containers",
    about: "A container that is running is only removed with -f.",
    operands: ["[CONTAINER...]"],
    flags: removalFlags,
    examples: ["crest rm web", "crest rm -f web db", "crest rm -a"],
  },
  runp: {
    group: "change",
    title: "run a pod from a file of crictl",
    about: "The files of crictl work unchanged, in JSON and in YAML; - is stdin. Prints the id of the pod.",
    operands: ["FILE"],
    flags: {
      runtime: { form: "text", short: "r", placeholder: "HANDLER", about: "The handler that runs the pod." },
    },
    examples: ["crest runp pod.json", "crest runp -r kata pod.yaml"],
  },
  stopp: {
    group: "change",
    title: "stop pods",
    operands: ["POD..."],
    flags: {
      timeout: timeout(
        "Seconds between the stop signal and SIGKILL for each container. Default: 0, which kills.",
      ),
    },
    examples: ["crest stopp shop", "crest stopp -t 10 shop"],
  },
  rmp: {
    group: "change",
    title: "remove pods, and the containers in them",
    about: "A pod that is ready is only removed with -f.",
    operands: ["[POD...]"],
    flags: removalFlags,
    examples: ["crest rmp shop", "crest rmp -f shop db", "crest rmp -a"],
  },
  pull: {
    group: "images",
    title: "pull images",
    about:
      "Prints a reference for each image, by which containers can be created. Ctrl-C cancels the pull, unless somebody else waits for it too.",
    operands: ["IMAGE..."],
    flags: {
      quiet: { form: "switch", short: "q", about: "No progress." },
      username: { form: "text", short: "u", placeholder: "USER", about: "Account at the registry." },
      "password-stdin": {
        form: "switch",
        about: "Read its password from stdin. Default: ask at the terminal.",
      },
      creds: {
        form: "text",
        placeholder: "USER[:PASS]",
        about: "crictl's form of both. Others can see a password in the command line.",
      },
      auth: {
        form: "text",
        placeholder: "BASE64",
        about: "Both as Docker's configuration has them: the base64 form of USER:PASS.",
      },
      detach: {
        form: "switch",
        short: "d",
        about: "Start the pull, print its id, and leave. It goes on.",
      },
      cancel: {
        form: "switch",
        about: "Cancel pulls instead: by their ids, or all in progress of an image.",
      },
    },
    examples: [
      "crest pull busybox:latest",
      "crest pull -u team ghcr.io/team/app:1",
      "crest pull --cancel ghcr.io/team/app:1",
    ],
  },
  rmi: {
    group: "images",
    title: "remove images, by a name, a digest or an id",
    about: "All names of an image are removed. An image that a container uses stays.",
    operands: ["[IMAGE...]"],
    flags: {
      all: { form: "switch", short: "a", about: "All images." },
      prune: { form: "switch", short: "q", about: "All images that no container uses." },
      "dry-run": { form: "switch", about: "Only print what would be removed." },
    },
    examples: ["crest rmi busybox:latest", "crest rmi --prune --dry-run"],
  },
} as const satisfies { readonly [name: string]: Declaration };
