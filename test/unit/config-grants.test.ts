import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommandLine } from "../../src/config.ts";
import { type Grants, grantWordNames, grantWords } from "../../src/grants.ts";

function grants(line: string, env: { readonly [name: string]: string } = {}): Grants {
  const command = parseCommandLine(line.split(" "), env, { uid: 0, cwd: "/" });
  assert.ok("config" in command);
  return command.config.grants;
}

function refused(
  line: string,
  message: string | RegExp,
  env: { readonly [name: string]: string } = {},
): void {
  assert.throws(() => grants(line, env), { name: "StartError", message });
}

const none: Grants = { all: false, allow: {}, deny: {} };

test("each word is granted and denied by its flag and by its variable", () => {
  for (const word of grantWordNames) {
    const suffix = word.replaceAll("-", "_").toUpperCase();
    const allowed = { all: false, allow: { [word]: true }, deny: {} };
    assert.deepEqual(grants(`serve --allow-${word}`), allowed);
    assert.deepEqual(grants("serve", { [`CREST_ALLOW_${suffix}`]: "true" }), allowed);
    const denied = { all: false, allow: {}, deny: { [word]: true } };
    assert.deepEqual(grants(`serve --deny-${word}`), denied);
    assert.deepEqual(grants("serve", { [`CREST_DENY_${suffix}`]: "true" }), denied);
  }
});

test("-A, --allow-all and CREST_ALLOW_ALL grant everything, denials stand beside it", () => {
  assert.deepEqual(grants("serve -A"), { ...none, all: true });
  assert.deepEqual(grants("serve --allow-all"), { ...none, all: true });
  assert.deepEqual(grants("serve", { CREST_ALLOW_ALL: "true" }), { ...none, all: true });
  assert.deepEqual(grants("serve -A --deny-exec"), { all: true, allow: {}, deny: { exec: true } });
});

test("read is narrowed to kinds, in one flag and in several", () => {
  assert.deepEqual(grants("serve --allow-read=pods,containers").allow, { read: ["pods", "containers"] });
  assert.deepEqual(grants("serve --allow-read=pods --allow-read=pods,stats").allow, {
    read: ["pods", "stats"],
  });
  assert.deepEqual(grants("serve --deny-read=images").deny, { read: ["images"] });
  assert.deepEqual(grants("serve", { CREST_ALLOW_READ: "pods, images" }).allow, { read: ["pods", "images"] });
});

test("a bare flag beside a narrowed one is the whole word", () => {
  assert.deepEqual(grants("serve --allow-read=pods --allow-read").allow, { read: true });
  assert.deepEqual(grants("serve --deny-pull=docker.io --deny-pull").deny, { pull: true });
});

test("a bare --allow-read leaves the next argument alone", () => {
  assert.deepEqual(grants("serve --allow-read --allow-logs").allow, { read: true, logs: true });
  assert.deepEqual(grants("--allow-read serve").allow, { read: true });
  refused(
    "serve --allow-read pods",
    "pods: unexpected argument, crest serve takes only flags; write the value as --allow-read=pods",
  );
});

test("an unknown kind is refused, naming the nearest and the known ones", () => {
  const known = grantWords.read.kinds.join(",");
  refused(
    "serve --allow-read=podz",
    `--allow-read=podz: unknown word "podz" (did you mean "pods"?): use any of ${known}, or a scope such as podz/*`,
  );
  refused(
    "serve --deny-read=pods,*",
    `--deny-read=pods,*: unknown word "*": use any of ${known}, or a scope such as */*`,
  );
  refused("serve", /^CREST_ALLOW_READ=podz \(environment\): unknown word "podz"/, {
    CREST_ALLOW_READ: "podz",
  });
  refused("serve --allow-read=pods,", /empty item in the list/);
});

test("grants and denials are narrowed to pods by scopes, and kept as they were written", () => {
  const words = grantWordNames.filter((word) => grantWords[word].takes === "scope");
  assert.deepEqual(words, ["logs", "run", "stop", "remove", "exec", "checkpoint"]);
  const scopes = [
    "demo",
    "demo/web",
    "demo/*",
    "*/web-*",
    "*",
    "label:app=web",
    "label:a.b/c=",
    "kube-system",
  ];
  for (const word of [...words, "forward"] as const) {
    const { allow, deny } = grants(`serve --allow-${word}=${scopes.join(",")} --deny-${word}=secret`);
    assert.deepEqual([allow[word], deny[word]], [scopes, ["secret"]]);
  }
  assert.deepEqual(grants("serve", { CREST_ALLOW_EXEC: "demo, demo/web" }).allow.exec, ["demo", "demo/web"]);
  const usage = "write NAMESPACE, NAMESPACE/POD (either with *) or label:KEY=VALUE";
  for (const [text, why] of [
    ["a/b/c", `"a/b/c" has more than a namespace and a pod: ${usage}`],
    ["/web", `"/web" has an empty part: ${usage}`],
    ["demo/", `"demo/" has an empty part: ${usage}`],
    ["de+mo", `"de+mo" has "de+mo", which is not a name: ${usage}`],
    ["demo:80", `"demo:80" has "demo:80", which is not a name: ${usage}`],
    ["label:app", `"label:app" has no value of the label: ${usage}`],
    ["label:a=b=c", `"label:a=b=c" is not one label with its value: ${usage}`],
    ["y", `"y" is neither true nor false: write one of them, or y/* for a namespace`],
    ["all", `"all" is neither true nor false: write one of them, or all/* for a namespace`],
  ] as const)
    refused(`serve --deny-exec=${text}`, `--deny-exec=${text}: ${why}`);
});

