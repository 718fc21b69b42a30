/** The gateway's own query parameters, as routes declare them and the binder reads them. */
import { checks, schemas } from "./gen/parameters.ts";

/** One of the gateway's own parameters, not a CRI field. */
export interface GatewayParam {
  /** The allowed values, if limited. */
  readonly words?: readonly string[];
  readonly type: "string" | "boolean" | "integer";
  /** Used if the parameter is absent. */
  readonly default?: string | boolean | number;
  readonly minimum?: number;
  readonly maximum?: number;
  /** 1 where an empty text is refused. */
  readonly minLength?: number;
  readonly description: string;
  /** Whether a value matches the schema. */
  readonly check: (value: unknown) => boolean;
}

/** The values of the gateway's own parameters in a request, by name. */
export type GatewayParamValues = { readonly [name: string]: string | number | boolean };

/** A schema property as plain JSON Schema. */
interface Property {
  readonly type?: string;
  readonly anyOf?: readonly { readonly const: string }[];
  readonly default?: string | boolean | number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly description: string;
}

/** Returns the gateway's own parameters of a route, by name. */
export function parametersFor(id: keyof typeof schemas): { readonly [name: string]: GatewayParam } {
  const properties: { readonly [name: string]: Property } = schemas[id].properties;
  const checkOf: { readonly [name: string]: (value: unknown) => boolean } = checks[id];
  return Object.fromEntries(
    Object.entries(properties).map(([name, { type, anyOf, ...rest }]) => {
      const check = checkOf[name];
      if (check === undefined) throw new TypeError(`No check for parameter ${name} of ${id}`);
      const words = anyOf === undefined ? {} : { words: anyOf.map((one) => one.const) };
      return [name, { ...rest, ...words, type: (type ?? "string") as GatewayParam["type"], check }];
    }),
  );
}
