/** What commands that list items of the API have in common. */
import type { ListFailure } from "../../client/index.ts";
import type { Connection } from "../context.ts";
import { wholeNumber } from "../numbers.ts";
import { jsonBody, printJsonBody } from "../output/json.ts";
import { formatOf, type Listing, type ListingFlags, printListing } from "../output/listing.ts";
import { note, type Terminal } from "../terminal.ts";

/** A list of the API. */
export interface ListRequest<Item> {
  readonly path: `/${string}`;
  /** Parameters by name; those that are undefined are left out. */
  readonly query: object;
  /** The member of the answer with the items. */
  readonly member: string;
  /** A selection that the API does not make. Default: every item. */
  readonly keep?: ((item: Item) => boolean) | undefined;
  /** Only so many of the first. Default: all. */
  readonly last?: number | undefined;
}

export interface ListContext extends Terminal {
  readonly flags: ListingFlags;
  connect(): Promise<Connection>;
}

/** The most that the API gives in one page. */
const maxLimit = 1000;

/**
 * Asks for the list, and prints what `show` makes of it. `-o json` without a selection of ours is passed on as it arrives.
 * Items that the runtime could not read are named on stderr.
 */
export async function runList<Item, Row>(
  ctx: ListContext,
  { path, query, member, keep, last }: ListRequest<Item>,
  show: (items: readonly Item[], crest: Connection["crest"]) => Promise<ListingOf<Row>> | ListingOf<Row>,
): Promise<void> {
  const { flags, stdout, signal } = ctx;
  const format = formatOf(flags);
  const { crest } = await ctx.connect();
  const isCut = last !== undefined && (keep !== undefined || last > maxLimit);
  const limit = isCut ? undefined : last;
  const response = await crest.request("GET", path, { query: { ...query, limit }, signal });
  if (format === "json" && keep === undefined && !isCut) return printJsonBody(response, stdout);
  const page = await jsonBody<Page<Item>>(response);
  const all = page[member] as readonly Item[];
  const items = all.filter((item) => keep?.(item) ?? true).slice(0, last);
  await printListing(stdout, flags, {
    ...(await show(items, crest)),
    answer: { ...page, [member]: items },
    items,
  });
  for (const { id, detail } of page.failures ?? [])
    await note(ctx.stderr, `${id} could not be read and is missing: ${detail}`);
}

type Page<Item> = { readonly [member: string]: readonly Item[] } & {
  readonly failures?: readonly ListFailure[];
};

type ListingOf<Row> = Omit<Listing<Row>, "answer" | "items">;

/** `--latest` and `--last COUNT`; undefined for all. @throws {StartError} */
export function countOf(flags: {
  readonly latest: boolean;
  readonly last: string | undefined;
}): number | undefined {
  const last = flags.last === undefined ? undefined : wholeNumber("--last", flags.last);
  if (last !== undefined && last > 0) return last;
  return flags.latest ? 1 : undefined;
}

/** What all `--label` together select; undefined for everything. */
export const selectorOf = (labels: readonly string[]): string | undefined =>
  labels.length === 0 ? undefined : labels.join(",");