test("forwards are narrowed to ports, which belong to the scope before them", () => {
  const forward = (value: string) => grants(`serve --allow-forward=${value}`).allow.forward;
  assert.deepEqual(forward("demo/web:80,8000-8010,demo/db:5432,other"), [
    "demo/web:80,8000-8010",
    "demo/db:5432",
    "other",
  ]);
  assert.deepEqual(forward("label:app=web:80"), ["label:app=web:80"]);
  for (const wrong of [
    "demo/web:",
    "demo/web:0",
    "demo/web:70000",
    "demo/web:90-80",
    "demo/web:80-",
    "demo/web:a",
  ])
    refused(`serve --allow-forward=${wrong}`, new RegExp(`^--allow-forward=${wrong}: "${wrong}" has `));
  refused(
    "serve --allow-forward=80",
    `--allow-forward=80: "80" may be a port or a namespace: write */*:80 for the port, 80/* for the namespace`,
  );
});

test("reading is narrowed to kinds, to pods, and to kinds of pods", () => {
  const read = (value: string) => grants(`serve --allow-read=${value}`).allow.read;
  const some = ["images", "demo/*", "label:app=web", "stats:demo", "pods:*/web-*"];
  assert.deepEqual(read(some.join(",")), some);
  refused(
    "serve --allow-read=images:demo/*",
    `--allow-read=images:demo/*: "images:demo/*" narrows images to pods, but they belong to the node: write images`,
  );
  refused("serve --allow-read=demo", /unknown word "demo": use any of .*, or a scope such as demo\/\*$/);
});

test("host is narrowed to words, which are read in one spelling", () => {
  const host = (value: string) => grants(`serve --allow-host=${value}`).allow.host;
  assert.deepEqual(host("network,privileged"), ["network", "privileged"]);
  assert.deepEqual(host("port:8080,port:8000-8010,port:1-1"), ["port:8080", "port:8000-8010", "port:1"]);
  assert.deepEqual(host("cap:cap_net_admin,cap:ALL"), ["cap:NET_ADMIN", "cap:ALL"]);
  assert.deepEqual(host("mount:/srv//data/:ro,mount:/,device:/dev/kvm/"), [
    ...["mount:/srv/data:ro", "mount:/", "device:/dev/kvm"],
  ]);
  assert.deepEqual(host("sysctl:net.core.*,annotation:io.katacontainers.*,cdi:vendor.com/gpu=0"), [
    ...["sysctl:net.core.*", "annotation:io.katacontainers.*", "cdi:vendor.com/gpu=0"],
  ]);
  assert.deepEqual(grants("serve --allow-host=network --allow-host=pid").allow.host, ["network", "pid"]);
  assert.equal(grants("serve --allow-host=network --allow-host").allow.host, true);
  assert.deepEqual(grants("serve --allow-host --deny-host=privileged").deny.host, ["privileged"]);
});

test("a host word that says nothing, or too much, is refused", () => {
  for (const [word, message] of [
    ["networks", /unknown word "networks" \(did you mean "network"\?\)/],
    ["constructor", /unknown word "constructor"/],
    ["network:yes", /"network:yes" has a value, but this word stands alone: write network/],
    ["port", /"port" has no value: write port:8000-8010/],
    ["port:0", /is not a port from 1 to 65535/],
    ["port:80-70000", /is not a port from 1 to 65535/],
    ["port:90-80", /ends before it begins/],
    ["port:http", /is not a port/],
    ["mount:data", /"mount:data" is not an absolute path: write mount:\/srv\/data:ro/],
    ["mount:/srv/../etc", /has "\.\." in its path/],
    ["mount:ro", /is not an absolute path/],
    ["cap:*", /has a wildcard/],
    ["sysctl:net.*.x", /has a wildcard that is not at the end/],
  ] as const)
    refused(`serve --allow-host=${word}`, message);
});

