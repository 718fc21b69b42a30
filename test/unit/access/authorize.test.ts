import assert from "node:assert/strict";
import { test } from "node:test";
import {
  arePullsNarrowed,
  authorize,
  type Caller,
  canChangeUnmanaged,
  canUse,
  requireGrant,
  requireManaged,
} from "../../../src/access/authorize.ts";
import { normalReference } from "../../../src/access/reference.ts";
import { readImagePrefix } from "../../../src/config/image-prefix.ts";
import { GatewayError } from "../../../src/errors.ts";
import { allGrants, type Grant, type GrantSet, grantWordNames } from "../../../src/grants.ts";

const caller = (allow: GrantSet, deny: GrantSet = {}, all = false): Caller => ({
  name: "test",
  grants: { all, allow, deny },
});
const everything = caller({}, {}, true);
const nothing = caller({});

/** The refusal of a call. */
function refusal(run: () => void): GatewayError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.code, "not_capable");
    assert.equal(error.status, 403);
    return error;
  }
  assert.fail("it was not refused");
}

const flagOf = (grant: Grant): string => `--allow-${grant.replace(":", "=")}`;

test("absence denies everything, -A allows everything", () => {
  for (const grant of allGrants) {
    assert.equal(canUse(grant, nothing), false, grant);
    assert.equal(canUse(grant, everything), true, grant);
    assert.equal(canUse(grant, everything, "any/resource:1"), true, grant);
  }
});

test("a grant holds for itself and for no other", () => {
  for (const word of grantWordNames) {
    const one = caller({ [word]: true });
    for (const grant of allGrants) {
      assert.equal(canUse(grant, one), grant.split(":")[0] === word, `${word} and ${grant}`);
    }
  }
});

test("a deny beats its allow, and -A", () => {
  for (const word of grantWordNames) {
    for (const denied of [caller({ [word]: true }, { [word]: true }), caller({}, { [word]: true }, true)]) {
      for (const grant of allGrants) {
        if (grant.split(":")[0] !== word) continue;
        assert.equal(canUse(grant, denied), false, grant);
        assert.equal(canUse(grant, denied, "docker.io/library/busybox:latest"), false, grant);
      }
    }
  }
});

test("a deny of one kind leaves the others", () => {
  const denied = caller({}, { read: ["pods", "images"] }, true);
  for (const grant of allGrants) {
    assert.equal(canUse(grant, denied), grant !== "read:pods" && grant !== "read:images", grant);
  }
});

test("reading narrowed to some kinds holds for these", () => {
  const narrowed = caller({ read: ["pods", "stats"] });
  for (const grant of allGrants) {
    assert.equal(canUse(grant, narrowed), grant === "read:pods" || grant === "read:stats", grant);
  }
  const both = caller({ read: ["pods", "stats"] }, { read: ["stats"] });
  assert.equal(canUse("read:pods", both), true);
  assert.equal(canUse("read:stats", both), false);
});

const pulls = (only: readonly string[], reference: string): boolean =>
  canUse("pull", caller({ pull: only }), normalReference(reference));

