/** Commands about which gateway the others talk to, as data. */
import type { Declaration } from "../declare.ts";

export const serverCommands = {
  server: {
    group: "server",
    title: "give gateways names, choose the one to use",
    about:
      "add NAME URL names a gateway, use NAME chooses the one that commands talk to, list and show tell what is known of them, remove NAME forgets one. URL is a URL of http or https, or unix:PATH. local is the name of the gateway of this machine. The names are in ~/.config/crest/servers.json.",
    operands: ["add|use|list|show|remove", "[NAME]", "[URL]"],
    flags: {
      "token-stdin": { form: "switch", about: "add: read the token from stdin, and keep it." },
      ca: { form: "text", placeholder: "FILE", about: "add: certificates to trust instead of the system's." },
      cert: { form: "text", placeholder: "FILE", about: "add: the certificate of the client." },
      key: { form: "text", placeholder: "FILE", about: "add: the key of that certificate." },
      use: { form: "switch", about: "add: use it from now on." },
      replace: { form: "switch", about: "add: replace a server of this name." },
      output: {
        form: "text",
        short: "o",
        placeholder: "FORMAT",
        values: ["table", "json"],
        about: "list and show: how it is written. Default: table.",
      },
    },
    examples: [
      "crest server add node1 https://node1:8585 --ca=node1.crt --token-stdin",
      "crest server use node1",
      "crest server use local",
    ],
  },
  console: {
    group: "server",
    title: "open the pages of the gateway in a browser",
    about:
      "Prints a link that signs in once, within five minutes, and opens it where there is a desktop. Other users of this machine can see it while the browser starts: with --no-open they cannot.",
    operands: [],
    flags: { "no-open": { form: "switch", about: "Only print the link." } },
    examples: ["crest console --no-open"],
  },
  completion: {
    group: "server",
    title: "print what a shell needs to complete commands",
    about:
      "bash: source <(crest completion bash). zsh: the same, below compinit. fish: crest completion fish > ~/.config/fish/completions/crest.fish. Names of containers, pods and images come from the gateway.",
    operands: ["bash|zsh|fish"],
    flags: {},
    examples: ["crest completion bash"],
  },
} as const satisfies { readonly [name: string]: Declaration };
