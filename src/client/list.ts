/** Lists, page by page. */

/** A page of a list: its items under a name of their own, and how to get the next page. */
export interface AnyPage {
  /** Absent on the last page. */
  readonly continue?: string | undefined;
}

/**
 * A list. Nothing is requested before it is iterated or asked for a page.
 *
 * `for await (const item of list)` gives every item, in the list's order, and requests the pages as it goes: `limit` items
 * at a time, 500 by default. Items that the runtime could not read are only in the pages, as `failures`.
 */
export interface List<Item, Page extends AnyPage> extends AsyncIterable<Item> {
  /** One page, as `limit` and `continue` say; without `limit`, everything from `continue` on. @throws {CrestError} */
  page(): Promise<Page>;
  /** All pages, from `continue` on if that is given. @throws {CrestError} While iterating. */
  pages(): AsyncIterable<Page>;
}

/** What a list takes besides its filters. */
export interface Paging {
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
}

/** Items that iterating asks for at a time. */
export const defaultPageSize = 500;

export function createList<Item, Page extends AnyPage>(
  query: Paging,
  pageOf: (query: Paging) => Promise<Page>,
  itemsOf: (page: Page) => readonly Item[],
): List<Item, Page> {
  async function* pages(): AsyncGenerator<Page, void> {
    for (let next: string | undefined = query.continue; ; ) {
      const page: Page = await pageOf({ ...query, limit: query.limit ?? defaultPageSize, continue: next });
      yield page;
      next = page.continue;
      if (next === undefined) return;
    }
  }
  return {
    page: () => pageOf(query),
    pages,
    async *[Symbol.asyncIterator]() {
      for await (const page of pages()) yield* itemsOf(page);
    },
  };
}
