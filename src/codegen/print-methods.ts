/** Prints `gen/methods.ts`: the RPCs, as types and as data for calls. */
import type { Model, RpcModel } from "./model.ts";
import { docComment } from "./text.ts";

export function printMethods({ rpcs }: Model): string {
  const used = new Set(rpcs.flatMap(({ request, response }) => [request, response]));
  return [
    "import type {",
    ...["MessageName", ...used].sort().map((name) => `  ${name},`),
    '} from "./messages.ts";',
    "",
    "/** Every RPC, with its message types. */",
    "export interface Methods {",
    ...rpcs.map(printType),
    "}",
    "",
    "/** An RPC's name: `Service/Method`. */",
    "export type Rpc = keyof Methods;",
    "",
    "/** What a call needs to know about an RPC. */",
    "export interface Method {",
    "  /** Path of its HTTP/2 requests. */",
    "  readonly path: string;",
    "  readonly request: MessageName;",
    "  readonly response: MessageName;",
    "  /** Whether it returns a stream of responses. */",
    "  readonly stream: boolean;",
    "}",
    "",
    "export const methods: { readonly [R in Rpc]: Method } = {",
    ...rpcs.map(printEntry),
    "};",
    "",
  ].join("\n");
}

function printType({ name, comment, request, response, stream }: RpcModel): string {
  return `${docComment(comment, "  ")}  readonly "${name}": { readonly request: ${request}; readonly response: ${response}; readonly stream: ${stream} };`;
}

function printEntry({ name, path, request, response, stream }: RpcModel): string {
  return `  "${name}": { path: "${path}", request: "${request}", response: "${response}", stream: ${stream} },`;
}
