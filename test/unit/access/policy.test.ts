/** The table of the pod policy is complete, and its words mean what they say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FieldPolicy, fieldPolicies } from "../../../src/access/policy/field-policies.ts";
import { hostGrantOf } from "../../../src/access/policy/host-grant.ts";
import { overlap, parseMounts } from "../../../src/access/policy/mount-table.ts";
import { createPodPolicy } from "../../../src/access/policy/pod-policy.ts";
import { isActedOn } from "../../../src/access/policy/safe-values.ts";
import { GatewayError } from "../../../src/errors.ts";
import { descriptors } from "../../../src/gen/descriptors.ts";
import { methods, type Rpc } from "../../../src/gen/methods.ts";
import { type Grants, hostWords, type PolicyLevel } from "../../../src/grants.ts";
import { routes } from "../../../src/routes/index.ts";
import { messageOf } from "../../../src/wire/descriptor.ts";

/** The requests that callers fill in and that change something. */
const changing: readonly string[] = routes.flatMap((route) =>
  (route.kind === "unary" || route.kind === "session") && !/^(read|verbose|logs)/.test(route.allow)
    ? [methods[route.rpc].request]
    : [],
);

/** Every field that a caller can set in a request, each message once: `Mount.hostPath`. */
function fieldsOf(message: string, seen: Map<string, FieldPolicy | undefined>): typeof seen {
  for (const field of messageOf(descriptors, message).fields) {
    const name = `${message}.${field.name}`;
    if (seen.has(name)) continue;
    const policy = fieldPolicies[message]?.[field.name];
    seen.set(name, policy);
    if (typeof policy === "object" && policy.inside && field.kind === "message") fieldsOf(field.type, seen);
  }
  return seen;
}
const reached = new Map<string, FieldPolicy | undefined>();
for (const message of changing) fieldsOf(message, reached);

test("every field of every request that changes something has a policy", () => {
  assert.ok(
    changing.length >= 17 && reached.size > 140,
    `${changing.length} requests, ${reached.size} fields`,
  );
  const without = [...reached].filter(([, policy]) => policy === undefined).map(([name]) => name);
  assert.deepEqual(without, []);
});

test("the table has no field that no request has", () => {
  const stale = Object.entries(fieldPolicies).flatMap(([message, fields]) =>
    Object.keys(fields)
      .map((name) => `${message}.${name}`)
      .filter((name) => !reached.has(name)),
  );
  assert.deepEqual(stale, []);
});

test("only these messages are free as a whole", () => {
  const free = [...reached].flatMap(([name, policy]) => {
    const [message = "", field = ""] = name.split(".");
    const { kind, type } = messageOf(descriptors, message).fields.find((one) => one.name === field) ?? {};
    return policy === "free" && kind === "message" && type !== undefined ? [`${name}: ${type}`] : [];
  });
  assert.deepEqual(free.sort(), [
    "ContainerConfig.envs: KeyValue",
    "ContainerConfig.metadata: ContainerMetadata",
    "LinuxContainerResources.hugepageLimits: HugepageLimit",
    "LinuxSandboxSecurityContext.runAsGroup: Int64Value",
    "LinuxSandboxSecurityContext.runAsUser: Int64Value",
    "PodSandboxConfig.dnsConfig: DNSConfig",
    "PodSandboxConfig.metadata: PodSandboxMetadata",
    "PullImageRequest.auth: AuthConfig",
    "UpdateRuntimeConfigRequest.runtimeConfig: RuntimeConfig",
  ]);
});

const grants = (allow: readonly string[], deny: readonly string[] = []): Grants => ({
  all: false,
  allow: allow.length > 0 ? { host: allow } : {},
  deny: deny.length > 0 ? { host: deny } : {},
});

/** The flags that a request lacks; empty when it is permitted. */
function missing(
  level: PolicyLevel,
  rpc: Rpc,
  request: object,
  host: Grants = grants([]),
): readonly string[] {
  const policy = createPodPolicy({ level, logRoot: "/var/lib/crest/logs", kept: ["/var/lib/crest"] });
  try {
    policy.apply(rpc, request as { readonly [field: string]: unknown }, { name: "x", grants: host });
    return [];
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    return error.errors.map(({ grant }) => String(grant));
  }
}

const inContainer = (securityContext: object, resources: object = {}) => ({
  config: { linux: { securityContext, resources } },
});

