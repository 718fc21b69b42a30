/** `crest inspect`, `inspectp` and `inspecti` */
import { CrestError } from "../../client/index.ts";
import type { Run } from "../context.ts";
import { jsonBody, printJson, printJsonBody } from "../output/json.ts";
import { printJsonLines, printYamlDocuments } from "../output/listing.ts";
import { tellFailure } from "../tell-failure.ts";
import { checkName } from "./each.ts";

const places = { inspect: "/v1/containers", inspectp: "/v1/pods", inspecti: "/v1/images" } as const;

export const run: Run<keyof typeof places> = async (ctx) => {
  const { name, flags, operands, stdout, stderr, signal } = ctx;
  const { crest } = await ctx.connect();
  const ask = (operand: string) => {
    const query = { verbose: flags.verbose || undefined };
    return crest.request("GET", `${places[name]}/${encodeURIComponent(checkName(operand))}`, {
      query,
      signal,
    });
  };
  const [first = "", ...others] = operands;
  if (others.length === 0 && (flags.output ?? "json") === "json") {
    await printJsonBody(await ask(first), stdout);
    return 0;
  }
  const answers: unknown[] = [];
  let code = 0;
  for (const operand of operands) {
    try {
      answers.push(await jsonBody(await ask(operand)));
    } catch (error) {
      if (!(error instanceof CrestError) || error.status === undefined || signal.aborted) throw error;
      tellFailure({ stderr }, error);
      code = 1;
    }
  }
  if (flags.output === "jsonl") await printJsonLines(answers, stdout);
  else if (flags.output === "yaml") await printYamlDocuments(answers, stdout);
  else await printJson(answers, stdout);
  return code;
};
