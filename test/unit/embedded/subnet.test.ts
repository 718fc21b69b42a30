import assert from "node:assert/strict";
import { test } from "node:test";
import {
  chooseSubnet,
  overlaps,
  parseSubnet,
  type Subnet,
  subnetText,
} from "../../../src/embedded/subnet.ts";

function subnet(text: string): Subnet {
  return parseSubnet(text) ?? assert.fail(text);
}

function choose(taken: readonly string[], remembered?: string, seed = 0): string | undefined {
  const choice = chooseSubnet({
    taken: taken.map(subnet),
    remembered: remembered === undefined ? undefined : subnet(remembered),
    seed,
  });
  return choice && subnetText(choice);
}

test("parseSubnet() clears host bits, takes lone addresses and refuses other text", () => {
  assert.equal(subnetText(subnet("192.0.2.77/24")), "192.0.2.0/24");
  assert.equal(subnetText(subnet("255.255.255.255")), "255.255.255.255/32");
  assert.equal(subnetText(subnet("1.2.3.4/0")), "0.0.0.0/0");
  for (const text of ["default", "1.2.3", "1.2.3.256", "1.2.3.4/33", "fe80::/64", "undefined/undefined"]) {
    assert.equal(parseSubnet(text), undefined, text);
  }
});

test("overlaps() holds for equal and nested subnets and not for neighbours", () => {
  assert.ok(overlaps(subnet("10.88.0.0/24"), subnet("10.88.0.0/24")));
  assert.ok(overlaps(subnet("10.88.0.0/24"), subnet("10.88.0.9/32")));
  assert.ok(overlaps(subnet("10.88.0.9/32"), subnet("10.0.0.0/8")));
  assert.ok(!overlaps(subnet("10.88.0.0/24"), subnet("10.88.1.0/24")));
});

test("chooseSubnet() begins at the seed and goes round", () => {
  assert.equal(choose([]), "10.88.0.0/24");
  assert.equal(choose([], undefined, 257), "10.89.1.0/24");
  assert.equal(choose([], undefined, 0xffffffff), "10.95.255.0/24");
  assert.equal(choose(["10.95.255.0/24"], undefined, 0xffffffff), "10.88.0.0/24");
});

test("chooseSubnet() keeps the remembered one until something else has it", () => {
  assert.equal(choose([], "10.90.7.0/24"), "10.90.7.0/24");
  assert.equal(choose(["10.90.7.3/32"], "10.90.7.0/24"), "10.88.0.0/24");
  assert.equal(choose([], "10.0.0.0/8"), "10.88.0.0/24");
});

test("chooseSubnet() avoids every route, and searches elsewhere when 10/8 is one", () => {
  assert.equal(choose(["10.88.0.0/16", "10.89.0.0/24"]), "10.89.1.0/24");
  assert.equal(choose(["10.0.0.0/8"]), "172.24.0.0/24");
  assert.equal(choose(["10.0.0.0/8", "172.16.0.0/12"]), "192.168.128.0/24");
  assert.equal(choose(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]), undefined);
});

test("chooseSubnet() is not stopped by routes for everything else", () => {
  assert.equal(choose(["0.0.0.0/1", "128.0.0.0/1"]), "10.88.0.0/24");
});