test("restricted asks for a user, a group and a memory limit, and takes no other capability", () => {
  const rpc = "RuntimeService/CreateContainer";
  const user = { runAsUser: { value: "1" }, runAsGroup: { value: "1" } };
  const limit = { memoryLimitInBytes: "1000000" };
  assert.deepEqual(missing("restricted", rpc, inContainer(user, limit)), []);
  const root = { ...user, runAsUser: { value: "0" } };
  assert.deepEqual(missing("restricted", rpc, inContainer(root, limit)), ["--allow-host=root"]);
  assert.deepEqual(
    missing("restricted", rpc, inContainer({ ...user, supplementalGroups: ["5", "0"] }, limit)),
    ["--allow-host=root"],
  );
  assert.deepEqual(missing("restricted", rpc, inContainer({ runAsUsername: "app" }, limit)), [
    "--allow-host=root",
    "--allow-host=root",
  ]);
  assert.deepEqual(missing("restricted", rpc, inContainer(user)), ["--allow-host=unlimited"]);
  const chown = { ...user, capabilities: { addCapabilities: ["CHOWN", "NET_BIND_SERVICE"] } };
  assert.deepEqual(missing("restricted", rpc, inContainer(chown, limit)), ["--allow-host=cap:CHOWN"]);
  const none = { config: {} };
  assert.deepEqual(missing("restricted", rpc, none, grants(["root", "unlimited"])), []);
  assert.deepEqual(missing("baseline", rpc, none), []);
  const update = "RuntimeService/UpdateContainerResources";
  assert.deepEqual(missing("restricted", update, { linux: { memoryLimitInBytes: "-1" } }), [
    "--allow-host=unlimited",
  ]);
  assert.deepEqual(missing("restricted", update, { linux: { cpuShares: "2" } }), []);
});

test("restricted drops all capabilities and makes the root read-only, unless a word says otherwise", () => {
  const fill = (words: readonly string[]) => {
    const policy = createPodPolicy({ level: "restricted", logRoot: "/logs", kept: [] });
    const host = grants(["root", "unlimited", ...words]);
    const filled = policy.apply(
      "RuntimeService/CreateContainer",
      { config: {} },
      { name: "x", grants: host },
    );
    const { linux } = filled.config as {
      readonly linux: {
        readonly securityContext: {
          readonly readonlyRootfs?: boolean;
          readonly capabilities: { readonly dropCapabilities: readonly string[] };
        };
      };
    };
    const { readonlyRootfs, capabilities } = linux.securityContext;
    return [readonlyRootfs, capabilities.dropCapabilities];
  };
  assert.deepEqual(fill([]), [true, ["ALL"]]);
  assert.deepEqual(fill(["writable"]), [undefined, ["ALL"]]);
  assert.deepEqual(fill(["cap:ALL"]), [true, []]);
});

test("words with values cover whole names, ranges and path segments, and never a part of one", () => {
  const covers = (granted: string, asked: string): boolean => {
    const [word = "", ...rest] = asked.split(":");
    const value = rest.join(":");
    const ask = { word: word as keyof typeof hostWords, detail: "", ...(value === "" ? {} : { value }) };
    return hostGrantOf([grants([granted])]).granting(ask).length > 0;
  };
  for (const [granted, asked, isCovered] of [
    ["port:8000-8010", "port:8000", true],
    ["port:8000-8010", "port:8010", true],
    ["port:8000-8010", "port:8011", false],
    ["port:80", "port:8080", false],
    ["cap:NET_ADMIN", "cap:NET_ADMIN", true],
    ["cap:NET_ADMIN", "cap:NET_ADMI", false],
    ["cap:ALL", "cap:SYS_ADMIN", true],
    ["cap:SYS_ADMIN", "cap:ALL", false],
    ["sysctl:net.core.*", "sysctl:net.core.somaxconn", true],
    ["sysctl:net.core.*", "sysctl:net.corex", false],
    ["sysctl:net.core", "sysctl:net.core.somaxconn", false],
    ["device:/dev/snd", "device:/dev/snd/timer", true],
    ["device:/dev/snd", "device:/dev/sndx", false],
    ["runtime:kata", "runtime:kata-fc", false],
    ["privileged", "network", false],
    ["privileged", "cap:SYS_ADMIN", false],
  ] as const)
    assert.equal(covers(granted, asked), isCovered, `${granted} and ${asked}`);
});

