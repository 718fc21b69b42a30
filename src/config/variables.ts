/** Collects what the variables of an environment or a file say for each setting. */
import { StartError } from "../errors.ts";
import type { EnvLine } from "./env-file.ts";
import { nearestSetting } from "./nearest-setting.ts";
import { type Setting, settings } from "./settings.ts";
import type { Written, WrittenSettings } from "./values.ts";

const byVariable = new Map(settings.map((setting) => [setting.variable, setting]));

/**
 * Variables that Kubernetes sets in every pod of a namespace that has a Service named `crest`: CREST_SERVICE_HOST,
 * CREST_SERVICE_PORT_HTTP, CREST_PORT, CREST_PORT_8585_TCP_ADDR.
 */
const ofServiceCrest = /^CREST_(SERVICE_.*|PORT|PORT_.*)$/;
/** The same for a Service whose name begins with `crest-`. Its CREST_X_PORT holds a URL. */
const ofOtherService = [
  /^CREST_\w+_SERVICE_HOST$/,
  /^CREST_\w+?_SERVICE_PORT(_|$)/,
  /^CREST_\w+_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/,
];
const ofOtherServicePort = /^CREST_\w+_PORT=(tcp|udp|sctp):\/\//;
/** Of the commands that are clients of a gateway. One environment may serve both. */
const ofClient = /^CREST_(SERVER|TOKEN)$/;
/** The test suite's own switches. Its processes pass them on to the gateways they start. */
const ofTests = /^CREST_TEST_/;

function isNotOurs(name: string, value: string): boolean {
  return (
    ofServiceCrest.test(name) ||
    ofOtherService.some((pattern) => pattern.test(name)) ||
    ofOtherServicePort.test(`${name}=${value}`) ||
    ofClient.test(name) ||
    ofTests.test(name)
  );
}

/**
 * Returns the settings in an environment. Ignores names that do not begin with CREST_, and those that Kubernetes, the
 * test suite or the clients of gateways set.
 *
 * @throws {StartError} for any other CREST_ variable.
 */
export function readEnvironment(env: { readonly [name: string]: string | undefined }): WrittenSettings {
  const found = new Map<string, readonly Written[]>();
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || !name.startsWith("CREST_")) continue;
    const setting = byVariable.get(name);
    if (setting) found.set(setting.key, writtenOf(setting, text, "environment"));
    else if (!isNotOurs(name, text)) throw unknownVariable(name, "environment");
  }
  return found;
}

/**
 * Returns the settings in a file of variables. The file is for Crest alone, so every name must be one of its settings.
 *
 * @throws {StartError} for any other name.
 */
export function readEnvLines(lines: readonly EnvLine[], path: string): WrittenSettings {
  const found = new Map<string, readonly Written[]>();
  for (const { name, value, line } of lines) {
    const source = `${path}, line ${line}`;
    const setting = byVariable.get(name);
    if (!setting) throw unknownVariable(name, source);
    if (setting.key === "config") throw new StartError(`${name} (${source}): a file cannot name another one`);
    found.set(setting.key, writtenOf(setting, value, source));
  }
  return found;
}

function writtenOf({ variable }: Setting, text: string, source: string): readonly Written[] {
  return [{ text, place: `${variable}=${text} (${source})` }];
}

function unknownVariable(name: string, source: string): StartError {
  const near = nearestSetting(name, [...byVariable.keys()]);
  const hint = near === undefined ? "see .env.example" : `did you mean ${near}?`;
  return new StartError(`${name} (${source}): unknown variable, ${hint}`);
}
