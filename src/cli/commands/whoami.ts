/** `crest whoami` */
import type { GetGrantsAnswer, Granted } from "../../client/index.ts";
import { allGrants } from "../../grants.ts";
import type { Run } from "../context.ts";
import { duration } from "../output/age.ts";
import { facts, section } from "../output/facts.ts";
import { jsonBody, printJsonBody } from "../output/json.ts";
import { printTable, printYaml } from "../output/listing.ts";
import type { Column } from "../output/table.ts";
import { write } from "../terminal.ts";

const columns: readonly Column<Granted>[] = [
  { title: "GRANT", value: ({ grant }) => grant },
  {
    title: "ONLY",
    value: ({ only, within = [] }) =>
      only === undefined ? "everything" : [only, ...within].map((texts) => texts.join(",")).join(" and "),
    shrinksTo: 20,
  },
  { title: "EXCEPT", value: ({ except = [] }) => except.join(",") || "-", shrinksTo: 12 },
];

export const run: Run<"whoami"> = async ({ flags, stdout, signal, connect }) => {
  const { crest, address } = await connect();
  const response = await crest.request("GET", "/v1/grants", { signal });
  if (flags.output === "json") {
    await printJsonBody(response, stdout);
    return 0;
  }
  const answer = await jsonBody<GetGrantsAnswer>(response);
  if (flags.output === "yaml") {
    await printYaml(answer, stdout);
    return 0;
  }
  const { name, tokenFile, expires, limits, grants } = answer;
  await write(
    stdout,
    `${facts([
      ["Caller", name],
      ["Gateway", address],
      ["Token", tokenFile],
      ["Expires", expires === undefined ? "never" : expiryText(expires)],
      ["Limits", limitsText(limits)],
    ])}\n`,
  );
  await printTable(stdout, { output: flags.output, "no-trunc": flags["no-trunc"] }, columns, grants);
  const granted = new Set(grants.map(({ grant }) => grant));
  const denied = allGrants.filter((grant) => !granted.has(grant));
  if (denied.length > 0) await write(stdout, section("Not granted", [denied.join(", ")]));
  return 0;
};

function expiryText(expires: string): string {
  const leftMs = Date.parse(expires) - Date.now();
  return leftMs > 0 ? `${expires}, in ${duration(leftMs)}` : `${expires}, which has passed`;
}

function limitsText(limits: GetGrantsAnswer["limits"]): string | undefined {
  const texts = Object.entries(limits).map(([name, max]) => `${name} ${max}`);
  return texts.length === 0 ? undefined : texts.join(", ");
}