test("no words together grant more than each of them, and a denial never grants", () => {
  const asks = Object.entries(hostWords).map(([name, word]) => ({
    word: name as keyof typeof hostWords,
    detail: "",
    ...(word.takes === "nothing" || word.takes === "folder" ? {} : { value: name === "port" ? "80" : "x" }),
  }));
  const words = ["network", "port:1-100", "cap:x", "sysctl:*", "privileged", "apparmor:x", "runtime:y"];
  for (let set = 0; set < 2 ** words.length; set++) {
    const chosen = words.filter((_, index) => set & (1 << index));
    const together = hostGrantOf([grants(chosen)]);
    const denied = hostGrantOf([grants(words, chosen)]);
    for (const ask of asks) {
      const alone = chosen.some((word) => hostGrantOf([grants([word])]).granting(ask).length > 0);
      assert.equal(together.granting(ask).length > 0, alone, `${ask.word}: ${chosen}`);
      if (alone) assert.ok(denied.denying(ask).length > 0, `${ask.word}: ${chosen}`);
    }
  }
});

test("annotations and labels that runtimes act on are known by domain and prefix, and others are not", () => {
  for (const key of [
    "io.containerd.x",
    "containerd.io/restart.loguri",
    "cdi.k8s.io/a",
    "cpu-quota.crio.io",
    "a.nri.io/b",
    "run.oci.handler",
  ])
    assert.equal(isActedOn(key), true, key);
  for (const key of [
    "prometheus.io/scrape",
    "example.com/io.containerd.x",
    "mycrio.io",
    "app",
    "nri.io.example",
  ])
    assert.equal(isActedOn(key), false, key);
});

test("two paths are one place when a bind mount leads from one to the other", () => {
  const table = parseMounts(
    [
      "1 0 8:1 / / rw - ext4 /dev/sda1 rw",
      "2 1 8:1 /var/lib/crest /srv/a\\040b rw shared:1 - ext4 /dev/sda1 rw",
      "3 1 0:5 / /proc rw - proc proc rw",
      "4 1 0:9 / /srv/a\\040b/tmp rw - tmpfs tmpfs rw",
    ].join("\n"),
  );
  const place = table.placeOf("/srv/a b/token");
  const kept = table.placeOf("/var/lib/crest");
  assert.ok(place && kept);
  assert.equal(place.path, "/var/lib/crest/token");
  assert.equal(overlap(place, kept), true);
  assert.equal(table.placeOf("/srv/a bc")?.mountPoint, "/");
  assert.deepEqual(
    table.below("/srv").map(({ mountPoint }) => mountPoint),
    ["/srv/a b", "/srv/a b/tmp"],
  );
});

test("what one layer does not grant, or denies, no other layer gives back", () => {
  const ask = { word: "port", value: "80", detail: "" } as const;
  const layers = [
    grants(["port:1-100"]),
    grants(["port:80"]),
    grants(["network"]),
    grants(["port:80"], ["port:80"]),
  ];
  const all = { all: true, allow: {}, deny: {} };
  for (const one of layers)
    for (const other of layers) {
      const may = [one, other].every((layer) => {
        const grant = hostGrantOf([layer]);
        return grant.granting(ask).length > 0 && grant.denying(ask).length === 0;
      });
      const both = hostGrantOf([one, all, other]);
      assert.equal(both.granting(ask).length > 0 && both.denying(ask).length === 0, may);
      assert.equal(both.isOpen || both.isWhole, false);
    }
});

test("a refusal says whether the gateway or the caller's token would have to permit it", () => {
  const policy = createPodPolicy({ level: "baseline", logRoot: "/logs", kept: [] });
  const refusal = (...layers: readonly Grants[]): GatewayError => {
    const [process = grants([]), ...tokens] = layers;
    const request = { config: { portMappings: [{ hostPort: 80 }] } };
    try {
      policy.apply("RuntimeService/RunPodSandbox", request, { name: "x", grants: process, layers: tokens });
    } catch (error) {
      assert.ok(error instanceof GatewayError);
      return error;
    }
    assert.fail("not refused");
  };
  const [none, some] = [grants([]), grants(["port:80"])];
  const last = (error: GatewayError): string => error.message.replace(/^.*?port 80 of the node, /, "");
  assert.equal(last(refusal(none)), "run again with --allow-host=port:80");
  assert.equal(last(refusal(some, none)), "use a token made with --allow-host=port:80");
  assert.equal(
    last(refusal(none, some, none)),
    "run again with --allow-host=port:80, and use a token made with --allow-host=port:80",
  );
  const denied = refusal(some, grants(["port:80"], ["port:80"]));
  assert.equal(last(denied), "use a token made without --deny-host=port:80");
  assert.equal(denied.errors[0]?.grant, "without --deny-host=port:80");
});
