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
