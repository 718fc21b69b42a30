/** Variables of the environment or of a file -> what was written for each setting. */
import { StartError } from "../errors.ts";
import type { EnvLine } from "./env-file.ts";
import { nearestSetting } from "./nearest-setting.ts";
import { type Setting, settings } from "./settings.ts";
import type { Written, WrittenSettings } from "./values.ts";

const byVariable = new Map(settings.map((setting) => [setting.variable, setting]));

/**
 * What Kubernetes puts into the environment of every pod for a Service named `crest` in its
 * namespace: CREST_SERVICE_HOST, CREST_SERVICE_PORT_HTTP, CREST_PORT, CREST_PORT_8585_TCP_ADDR.
 */
const ofServiceCrest = /^CREST_(SERVICE_.*|PORT|PORT_.*)$/;
/** The same for a Service whose name begins with `crest-`; its CREST_X_PORT holds a URL. */
const ofOtherService = [
  /^CREST_\w+_SERVICE_HOST$/,
  /^CREST_\w+?_SERVICE_PORT(_|$)/,
  /^CREST_\w+_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/,
];
const ofOtherServicePort = /^CREST_\w+_PORT=(tcp|udp|sctp):\/\//;
/** The test suite's own switches: its processes hand them on to the gateways that they start. */
const ofTests = /^CREST_TEST_/;

function isNotOurs(name: string, value: string): boolean {
  return (
    ofServiceCrest.test(name) ||
    ofOtherService.some((pattern) => pattern.test(name)) ||
    ofOtherServicePort.test(`${name}=${value}`) ||
    ofTests.test(name)
  );
}

/**
 * The settings in an environment. Names that do not begin with CREST_ are not looked at, and those
 * that Kubernetes or the test suite sets are left alone.
 *
 * @throws {StartError} any other CREST_ variable.
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
 * The settings in a file of variables. A file is written for Crest alone, so that every name must be
 * one of its settings.
 *
 * @throws {StartError} any other name.
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
  return [{ text, place: `${variable}=${text} (${source})`, bare: `${variable}=true` }];
}

function unknownVariable(name: string, source: string): StartError {
  const near = nearestSetting(name, [...byVariable.keys()]);
  const hint = near === undefined ? ".env.example shows all" : `the nearest is ${near}`;
  return new StartError(`${name} (${source}): unknown variable, ${hint}`);
}