test("a pull narrowed to a prefix holds below it, by path segments", () => {
  for (const [prefix, reference] of [
    ["docker.io/library", "busybox"],
    ["docker.io/library", "docker.io/library/busybox:1.36"],
    ["docker.io/library/busybox", "busybox:1.36"],
    ["docker.io/library/busybox", `busybox@sha256:${"a".repeat(64)}`],
    ["docker.io/library/busybox", `busybox:1.36@sha256:${"a".repeat(64)}`],
    ["docker.io", "team/app"],
    ["docker.io", "index.docker.io/team/app"],
    ["quay.io/team", "quay.io/team/app/sub:1"],
    ["quay.io/team", "QUAY.io/team/app"],
    ["quay.io/team/", "quay.io/team/app"],
    ["localhost:5000", "localhost:5000/app"],
    ["registry.example:5000/a", "registry.example:5000/a/b"],
  ] as const) {
    assert.equal(pulls([prefix], reference), true, `${reference} below ${prefix}`);
    assert.equal(pulls(["other.example", prefix], reference), true);
  }
  for (const [prefix, reference] of [
    ["docker.io/lib", "busybox"],
    ["docker.io/library", "docker.io/library2/busybox"],
    ["docker.io/library", "docker.io/library-evil/busybox"],
    ["docker.io/library", "evil.example/docker.io/library/busybox"],
    ["docker.io/library/busybox", "busybox2"],
    ["docker.io/library/busybox", "busybox-evil:1"],
    ["docker.io/library", "library.evil.example/busybox"],
    ["docker.io", "docker.io.evil.example/library/busybox"],
    ["docker.io", "docker.iox/library/busybox"],
    ["docker.io", "UPPER/busybox"],
    ["quay.io/team", "quay.io/Team/app"],
    ["quay.io/team", "quay.io/teams/app"],
    ["quay.io/team", "quay.io/app"],
    ["quay.io/team/", "quay.io/team2/app"],
    // Another port is another registry.
    ["localhost", "localhost:5000/app"],
    ["registry.example", "registry.example:8443/app"],
    ["localhost:500", "localhost:5000/app"],
    ["localhost:5000", "localhost:50001/app"],
  ] as const) {
    assert.equal(pulls([prefix], reference), false, `${reference} is not below ${prefix}`);
  }
});

test("a denied prefix beats the wider grant, on every port of a registry", () => {
  for (const allow of [
    caller({ pull: true }, { pull: ["quay.io", "docker.io/evil"] }),
    caller({}, { pull: ["quay.io", "docker.io/evil"] }, true),
  ]) {
    for (const reference of [
      "quay.io/team/app",
      "quay.io:8443/team/app",
      "Quay.io/team/app",
      "evil/app",
      "evil/a/b",
      "docker.io:443/evil/app",
    ]) {
      assert.equal(canUse("pull", allow, normalReference(reference)), false, reference);
    }
    for (const reference of ["busybox", "evil2/app", "quay.io.example/app", "notquay.io/app"]) {
      assert.equal(canUse("pull", allow, normalReference(reference)), true, reference);
    }
    assert.equal(canUse("pull", allow), true, "what it pulls is not known yet");
  }
});

test("a denial of Docker Hub holds under each of its names, a grant for the name it says", () => {
  const names = ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];
  const isDenied = (prefix: string, reference: string): boolean =>
    !canUse("pull", caller({}, { pull: [readImagePrefix(prefix)] }, true), normalReference(reference));
  for (const denied of names) {
    for (const host of names) {
      for (const reference of [
        `${host}/library/busybox`,
        `${host}:443/library/busybox:1`,
        `${host}/busybox`,
      ]) {
        assert.equal(isDenied(denied, reference), true, `${reference} by ${denied}`);
        assert.equal(isDenied(`${denied}/library`, reference), true, `${reference} by ${denied}/library`);
        assert.equal(isDenied(`${denied}/busybox`, reference), true, `${reference} by ${denied}/busybox`);
        assert.equal(isDenied(`${denied}/busy`, reference), false, `${reference} by ${denied}/busy`);
      }
      assert.equal(isDenied(`${denied}/library`, `${host}/team/app`), false);
    }
    assert.equal(isDenied(denied, "busybox"), true, denied);
    assert.equal(isDenied(denied, "registry-2.docker.io/a/b"), false);
    assert.equal(isDenied(denied, "quay.io/docker.io/busybox"), false);
  }
  const granted = (prefix: string, reference: string): boolean => pulls([readImagePrefix(prefix)], reference);
  assert.equal(granted("docker.io", "registry-1.docker.io/library/busybox"), false);
  assert.equal(granted("registry-1.docker.io", "busybox"), false);
  assert.equal(granted("registry-1.docker.io", "registry-1.docker.io/library/busybox"), true);
  // Runtimes take these two for one name.
  assert.equal(granted("index.docker.io/library", "busybox"), true);
  assert.equal(granted("docker.io/busybox", "busybox"), false);
});

test("arePullsNarrowed() says whether some images may be pulled and others not", () => {
  for (const who of [nothing, everything, caller({ pull: true }), caller({}, { pull: true }, true)])
    assert.equal(arePullsNarrowed(who), false);
  const some = ["quay.io"];
  for (const who of [
    caller({ pull: some }),
    caller({ pull: true }, { pull: some }),
    caller({}, { pull: some }, true),
  ])
    assert.equal(arePullsNarrowed(who), true);
});

