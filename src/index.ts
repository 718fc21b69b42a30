/** The public API of the package. */
export type {
  GatewaySettings,
  GrantOptions,
  GrantRules,
  JwtAlgorithm,
  JwtOptions,
  ListenAddress,
  TlsOptions,
} from "./config/options.ts";
export {
  createGateway,
  type Gateway,
  type GatewayOptions,
  type LogDetails,
  type Logger,
  type TracerProvider,
} from "./create-gateway.ts";
export { StartError } from "./errors.ts";
export { version } from "./version.ts";
