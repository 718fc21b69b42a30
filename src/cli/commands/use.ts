/** Commands that work in containers and pods, as data. */
import type { Declaration, Flags } from "../declare.ts";
import { listFlags } from "./list-flags.ts";

/** Of sessions with a command. */
const sessionFlags = {
  interactive: { form: "switch", short: "i", about: "Send the input to the command." },
  tty: { form: "switch", short: "t", about: "Give the command a terminal." },
} as const satisfies Flags;

const detachFlags = {
  "detach-keys": {
    form: "text",
    placeholder: "KEYS",
    about:
      "Keys of a terminal that leave the session without ending it; an empty text means none. Default: ctrl-p,ctrl-q.",
  },
} as const satisfies Flags;

export const useCommands = {
  run: {
    group: "use",
    title: "run an image: a pod with one container",
    about:
      "Pulls the image if it is missing. Without -d, it shows the output, and the exit code is that of the program: 126 if it cannot be executed, 127 if it does not exist, 125 if Crest fails. Ctrl-C goes to the program in a terminal, and stops the container otherwise.",
    operands: ["IMAGE", "[-- CMD...]"],
    flags: {
      ...sessionFlags,
      detach: { form: "switch", short: "d", about: "Print the container's id, and do not wait." },
      rm: { form: "switch", about: "Remove the pod and its container at the end." },
      name: {
        form: "text",
        placeholder: "NAME",
        about: "Name of the pod and container. Default: like the image.",
      },
      namespace: { form: "text", placeholder: "NAME", about: "Namespace of the pod. Default: default." },
      env: {
        form: "list",
        short: "e",
        placeholder: "K=V",
        about: "A variable; K alone takes its value from here.",
      },
      "env-file": { form: "list", placeholder: "PATH", about: "Variables, one a line." },
      volume: {
        form: "list",
        short: "v",
        placeholder: "SRC:DST[:ro]",
        about: "Show a path of the node in the container.",
      },
      publish: {
        form: "list",
        short: "p",
        placeholder: "NODE:POD[/udp]",
        about: "Make a port of the pod a port of the node.",
      },
      memory: { form: "text", short: "m", placeholder: "SIZE", about: "The most memory: 256m, 1g." },
      cpus: { form: "text", placeholder: "NUMBER", about: "How many CPUs it may use: 0.5." },
      workdir: { form: "text", short: "w", placeholder: "DIR", about: "Folder in which the program starts." },
      user: { form: "text", short: "u", placeholder: "USER[:GID]", about: "Who runs the program." },
      entrypoint: { form: "text", placeholder: "PROGRAM", about: "In place of that of the image." },
      label: { form: "list", short: "l", placeholder: "K=V", about: "A label of the pod and container." },
      pull: {
        form: "text",
        placeholder: "WHEN",
        values: ["missing", "always", "never"],
        about: "When to pull the image. Default: missing.",
      },
      "host-network": { form: "switch", about: "Use the node's network." },
      runtime: {
        form: "text",
        placeholder: "HANDLER",
        about: "The runtime handler. Default: the runtime's.",
      },
      ...detachFlags,
    },
    examples: [
      "crest run -it --rm busybox",
      "crest run -d --name web -p 8080:80 docker.io/library/nginx",
      "crest run --rm -e NAME=Ada busybox -- sh -c 'echo Hello $NAME'",
      "crest run --rm -i busybox wc -c <file",
    ],
    failureExitCode: 125,
  },
  exec: {
    group: "use",
    title: "run a command in a container",
    about:
      "The exit code is that of the command: 126 if it cannot be executed, 127 if it does not exist, 125 if Crest fails. A session whose connection is lost goes on over another one.",
    operands: ["CONTAINER", "-- CMD..."],
    flags: {
      ...sessionFlags,
      ...detachFlags,
      sync: {
        form: "switch",
        short: "s",
        about: "Wait for the end of the command, then show its output: at most 16 MiB, no input.",
      },
      timeout: {
        form: "text",
        placeholder: "SECONDS",
        about: "End the command after so many seconds; only with --sync. Default: no limit.",
      },
    },
    examples: [
      "crest exec -it web sh",
      "crest exec web -- ls -l /etc",
      "crest exec -i web -- tar xf - -C /srv <site.tar",
      "crest exec --sync --timeout=10 web -- wget -qO- http://127.0.0.1",
    ],
    failureExitCode: 125,
  },
  attach: {
    group: "use",
    title: "connect to the main process of a container",
    about:
      "Shows new output; earlier output is in crest logs. Whether the container has a terminal and takes input is found out where -i and -t are not written. The detach keys, or without a terminal Ctrl-C, leave the container running.",
    operands: ["CONTAINER"],
    flags: { ...sessionFlags, ...detachFlags },
    examples: ["crest attach web", "crest attach -it web"],
    failureExitCode: 125,
  },
  sessions: {
    group: "use",
    title: "list your sessions of exec and attach, or end some",
    operands: [],
    flags: {
      end: { form: "list", placeholder: "ID", about: "End this session; may be repeated." },
      ...listFlags,
    },
    examples: ["crest sessions", "crest sessions --end 5f0c7a52d1c94d0b8a3e6f7081920a3b"],
  },
  resume: {
    group: "use",
    title: "go on with a session that was left",
    about:
      "The gateway keeps the session of an exec or attach for a while after its terminal was lost, or left with the detach keys.",
    operands: ["SESSION"],
    flags: detachFlags,
    examples: ["crest resume 5f0c7a52d1c94d0b8a3e6f7081920a3b"],
    failureExitCode: 125,
  },
  "port-forward": {
    group: "use",
    title: "make ports of a pod local ports",
    about:
      "PORT is 8080:80 for the pod's port 80 at the local port 8080, 80 for the same port, :80 for any free local port. Ctrl-C ends it.",
    operands: ["POD", "PORT..."],
    flags: {
      address: {
        form: "list",
        placeholder: "ADDRESS",
        about: "Local address to listen on; may be repeated. Default: localhost, which is 127.0.0.1 and ::1.",
      },
    },
    examples: ["crest port-forward web 8080:80", "crest port-forward web :80 9000:90"],
  },
} as const satisfies { readonly [name: string]: Declaration };
