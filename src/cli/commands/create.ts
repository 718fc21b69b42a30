/** `crest create` and `crest runp`: crictl's files as they are. */
import type { Client } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import { printable } from "../../printable.ts";
import type { CommandContext, Run } from "../context.ts";
import { pullProgress } from "../output/pull-progress.ts";
import { pullImage } from "../pull-image.ts";
import { note, write } from "../terminal.ts";
import {
  type ConfigFile,
  readConfigFile,
  tellMistakes,
  valueIn,
  warningsIn,
  withMember,
} from "./config-file.ts";
import { checkName } from "./each.ts";

export const create: Run<"create"> = async (ctx) => {
  const [pod = "", path = ""] = ctx.operands;
  const file = await readConfigFile(ctx, path);
  const { crest } = await ctx.connect();
  if (ctx.flags["with-pull"]) await pullImageOf(ctx, crest, file);
  return post(ctx, crest, `/v1/pods/${encodeURIComponent(checkName(pod))}/containers`, file, "containerId");
};

export const runp: Run<"runp"> = async (ctx) => {
  const [path = ""] = ctx.operands;
  const { runtime } = ctx.flags;
  const read = await readConfigFile(ctx, path);
  const file = runtime === undefined ? read : await withMember(read, "runtimeHandler", runtime);
  const { crest } = await ctx.connect();
  return post(ctx, crest, "/v1/pods", file, "podSandboxId");
};

/** Sends the file, and prints the id in the answer. */
async function post(
  ctx: CommandContext<"create" | "runp">,
  crest: Client,
  path: `/${string}`,
  file: ConfigFile,
  member: "containerId" | "podSandboxId",
): Promise<number> {
  const { stdout, stderr, signal } = ctx;
  const { text: body, contentType } = file;
  try {
    const response = await crest.request("POST", path, { body, contentType, signal });
    const answer = (await response.json()) as { readonly [name: string]: unknown };
    for (const warning of warningsIn(response.headers.get("warning")))
      await note(stderr, `${file.name}: ${warning}`);
    await write(stdout, `${printable(String(answer[member]))}\n`);
    return 0;
  } catch (error) {
    await tellMistakes(ctx, file, error);
    return 1;
  }
}

async function pullImageOf(ctx: CommandContext<"create">, crest: Client, file: ConfigFile): Promise<void> {
  const image = (await valueIn(file, ["image", "image"])) ?? (await valueIn(file, ["image"]));
  if (typeof image !== "string")
    throw new StartError(`--with-pull: ${file.name} has no /image/image to pull`);
  const progress = pullProgress(ctx.stderr);
  try {
    await pullImage(crest, image, { progress, signal: ctx.signal });
  } finally {
    progress.clear();
  }
}
