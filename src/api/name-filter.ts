/** Chooses the items of a list by the parameters `name` and `namespace`, which CRI's filters do not have. */
import { fieldNumbers, type Items } from "../cri/codec.ts";
import type { Inventory } from "../inventory/inventory.ts";
import type { ListRoute } from "../routes/define.ts";
import type { GatewayParamValues } from "../routes/parameters.ts";
import { type FieldPath, stringAt } from "../wire/scan.ts";

/** Whether to include the item at an index. */
export type Wanted = (items: Items, index: number) => boolean;

/** Which of these items to include. */
export type Choose = (items: Items) => Wanted | Promise<Wanted>;

/** What chooses by the values of a request; undefined if it selects no names. */
type NameFilter = (values: GatewayParamValues) => Choose | undefined;

/** Compiles the filter for items of the message `item`; undefined for a list without names. */
export function nameFilter(
  { names }: ListRoute,
  item: string,
  inventory: Pick<Inventory, "podsOf">,
): NameFilter | undefined {
  if (names === undefined) return undefined;
  const namePath = fieldNumbers(item, names.name);
  const chooseNamespace = namespaceFilter(names.namespace, item, inventory);
  return ({ name, namespace }) => {
    const hasName: Wanted | undefined =
      name === undefined ? undefined : (items, index) => stringAt(items, index, namePath) === name;
    if (typeof namespace === "string") return chooseNamespace(namespace, hasName);
    return hasName && (() => hasName);
  };
}

type NamespaceField = NonNullable<ListRoute["names"]>["namespace"];

/** `others`: the other conditions, so that no pod is looked up for an item that they exclude. */
function namespaceFilter(
  field: NamespaceField,
  item: string,
  inventory: Pick<Inventory, "podsOf">,
): (namespace: string, others: Wanted | undefined) => Choose {
  if (typeof field === "string") {
    const path = fieldNumbers(item, field);
    return (namespace, others) => () => (items, index) =>
      stringAt(items, index, path) === namespace && (others?.(items, index) ?? true);
  }
  const [kind, idPath]: readonly ["pod" | "container", FieldPath] =
    "pod" in field
      ? ["pod", fieldNumbers(item, field.pod)]
      : ["container", fieldNumbers(item, field.container)];
  return (namespace, others = () => true) =>
    async (items) => {
      const ids = new Set<string>();
      for (let index = 0; index < items.length; index++)
        if (others(items, index)) ids.add(stringAt(items, index, idPath));
      const pods = await inventory.podsOf(kind, [...ids]);
      return (all, index) =>
        others(all, index) && pods.get(stringAt(all, index, idPath))?.namespace === namespace;
    };
}
