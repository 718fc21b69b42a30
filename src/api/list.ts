/**
 * Handles list routes: filters (the runtime's and ours), one stable order, pages and an ETag; or NDJSON as the items
 * arrive. Works on wire bytes, and decodes only the fields that order and filters need.
 */

import type { FastifyReply, FastifyRequest } from "fastify";
import { normalReference } from "../access/reference.ts";
import type { FailedMember } from "../cri/channel.ts";
import { fieldAt, fieldNumbers, type Items, writeItems } from "../cri/codec.ts";
import { rpcRules } from "../cri/rpc-rules.ts";
import { methods } from "../gen/methods.ts";
import { accountOf } from "../limits/caller-limiter.ts";
import type { ListRoute, PostFilter } from "../routes/define.ts";
import { imageIdDigits } from "../runtimes/image-id.ts";
import { noneMatch, weakEtag } from "../server/etag.ts";
import { type FieldPath, int64At, mapAt, scanItems, stringAt, stringsAt } from "../wire/scan.ts";
import type { Written } from "../wire/write-json.ts";
import { type Bound, createBinder, invalid } from "./bind.ts";
import type { RequestContext } from "./context.ts";
import { gatherFailures } from "./failed-members.ts";
import { encodeBound, type Gateway } from "./gateway.ts";
import { equalities, matchesLabels, parseLabelSelector, type Requirement } from "./label-selector.ts";
import { createLines, ndjson } from "./lines.ts";
import { type Choose, nameFilter, type Wanted } from "./name-filter.ts";
import { negotiate } from "./negotiate.ts";
import { writeWithin } from "./output-budget.ts";
import { continueToken, type Page, type Position, pageParameters, parsePage } from "./page.ts";
import type { RouteKind } from "./stages.ts";
import { type Sendable, sendWritten } from "./unary.ts";

const json = "application/json";

/** One page as text, with its ETag unless the route is volatile. */
interface Answer {
  readonly bytes: Buffer;
  readonly etag: string | undefined;
}

/** The parameters of a list request. */
interface ListPlan {
  readonly media: typeof json | typeof ndjson;
  readonly query: RequestContext["parts"]["query"];
  readonly requirements: readonly Requirement[];
}

type Send = (request: FastifyRequest, reply: FastifyReply) => FastifyReply;

