/** What is installed with the package runs on the oldest Node that the package names. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../support/repository.ts";

interface Locked {
  readonly dev?: boolean;
  readonly engines?: { readonly node?: string };
}

const read = (name: string) => JSON.parse(readFileSync(join(repositoryRoot(), name), "utf8"));

type Version = readonly [major: number, minor: number, patch: number];

function versionOf(text: string): Version {
  const [major = 0, minor = 0, patch = 0] = text.split(".").map((part) => Number.parseInt(part, 10) || 0);
  return [major, minor, patch];
}

function compare(a: Version, b: Version): number {
  const at = a.findIndex((part, index) => part !== b[index]);
  return at === -1 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

/** Whether a range of npm takes a version; the forms that packages use for Node. */
function takes(range: string, version: Version): boolean {
  return range.split("||").some((alternative) =>
    [...alternative.matchAll(/(>=|<=|>|<|\^|~|=)?\s*v?(\d+(?:\.[\dx*]+)*|\*)/g)].every(
      ([, operator, text = ""]) => {
        if (text === "*") return true;
        const bound = versionOf(text);
        const order = compare(version, bound);
        switch (operator) {
          case ">=":
            return order >= 0;
          case ">":
            return order > 0;
          case "<":
            return order < 0;
          case "<=":
            return order <= 0;
          case "~":
            return order >= 0 && version[0] === bound[0] && version[1] === bound[1];
          default:
            return version[0] === bound[0] && (operator !== "^" || order >= 0);
        }
      },
    ),
  );
}

test("takes() reads the ranges that packages write", () => {
  const version = versionOf("20.19.0");
  for (const range of [
    ">=18",
    ">= 0.8",
    "*",
    "^18 || ^20 || >=22",
    "20 || >=22",
    ">=20.18.1",
    ">=18 <23",
    "20.x",
  ])
    assert.ok(takes(range, version), range);
  for (const range of [">=22", ">=20.19.1", "^18 || >=22", "<20", "18.x", "^20.20.0"])
    assert.ok(!takes(range, version), range);
});

test("every package that users install takes the oldest Node that Crest takes", () => {
  const [, oldest = ""] = /^>=(\S+)$/.exec(read("package.json").engines.node) ?? [];
  const packages = Object.entries(read("package-lock.json").packages as { [path: string]: Locked });
  const installed = packages.filter(([path, { dev }]) => path !== "" && dev !== true);
  assert.ok(installed.length > 50);
  const refused = installed.filter(([, { engines }]) => !takes(engines?.node ?? "*", versionOf(oldest)));
  assert.deepEqual(
    refused.map(([path, { engines }]) => `${path} wants ${engines?.node}`),
    [],
  );
});
