/** What programs import from the package. */
export { StartError } from "./errors.ts";
export { type RunningGateway, type StartOptions, startGateway } from "./start-gateway.ts";
export { version } from "./version.ts";
