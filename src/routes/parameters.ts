/** The gateway's own query parameters, as the routes declare and the binder reads them. */
import { checks, schemas } from "./gen/parameters.ts";

/** A parameter of the gateway's own, not a field of CRI. */
export interface GatewayParam {
  /** The only texts that it may be. */
  readonly words?: readonly string[];
  readonly type: "string" | "boolean" | "integer";
  /** Its value when it is absent. */
  readonly default?: string | boolean | number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly description: string;
  /** Whether a value is as the schema says. */
  readonly check: (value: unknown) => boolean;
}

/** The values of a request's own parameters by name. */
export type GatewayParamValues = { readonly [name: string]: string | number | boolean };

/** A property of a schema as plain JSON Schema. */
interface Property {
  readonly type?: string;
  readonly anyOf?: readonly { readonly const: string }[];
  readonly default?: string | boolean | number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly description: string;
}

/** The gateway's own parameters of a route. */
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