test("a narrowed pull is let through while its image is not known, and held when it is", () => {
  const narrowed = caller({ pull: ["docker.io/library"] });
  authorize({ allow: "pull" }, narrowed);
  authorize({ allow: "pull" }, narrowed, { resource: "docker.io/library/busybox:latest" });
  const error = refusal(() => authorize({ allow: "pull" }, narrowed, { resource: "quay.io/team/app:1" }));
  assert.match(
    error.message,
    /^Requires pull access to "quay.io\/team\/app:1", run again with --allow-pull=quay.io\/team\/app$/,
  );
  for (const [reference, prefix] of [
    ["localhost:5000/app", "localhost:5000/app"],
    [`quay.io/app@sha256:${"a".repeat(64)}`, "quay.io/app"],
    [`quay.io/app:1@sha256:${"a".repeat(64)}`, "quay.io/app"],
  ] as const) {
    const { message } = refusal(() => requireGrant("pull", narrowed, normalReference(reference)));
    assert.ok(message.endsWith(`run again with --allow-pull=${prefix}`), message);
    requireGrant("pull", caller({ pull: [readImagePrefix(prefix)] }), normalReference(reference));
  }
  assert.deepEqual(error.members, {
    grant: "pull",
    grants: ["pull"],
    resource: "quay.io/team/app:1",
  });
});

test("what needs the token alone needs nothing else", () => {
  authorize({ allow: "authenticated" }, nothing);
  authorize(
    { allow: "authenticated" },
    caller({}, Object.fromEntries(grantWordNames.map((word) => [word, true]))),
  );
});

test("the refusal names the flag and the grant", () => {
  for (const allow of allGrants) {
    const error = refusal(() => requireGrant(allow, nothing));
    assert.equal(error.message, `Requires ${allow.split(":")[0]} access, run again with ${flagOf(allow)}`);
    assert.deepEqual(error.members, { grant: allow, grants: [allow] });
  }
});

test("authorize() names everything that is missing at once, what fields need included", () => {
  const createContainer = {
    allow: "run",
    path: { podSandboxId: "podSandboxId" },
    fieldGrants: { sandboxConfig: "host", verbose: "verbose" },
  } as const;
  const fields = ["sandboxConfig", "verbose"];
  const why = 'for "sandboxConfig"';
  const unmanaged = "if Crest did not create the pod";
  const told = (who: Caller) => {
    const { message, members } = refusal(() => authorize(createContainer, who, { fields }));
    return [message, members.grants];
  };
  assert.deepEqual(told(nothing), [
    `Requires run access and host access ${why} and verbose access for "verbose", run again with --allow-run --allow-host --allow-verbose, and with --allow-unmanaged ${unmanaged}`,
    ["run", "host", "verbose"],
  ]);
  assert.deepEqual(told(caller({ run: true, host: true, unmanaged: true })), [
    'Requires verbose access for "verbose", run again with --allow-verbose',
    ["verbose"],
  ]);
  assert.deepEqual(told(caller({ run: true, verbose: true }, { verbose: true, unmanaged: true })), [
    `Requires host access ${why} and verbose access for "verbose", run again without --deny-verbose and with --allow-host, and without --deny-unmanaged and with --allow-unmanaged ${unmanaged}`,
    ["host", "verbose"],
  ]);
  authorize(createContainer, caller({ run: true, host: true, verbose: true }), { fields });
  authorize(createContainer, caller({ run: true, host: true }), { fields: ["sandboxConfig"] });
});

test("authorize() speaks of `unmanaged` only where a pod of others may be changed", () => {
  const path = { podSandboxId: "podSandboxId" };
  for (const [route, speaks] of [
    [{ allow: "stop", path }, true],
    [{ allow: "exec", path: { containerId: "containerId" } }, true],
    [{ allow: "run" }, false],
    [{ allow: "read:pods", path }, false],
    [{ allow: "image-remove", path: { image: "image.image" } }, false],
  ] as const) {
    const { message } = refusal(() => authorize(route, nothing));
    assert.equal(message.includes("unmanaged"), speaks, message);
  }
});

