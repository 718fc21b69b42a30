/** `crest completion` */
import { type Shell, scripts } from "../completion/scripts.ts";
import type { Run } from "../context.ts";
import { write } from "../terminal.ts";

export const run: Run<"completion"> = async ({ operands, stdout }) => {
  await write(stdout, scripts[operands[0] as Shell]);
  return 0;
};