/** `call` reads the items and returns a function that sends them. */
export function listKind(route: ListRoute, gateway: Gateway): RouteKind<ListRoute, ListPlan, Send> {
  const { rpc } = route;
  const { runtime, share, inventory } = gateway;
  const binder = createBinder(route, route.labels ? [...pageParameters, "labelSelector"] : pageParameters);
  const { type: item, number: itemNumber } = fieldAt(methods[rpc].response, route.items);
  const order = orderOf(route, item);
  const labelsPath = route.labelsOf === undefined ? undefined : fieldNumbers(item, route.labelsOf);
  const postFilter = route.postFilter === undefined ? undefined : postFilters[route.postFilter](item);
  const byName = nameFilter(route, item, inventory);
  const sent = route.postFilter === "imageNames" ? withoutImageId : asBound;
  const deadlineMs = rpcRules[rpc].deadlineMs;
  const lines = createLines(route, gateway);

  return {
    binder,
    bind(ctx) {
      const media = negotiate(ctx.request.headers.accept, [json, ndjson]);
      const { query } = ctx.parts;
      const requirements = selectorOf(query.labelSelector);
      ctx.bound = binder.bind(ctx.parts);
      if (route.labels !== undefined && requirements.length > 0)
        putLabels(ctx.bound, route.labels, requirements);
      return { media, query, requirements };
    },
    call: async (ctx, { media, query, requirements }) => {
      const { bound } = ctx;
      const filters = JSON.stringify([
        route.id,
        bound.message,
        bound.gatewayParams,
        query.labelSelector ?? null,
      ]);
      const wire = encodeBound(rpc, sent(bound.message), binder);
      // After the encoder, which refuses oversized values.
      const choose = chosenBy(bound, requirements);
      if (media === ndjson) {
        refusePaging(query);
        const text = await lines(ctx, { wire, choose });
        return (_request, reply) => reply.type(ndjson).send(text);
      }
      const page = parsePage(query, filters);
      const key = `${filters}${JSON.stringify([query.limit, query.continue, ctx.caller.name])}`;
      const shared = await share({ key, deadlineMs, onCancel: ctx.onCancel }, async (onCancel) => {
        const written = await writeWithin(gateway.budget, accountOf(ctx.caller), async () => {
          const { failures, onFailedMember } = gatherFailures();
          const account = accountOf(ctx.caller);
          const options = { deadlineMs, onCancel, onFailedMember, account };
          const reply = await runtime.call(rpc, wire, options);
          const items = scanItems(reply, itemNumber);
          const wanted = await choose?.(items);
          return writePage(items, { page, filters, wanted, failures: failures() });
        });
        const etag = route.volatile ? undefined : weakEtag(written.bytes);
        return { value: { bytes: written.bytes, etag } satisfies Answer, release: written.release };
      });
      return (request, reply) => sendPage(request, reply, { ...shared.value, release: shared.release });
    },
    answer: ({ request, reply }, send) => send(request, reply),
  };

  function chosenBy(
    { message, gatewayParams }: Bound,
    requirements: readonly Requirement[],
  ): Choose | undefined {
    const chooseNames = byName?.(gatewayParams);
    const here: Wanted[] = [];
    // The runtime's label matching may be looser than Kubernetes', so check again here.
    if (requirements.length > 0 && labelsPath) {
      here.push((items, index) => matchesLabels(requirements, mapAt(items, index, labelsPath)));
    }
    const filtered = postFilter?.(message);
    if (filtered) here.push(filtered);
    if (here.length === 0) return chooseNames;
    return async (items) => {
      const all = [...here, ...(chooseNames === undefined ? [] : [await chooseNames(items)])];
      return (_, index) => all.every((holds) => holds(items, index));
    };
  }

  function writePage(items: Items, { page, filters, wanted, failures }: PageOptions): Written {
    const chosen: number[] = [];
    for (let index = 0; index < items.length; index++)
      if (!wanted || wanted(items, index)) chosen.push(index);
    const { compare, isAfter, positionOf } = order(items);
    chosen.sort(compare);
    const { after, limit } = page;
    const from = after === undefined ? 0 : firstAfter(chosen, (index) => isAfter(index, after));
    const shown = chosen.slice(from, limit === undefined ? undefined : from + limit);
    const last = shown.at(-1);
    const more = last !== undefined && from + shown.length < chosen.length;
    const failed = failures.length > 0 ? `,"failures":${JSON.stringify(failures)}` : "";
    const next = more ? `,"continue":${JSON.stringify(continueToken(positionOf(last), filters))}` : "";
    return writeItems(item, items, {
      pool: gateway.pool,
      order: shown,
      prefix: `{"${route.items}":[`,
      suffix: `]${failed}${next}}\n`,
    });
  }
}

interface PageOptions {
  readonly page: Page;
  readonly filters: string;
  readonly wanted: Wanted | undefined;
  /** Members that the runtime could not read. They are missing from the items. */
  readonly failures: readonly FailedMember[];
}

function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  { etag, ...written }: Answer & Sendable,
): FastifyReply {
  if (etag === undefined) return sendWritten(reply, written);
  reply.header("etag", etag);
  if (!noneMatch(request.headers["if-none-match"], etag)) return sendWritten(reply, written);
  written.release();
  return reply.code(304).send();
}