test("a grant alone opens its routes; some words of `host` are not `host` itself", () => {
  for (const allow of ["run", "checkpoint", "stop", "remove", "exec", "logs", "forward"] as const) {
    authorize({ allow }, caller({ [allow]: true }));
  }
  for (const who of [
    caller({ host: ["network", "privileged"] }),
    caller({ host: true }, { host: ["network"] }),
    caller({}, { host: ["network"] }, true),
  ]) {
    assert.equal(canUse("host", who), false);
    refusal(() => authorize({ allow: "host" }, who));
  }
});

test("the refusal of what is denied names the denial, which no grant would beat", () => {
  const refused = (who: Caller, grant: Grant, resource?: string): string =>
    refusal(() => requireGrant(grant, who, resource)).message;
  assert.equal(
    refused(caller({}, { exec: true }, true), "exec"),
    "Requires exec access, run again without --deny-exec",
  );
  assert.equal(
    refused(caller({ read: true }, { read: ["pods", "stats"] }), "read:pods"),
    "Requires read access, run again without --deny-read=pods,stats",
  );
  assert.equal(
    refused(caller({}, { exec: true }), "exec"),
    "Requires exec access, run again without --deny-exec and with --allow-exec",
  );
  const image = "quay.io/team/app:1";
  assert.equal(
    refused(caller({ pull: true }, { pull: ["quay.io/team"] }), "pull", image),
    `Requires pull access to "${image}", run again without --deny-pull=quay.io/team`,
  );
});

test("a pod that Crest did not make is changed with the grant `unmanaged` only", () => {
  const pod = { namespace: "kube-system", name: "dns", managed: false };
  requireManaged({ ...pod, managed: true }, nothing);
  requireManaged(pod, caller({ unmanaged: true }));
  requireManaged(pod, everything);
  for (const who of [nothing, caller({ run: true, host: true }), caller({}, { unmanaged: true }, true)]) {
    assert.equal(canChangeUnmanaged(who), false);
    const error = refusal(() => requireManaged(pod, who));
    assert.deepEqual(error.members, {
      grant: "unmanaged",
      grants: ["unmanaged"],
      resource: "kube-system/dns",
    });
    assert.match(error.message, /to "kube-system\/dns", run again with(out --deny| --allow)-unmanaged$/);
  }
  assert.equal(canChangeUnmanaged(everything), true);
});

test("deciding changes nothing", () => {
  const grants = {
    all: false,
    allow: { pull: ["docker.io"], read: ["pods"] },
    deny: { exec: true },
  } as const;
  const frozen = JSON.stringify(grants);
  for (const grant of allGrants) canUse(grant, { name: "x", grants }, "quay.io/a:1");
  assert.equal(JSON.stringify(grants), frozen);
});

test("a token never gives what the process does not, nor takes a denial back, and the refusal says which lacks it", () => {
  const { grants } = caller({ exec: true, read: ["pods"] }, { logs: true });
  const layered = (...layers: Caller["layers"] & object): Caller => ({ name: "ci", grants, layers });
  const of = (allow: GrantSet, deny: GrantSet = {}, all = false) => ({ all, allow, deny });
  const may = (one: Caller): readonly Grant[] => allGrants.filter((grant) => canUse(grant, one));
  assert.deepEqual(may(layered(of({}, {}, true))), ["read:pods", "exec"]);
  assert.deepEqual(may(layered(of({ run: true, exec: true }))), ["exec"]);
  assert.deepEqual(may(layered(of({}, {}, true), of({ read: true }, { exec: true }))), ["read:pods"]);
  assert.deepEqual(may(layered(of({ exec: true }), of({}))), []);
  const message = (one: Caller, grant: Grant): string => refusal(() => requireGrant(grant, one)).message;
  assert.equal(
    message(layered(of({ read: true })), "exec"),
    "Requires exec access, use a token made with --allow-exec",
  );
  assert.equal(
    message(layered(of({ read: true })), "run"),
    "Requires run access, run again with --allow-run, and use a token made with --allow-run",
  );
  assert.equal(
    message(layered(of({}, { exec: true }, true)), "exec"),
    "Requires exec access, use a token made without --deny-exec",
  );
});