test("a policy that would limit nobody stops the start", () => {
  for (const flags of ["serve -A", "serve --allow-run --allow-host", "up"])
    refused(`${flags} --policy=restricted`, /^--policy=restricted: limits nobody who has all of host/);
  for (const flags of ["serve --allow-run", "serve -A --deny-host=network", "serve --allow-host=network"])
    grants(`${flags} --policy=restricted`);
});

test("a word that takes nothing refuses a value", () => {
  for (const word of ["image-remove", "verbose", "unmanaged"]) {
    refused(
      `serve --allow-${word}=x`,
      `--allow-${word}=x: must be true or false (or 1, yes, on; 0, no, off)`,
    );
  }
});

test("pull is narrowed to registries and paths below them", () => {
  const pull = (value: string) => grants(`serve --allow-pull=${value}`).allow.pull;
  assert.deepEqual(pull("docker.io/library,ghcr.io"), ["docker.io/library", "ghcr.io"]);
  assert.deepEqual(pull("localhost/a,127.0.0.1:5000,[::1]:5000/a__b/c-d.e"), [
    ...["localhost/a", "127.0.0.1:5000", "[::1]:5000/a__b/c-d.e"],
  ]);
  assert.deepEqual(pull("docker.io/library/"), ["docker.io/library"]);
});

test("a prefix that no image's name begins with is refused", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["library", /does not begin with a registry's host/],
    ["library/busybox", /does not begin with a registry's host/],
    ["docker.io/*", /has a wildcard/],
    ["*.example", /has a wildcard/],
    ["https://docker.io", /is a URL/],
    ["docker.io/library/busybox:1.35", /has a tag or a digest/],
    ["docker.io/a@sha256:00", /has a tag or a digest/],
    ["docker.io//a", /has an empty part/],
    ["docker.io/../a", /has "\.\.", which cannot occur in an image name/],
    ["docker.io/Library", /has "Library"/],
    ["a..b/c", /does not begin with a registry's host, for "a\.\.b"/],
    ["registry.example:port/a", /does not begin with a registry's host/],
  ];
  for (const [prefix, message] of cases) {
    refused(`serve --allow-pull=${prefix}`, message);
    refused(`serve --deny-pull=${prefix}`, message);
  }
});

test("up grants everything until a grant is given, then exactly that", () => {
  assert.deepEqual(grants("up"), { ...none, all: true });
  assert.deepEqual(grants("up --deny-exec"), { all: true, allow: {}, deny: { exec: true } });
  assert.deepEqual(grants("up --allow-read"), { ...none, allow: { read: true } });
  assert.deepEqual(grants("up", { CREST_ALLOW_LOGS: "true" }), { ...none, allow: { logs: true } });
  assert.deepEqual(grants("up --allow-all=false"), none);
});

test("false takes back what the environment grants", () => {
  assert.deepEqual(grants("serve --allow-read=false", { CREST_ALLOW_READ: "true" }), none);
  assert.deepEqual(grants("serve --allow-read=0", { CREST_ALLOW_READ: "1" }), none);
  refused("serve --allow-read=false --allow-read=pods", /^--allow-read: given as .*, write it once$/);
});

test("every grant is switched by the words that people write in environments, in any case", () => {
  for (const word of grantWordNames) {
    const variable = `CREST_ALLOW_${word.replaceAll("-", "_").toUpperCase()}`;
    for (const text of ["1", "true", "yes", "on", "TRUE", "Yes", " 1 "]) {
      assert.deepEqual(grants("serve", { [variable]: text }).allow, { [word]: true }, `${variable}=${text}`);
    }
    for (const text of ["0", "false", "no", "off", "NO"]) {
      assert.deepEqual(grants("serve", { [variable]: text }), none, `${variable}=${text}`);
    }
  }
  assert.deepEqual(grants("serve -A", { CREST_DENY_EXEC: "yes" }).deny, { exec: true });
  const mixed: Grants = { all: false, allow: { read: true }, deny: { pull: true } };
  assert.deepEqual(grants("serve --allow-read=on --deny-pull=1"), mixed);
});

test("a word that switches is no kind and no registry, and stands alone", () => {
  for (const word of ["1", "0", "yes", "no", "on", "off", "true", "false"]) {
    assert.ok(!grantWords.read.kinds.some((kind: string) => kind === word), word);
    refused(`serve --allow-read=pods,${word}`, new RegExp(`unknown word "${word}"`));
    refused(`serve --allow-pull=docker.io,${word}`, /does not begin with a registry's host/);
  }
  refused("serve --allow-read=2", /unknown word "2"/);
  refused("serve --allow-exec=y", /neither true nor false/);
});