/** The first index of a sorted list for which `holds`; its length if there is none. */
function firstAfter(sorted: readonly number[], holds: (index: number) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(sorted[middle] ?? 0)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The order of a reply's items, by index. */
interface Order {
  compare(a: number, b: number): number;
  isAfter(index: number, position: Position): boolean;
  positionOf(index: number): Position;
}

/** Compiles `["-createdAt", "id"]` for the items of a message. */
function orderOf({ order }: ListRoute, item: string): (items: Items) => Order {
  const fields = order.map((name) => {
    const descending = name.startsWith("-");
    const path = descending ? name.slice(1) : name;
    const numbers = fieldNumbers(item, path);
    const isText = fieldAt(item, path).type === "string";
    const read = (items: Items, index: number) =>
      isText ? stringAt(items, index, numbers) : int64At(items, index, numbers);
    return { sign: descending ? -1 : 1, read };
  });
  return (items) => {
    // Read a field only when a comparison needs it: most items differ in the first one.
    const columns = fields.map(({ sign, read }) => {
      const known = new Array<Position[number] | undefined>(items.length);
      const at = (index: number): Position[number] => {
        known[index] ??= read(items, index);
        return known[index];
      };
      return { sign, at };
    });
    return {
      compare(a, b) {
        for (const { sign, at } of columns) {
          const left = at(a);
          const right = at(b);
          if (left !== right) return left < right ? -sign : sign;
        }
        return 0;
      },
      isAfter(index, position) {
        for (const [place, { sign, at }] of columns.entries()) {
          const left = at(index);
          const right = position[place] ?? "";
          if (left !== right) return left > right === sign > 0;
        }
        return false;
      },
      positionOf: (index) => columns.map(({ at }) => at(index)),
    };
  };
}

function selectorOf(text: string | readonly string[] | undefined): readonly Requirement[] {
  if (text === undefined) return [];
  if (typeof text !== "string") throw invalid([{ parameter: "labelSelector", detail: "must be given once" }]);
  return parseLabelSelector(text);
}

/** Passes to the runtime the terms that it can apply, so that it sends fewer items. */
function putLabels({ message }: Bound, path: string, requirements: readonly Requirement[]): void {
  const labels = equalities(requirements);
  if (!labels) return;
  const [filter = "", selector = ""] = path.split(".");
  message[filter] = { ...(message[filter] as object | undefined), [selector]: labels };
}

function refusePaging(query: { readonly [name: string]: unknown }): void {
  const given = pageParameters.filter((name) => query[name] !== undefined);
  if (given.length > 0) {
    throw invalid(
      given.map((parameter) => ({
        parameter,
        detail: `cannot be combined with ${ndjson}, which returns all items as a stream`,
      })),
    );
  }
}

const asBound = (message: Bound["message"]): Bound["message"] => message;

/** The message for the runtime, without an image id: the filters of Docker and CRI-O match nothing for one. */
function withoutImageId(message: Bound["message"]): Bound["message"] {
  if (imageIdDigits(askedImage(message)) === undefined) return message;
  const { filter: _, ...others } = message;
  return others;
}

const askedImage = (message: Bound["message"]): string =>
  String((message.filter as { image?: { image?: unknown } } | undefined)?.image?.image ?? "");

/** Filters applied here because not every runtime applies them. */
const postFilters: {
  readonly [R in PostFilter]: (item: string) => (message: Bound["message"]) => Wanted | undefined;
} = {
  /** containerd returns every image, whatever the filter says. */
  imageNames(item) {
    const id = fieldNumbers(item, "id");
    const names: readonly FieldPath[] = [fieldNumbers(item, "repoTags"), fieldNumbers(item, "repoDigests")];
    return (message) => {
      const asked = askedImage(message);
      if (asked === "") return undefined;
      const normal = normalReference(asked);
      const digits = imageIdDigits(asked);
      return (items, index) =>
        (digits !== undefined && imageIdDigits(stringAt(items, index, id))?.startsWith(digits)) ||
        names.some((path) => stringsAt(items, index, path).some((name) => normalReference(name) === normal));
    };
  },
};
