/** `crest sessions` */
import type { KeptSession } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import type { Run } from "../context.ts";
import { age } from "../output/age.ts";
import { shortIds } from "../output/short-ids.ts";
import type { Column } from "../output/table.ts";
import { write } from "../terminal.ts";
import { runList } from "./list.ts";

export const run: Run<"sessions"> = async (ctx) => {
  const { flags, signal, stdout } = ctx;
  if (flags.end.length > 0) {
    if (flags.output !== undefined || flags.quiet)
      throw new StartError("--end prints the ids of what it ended, so leave out -o or -q");
    const { crest } = await ctx.connect();
    for (const sessionId of flags.end) {
      const { id } = await crest.endSession({ sessionId }, { signal });
      await write(stdout, `${id}\n`);
    }
    return 0;
  }
  await runList<KeptSession, KeptSession>(
    ctx,
    { path: "/v1/sessions", query: {}, member: "sessions" },
    (rows) => ({
      rows,
      columns: columnsOf(rows, flags["no-trunc"]),
      ids: rows.map(({ id }) => id),
      names: rows.map(({ id }) => id),
    }),
  );
  return 0;
};

/** Ids of sessions are whole: the API takes no prefixes of them. */
function columnsOf(rows: readonly KeptSession[], isWhole: boolean): readonly Column<KeptSession>[] {
  const containerOf = isWhole ? (id: string) => id : shortIds(rows.map(({ containerId }) => containerId));
  return [
    { title: "SESSION", value: ({ id }) => id },
    { title: "TYPE", value: ({ type, tty }) => (tty ? `${type} -t` : type) },
    { title: "CONTAINER", value: ({ containerId }) => containerOf(containerId) },
    { title: "STATE", value: stateOf },
    { title: "AGE", value: ({ begun }) => age(Date.parse(begun)) },
    { title: "CALLER", value: ({ caller }) => caller, wide: true },
    { title: "INPUT", value: ({ input }) => String(input), align: "right", wide: true },
    { title: "OUTPUT", value: ({ output }) => String(output), align: "right", wide: true },
  ];
}

function stateOf({ connected, ends, exited }: KeptSession): string {
  if (connected) return "connected";
  const seconds = ends === undefined ? 0 : Math.max(0, Math.round((Date.parse(ends) - Date.now()) / 1000));
  return `${exited ? "exited" : "waits"}, ${seconds} s left`;
}
