/** `crest pods` */
import type { PodSandbox } from "../../client/index.ts";
import type { Run } from "../context.ts";
import { age } from "../output/age.ts";
import { labelText } from "../output/labels.ts";
import { bareId, shortIds } from "../output/short-ids.ts";
import { stateName, stateStyle } from "../output/states.ts";
import type { Column } from "../output/table.ts";
import { countOf, runList, selectorOf } from "./list.ts";

export const run: Run<"pods"> = async (ctx) => {
  const { flags } = ctx;
  await runList<PodSandbox, PodSandbox>(
    ctx,
    {
      path: "/v1/pods",
      query: {
        id: flags.id,
        name: flags.name,
        namespace: flags.namespace,
        state: flags.state,
        labelSelector: selectorOf(flags.label),
      },
      member: "items",
      last: countOf(flags),
    },
    (rows) => ({
      rows,
      columns: columnsOf(rows, flags["no-trunc"]),
      ids: rows.map(({ id }) => id),
      names: rows.map((pod) => nameOf(pod) ?? pod.id),
    }),
  );
  return 0;
};

function columnsOf(rows: readonly PodSandbox[], isWhole: boolean): readonly Column<PodSandbox>[] {
  const idOf = isWhole ? bareId : shortIds(rows.map(({ id }) => id));
  return [
    { title: "POD ID", value: ({ id }) => idOf(id) },
    { title: "POD", value: (pod) => nameOf(pod) ?? "-", shrinksTo: 13 },
    { title: "STATE", value: ({ state }) => stateName(state), style: ({ state }) => stateStyle(state) },
    { title: "AGE", value: ({ createdAt }) => age(Number(createdAt) / 1e6) },
    { title: "ATTEMPT", value: ({ metadata }) => String(metadata?.attempt ?? 0), align: "right", wide: true },
    { title: "RUNTIME", value: ({ runtimeHandler }) => runtimeHandler || "(default)", wide: true },
    { title: "LABELS", value: ({ labels }) => labelText(labels), wide: true, shrinksTo: 12 },
  ];
}

const nameOf = ({ metadata }: PodSandbox): string | undefined =>
  metadata === undefined ? undefined : `${metadata.namespace}/${metadata.name}`;
