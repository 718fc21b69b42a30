/** `crest ps` */
import type { Container } from "../../client/index.ts";
import type { Run } from "../context.ts";
import { age } from "../output/age.ts";
import { type Column, table } from "../output/table.ts";
import { write } from "../terminal.ts";

const columns: readonly Column<Container>[] = [
  { title: "CONTAINER", value: ({ id }) => id.slice(0, 13) },
  { title: "NAME", value: ({ metadata }) => metadata?.name ?? "-" },
  { title: "STATE", value: ({ state }) => (state ?? "").replace("CONTAINER_", "").toLowerCase() },
  { title: "AGE", value: ({ createdAt }) => age(Number(createdAt) / 1e6) },
];

export const run: Run<"ps"> = async ({ flags, stdout, signal, connect }) => {
  const { crest } = await connect();
  const state = flags.all ? undefined : "CONTAINER_RUNNING";
  const rows: Container[] = [];
  for await (const container of crest.listContainers({ state }, { signal })) rows.push(container);
  await write(stdout, table(columns, rows));
  return 0;
};
