/** From path, query and body to the RPC's message, and back from the encoder's places to the caller's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Bound, createBinder, type Parts } from "../../../src/api/bind.ts";
import { GatewayError } from "../../../src/errors.ts";
import { custom, list, type Route, unary } from "../../../src/routes/define.ts";
import { routes } from "../../../src/routes/index.ts";
import { type GatewayParam, parametersFor } from "../../../src/routes/parameters.ts";
import { InvalidJson } from "../../../src/wire/parse-json.ts";

const base = { id: "x", allow: "authenticated", summary: "x" } as const;

const getImage = unary({
  ...base,
  rpc: "ImageService/ImageStatus",
  http: "GET /v1/images/{image}",
  path: { image: "image.image" },
  query: { verbose: "verbose", runtimeHandler: "image.runtimeHandler" },
  fieldGrants: { verbose: "verbose" },
  success: 200,
  omit: { "image.imageRef": "x", "image.annotations": "x", "image.userSpecifiedImage": "x" },
});
const stop = unary({
  ...base,
  rpc: "RuntimeService/StopContainer",
  http: "POST /v1/containers/{containerId}/stop",
  path: { containerId: "containerId" },
  query: { timeout: "timeout" },
  defaults: { timeout: "10" },
  success: 204,
});
const update = unary({
  ...base,
  rpc: "RuntimeService/UpdateContainerResources",
  http: "PATCH /v1/containers/{containerId}/resources",
  path: { containerId: "containerId" },
  body: "*",
  success: 204,
});
const create = unary({
  ...base,
  rpc: "RuntimeService/CreateContainer",
  http: "POST /v1/pods/{podSandboxId}/containers",
  path: { podSandboxId: "podSandboxId" },
  body: { spread: "config" },
  fieldGrants: { sandboxConfig: "host" },
  success: 201,
});
const network = unary({
  ...base,
  rpc: "RuntimeService/UpdateRuntimeConfig",
  http: "POST /v1/runtime/network-config",
  body: { spread: "runtimeConfig.networkConfig" },
  success: 204,
});
const containers = list({
  ...base,
  rpc: "RuntimeService/ListContainers",
  http: "GET /v1/containers",
  items: "containers",
  order: ["id"],
  filters: { id: "filter.id", state: "filter.state.state", pod: "filter.podSandboxId" },
  labels: "filter.labelSelector",
});
function ownParameter(id: Parameters<typeof parametersFor>[0], name: string): GatewayParam {
  const parameter = parametersFor(id)[name];
  assert.ok(parameter, name);
  return parameter;
}
const own = custom({
  ...base,
  http: "GET /v1/own/{containerId}",
  uses: [],
  path: { containerId: "containerId" },
  gatewayParams: {
    text: { type: "string", description: "x", check: (value) => typeof value === "string" },
    choice: ownParameter("execSync", "encoding"),
    flag: ownParameter("removeImage", "dryRun"),
    seconds: ownParameter("waitContainer", "timeout"),
  },
  success: 200,
});

interface Given {
  readonly params?: Parts["params"];
  readonly query?: Parts["query"];
  readonly body?: unknown;
}

/** What is parsed has no prototypes; for comparing, that does not matter. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function bind(route: Route, { params = {}, query = {}, body }: Given, extra?: readonly string[]): Bound {
  const bytes =
    body === undefined ? undefined : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  return createBinder(route, extra).bind({ params, query, body: bytes });
}
const message = (route: Route, given: Given): unknown => plain(bind(route, given).message);

/** The places of what is wrong. */
function mistakes(route: Route, given: Given): (string | undefined)[] {
  try {
    bind(route, given);
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.code, "invalid_request");
    assert.match(error.message, /^Invalid /);
    return error.errors.map(({ parameter, pointer }) => parameter ?? pointer);
  }
  assert.fail("it was taken");
}

const id = { containerId: "abc" };

test("path and query land in the fields that they are bound to", () => {
  assert.deepEqual(message(stop, { params: id, query: { timeout: "3" } }), {
    containerId: "abc",
    timeout: "3",
  });
  assert.deepEqual(message(getImage, { params: { "*": "a/b:1" }, query: { runtimeHandler: "runc" } }), {
    image: { image: "a/b:1", runtimeHandler: "runc" },
  });
  assert.deepEqual(message(containers, { query: { state: "running", id: "f", pod: "p" } }), {
    filter: { id: "f", state: { state: "CONTAINER_RUNNING" }, podSandboxId: "p" },
  });
  assert.deepEqual(message(containers, {}), {});
});

test("a parameter that is not given has its default, and an empty one has none", () => {
  assert.deepEqual(message(stop, { params: id }), { containerId: "abc", timeout: "10" });
  assert.deepEqual(message(stop, { params: id, query: { timeout: "0" } }), {
    containerId: "abc",
    timeout: "0",
  });
  assert.deepEqual(mistakes(stop, { params: id, query: { timeout: "" } }), ["timeout"]);
});

test("an empty path parameter is named", () => {
  assert.deepEqual(mistakes(stop, { params: { containerId: "" } }), ["containerId"]);
  assert.deepEqual(mistakes(getImage, { params: { "*": "" } }), ["image"]);
});

test("all wrong parameters are told at once, unknown ones with those that there are", () => {
  const query = { verbose: "yes", other: "1", runtimeHandler: ["a", "b"], __proto__x: "1" };
  const found = mistakes(getImage, { params: { "*": "" }, query });
  assert.deepEqual([...found].sort(), ["__proto__x", "image", "other", "runtimeHandler", "verbose"]);
  assert.throws(
    () => bind(getImage, { params: { "*": "a" }, query: { other: "1" } }),
    /Invalid other: unknown parameter; this route has runtimeHandler, verbose$/,
  );
  const reboot = { ...base, kind: "custom", http: "GET /v1/x", uses: [], success: 200 } as const;
  assert.throws(() => bind(reboot, { query: { constructor: "1" } as never }), /this route has none$/);
});

test("parameters that the kind reads itself are not unknown", () => {
  const query = { limit: "5", continue: "x", labelSelector: "a" };
  assert.deepEqual(plain(bind(containers, { query }, ["limit", "continue", "labelSelector"]).message), {});
  assert.deepEqual(mistakes(containers, { query }), ["limit", "continue", "labelSelector"]);
});

test("a flag is true when it is given without a value", () => {
  for (const [text, value] of [
    ["", true],
    ["true", true],
    ["True", true],
    ["1", true],
    ["t", true],
    ["false", false],
    ["FALSE", false],
    ["0", false],
  ] as const) {
    assert.deepEqual(message(getImage, { params: { "*": "a" }, query: { verbose: text } }), {
      image: { image: "a" },
      verbose: value,
    });
  }
  for (const text of ["2", "yes", "tRUE", " true", "null", "toString"]) {
    assert.deepEqual(mistakes(getImage, { params: { "*": "a" }, query: { verbose: text } }), ["verbose"]);
  }
});

test("an enum is its name, or the last word in any case", () => {
  for (const text of ["CONTAINER_EXITED", "exited", "Exited", "EXITED"]) {
    assert.deepEqual(message(containers, { query: { state: text } }), {
      filter: { state: { state: "CONTAINER_EXITED" } },
    });
  }
  for (const text of ["", "container_exited", "CONTAINER_", "ready", "2", "constructor"]) {
    assert.deepEqual(mistakes(containers, { query: { state: text } }), ["state"]);
  }
  assert.throws(
    () => bind(containers, { query: { state: "up" } }),
    /must be created or running or exited or unknown, got "up"/,
  );
});

test("an integer is written plainly, and keeps its digits", () => {
  for (const timeout of ["0", "-1", "9223372036854775807", "99999999999999999999"]) {
    assert.deepEqual(message(stop, { params: id, query: { timeout } }), { containerId: "abc", timeout });
  }
  for (const timeout of ["1.0", "1e3", "0x1", "01", "+1", " 1", "1 ", "one", "--1", "-", "١"]) {
    assert.deepEqual(mistakes(stop, { params: id, query: { timeout } }), ["timeout"], timeout);
  }
});

test("a value in a mistake is quoted, and cut when it is long", () => {
  assert.throws(
    () => bind(stop, { params: id, query: { timeout: `"${"x".repeat(500)}` } }),
    (error: Error) => error.message.length < 150 && error.message.includes('"\\"xxx'),
  );
});

test("the gateway's own parameters have their defaults, values and bounds", () => {
  const given = (query: Parts["query"]) => bind(own, { params: id, query }).gatewayParams;
  assert.deepEqual({ ...given({}) }, { choice: "utf8", flag: false, seconds: 60 });
  assert.deepEqual(
    { ...given({ text: "", choice: "base64", flag: "", seconds: "3600" }) },
    { text: "", choice: "base64", flag: true, seconds: 3600 },
  );
  assert.deepEqual(
    { ...given({ seconds: "0", flag: "false" }) },
    { choice: "utf8", flag: false, seconds: 0 },
  );
  for (const query of [{ choice: "hex" }, { choice: "" }, { choice: ["utf8", "utf8"] }, { flag: "on" }]) {
    assert.deepEqual(mistakes(own, { params: id, query }), Object.keys(query));
  }
  for (const seconds of ["-1", "3601", "1.5", "", "9".repeat(40)]) {
    assert.deepEqual(mistakes(own, { params: id, query: { seconds } }), ["seconds"]);
  }
  assert.throws(() => given({ seconds: "3601" }), {
    message: "Invalid seconds: must be from 0 to 3600, got 3601",
  });
  assert.throws(() => given({ choice: "hex" }), {
    message: 'Invalid choice: must be utf8 or base64, got "hex"',
  });
});

test("a body with `*` is the message but for what the path sets", () => {
  assert.deepEqual(
    message(update, { params: id, body: { linux: { cpuShares: "1" }, annotations: { a: "b" } } }),
    {
      containerId: "abc",
      linux: { cpuShares: "1" },
      annotations: { a: "b" },
    },
  );
  for (const body of [undefined, "", {}]) assert.deepEqual(message(update, { params: id, body }), id);
  for (const name of ["containerId", "container_id"]) {
    assert.deepEqual(mistakes(update, { params: id, body: { [name]: "abc", linux: {} } }), [`/${name}`]);
  }
  assert.deepEqual(mistakes(update, { params: id, body: { containerId: "a", container_id: "b" } }), [
    "/containerId",
    "/container_id",
  ]);
});

test("a spread field's members stand at the top, the rest of the request beside them", () => {
  const params = { podSandboxId: "p" };
  const body = { metadata: { name: "a" }, log_path: "x", sandbox_config: { hostname: "h" } };
  assert.deepEqual(message(create, { params, body }), {
    podSandboxId: "p",
    config: { metadata: { name: "a" }, log_path: "x" },
    sandbox_config: { hostname: "h" },
  });
  assert.deepEqual(message(create, { params, body: {} }), { podSandboxId: "p", config: {} });
  // What is spread is not there by its own name: the encoder will say so.
  assert.deepEqual(message(create, { params, body: { config: { tty: true } } }), {
    podSandboxId: "p",
    config: { config: { tty: true } },
  });
  for (const name of ["podSandboxId", "pod_sandbox_id"]) {
    assert.deepEqual(mistakes(create, { params, body: { [name]: "q" } }), [`/${name}`]);
  }
  assert.deepEqual(message(network, { body: { podCidr: "10.0.0.0/8" } }), {
    runtimeConfig: { networkConfig: { podCidr: "10.0.0.0/8" } },
  });
  assert.deepEqual(message(network, { body: { runtimeConfig: { a: 1 } } }), {
    runtimeConfig: { networkConfig: { runtimeConfig: { a: 1 } } },
  });
});

test("a route without a body takes an empty one, and names the first member of another", () => {
  for (const body of [undefined, "", {}, " {} "])
    assert.deepEqual(message(stop, { params: id, body }), { ...id, timeout: "10" });
  assert.deepEqual(mistakes(stop, { params: id, body: { "a/b~c": 1, d: 2 } }), ["/a~1b~0c"]);
});

test("a body that is no object is refused as a whole", () => {
  for (const route of [stop, update, create]) {
    for (const body of ["[]", "null", '"text"', "1", "true", "[{}]"]) {
      assert.deepEqual(mistakes(route, { params: id, body }), [""]);
    }
  }
});

test("names that JavaScript has plans for are members like any other", () => {
  const body = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}';
  const bound = bind(update, { params: id, body });
  assert.deepEqual(Object.keys(bound.message).sort(), [
    "__proto__",
    "constructor",
    "containerId",
    "toString",
  ]);
  assert.deepEqual(
    Object.keys(bind(create, { params: { podSandboxId: "p" }, body }).message.config as object),
    ["__proto__", "constructor", "toString"],
  );
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

test("what needs a grant of its own counts when it says something", () => {
  const given = (verbose: string | undefined) =>
    bind(getImage, { params: { "*": "a" }, query: verbose === undefined ? {} : { verbose } }).given;
  assert.deepEqual(given("true"), ["verbose"]);
  assert.deepEqual(given(""), ["verbose"]);
  assert.deepEqual(given("false"), []);
  assert.deepEqual(given(undefined), []);
  const inBody = (body: object) => bind(create, { params: { podSandboxId: "p" }, body }).given;
  assert.deepEqual(inBody({ sandboxConfig: {} }), ["sandboxConfig"]);
  assert.deepEqual(inBody({ sandbox_config: { hostname: "h" } }), ["sandboxConfig"]);
  // A mistake is found later; until then it counts as given.
  assert.deepEqual(inBody({ sandbox_config: "text" }), ["sandboxConfig"]);
  assert.deepEqual(inBody({ sandboxConfig: null, sandbox_config: {} }), ["sandboxConfig"]);
  assert.deepEqual(inBody({ sandboxConfig: null }), []);
  assert.deepEqual(inBody({ metadata: { name: "a" } }), []);
});

test("the encoder's places become the caller's own", () => {
  const at = (route: Route, pointer: string) => {
    const { detail, ...place } = createBinder(route).locate(pointer, "is wrong");
    assert.equal(detail, "is wrong");
    return place;
  };
  assert.deepEqual(at(stop, "/containerId"), { parameter: "containerId" });
  assert.deepEqual(at(stop, "/timeout"), { parameter: "timeout" });
  assert.deepEqual(at(getImage, "/image/image"), { parameter: "image" });
  assert.deepEqual(at(getImage, "/image/runtimeHandler"), { parameter: "runtimeHandler" });
  assert.deepEqual(at(containers, "/filter/state/state"), { parameter: "state" });
  assert.deepEqual(at(update, "/linux/cpuShares"), { pointer: "/linux/cpuShares" });
  assert.deepEqual(at(update, "/containerIdOfOther"), { pointer: "/containerIdOfOther" });
  assert.deepEqual(at(create, "/config/envs/3/value"), { pointer: "/envs/3/value" });
  assert.deepEqual(at(create, "/config"), { pointer: "" });
  assert.deepEqual(at(create, "/configuration"), { pointer: "/configuration" });
  assert.deepEqual(at(create, "/sandbox_config/labels/a~1b"), { pointer: "/sandbox_config/labels/a~1b" });
  assert.deepEqual(at(network, "/runtimeConfig/networkConfig/podCidr"), { pointer: "/podCidr" });
});

test("any request is bound, or its mistakes are told", () => {
  const word = fc.constantFrom(
    "verbose",
    "timeout",
    "image",
    "linux",
    "config",
    "containerId",
    "__proto__",
    "x",
    "",
  );
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom("true", "1", "running"),
    fc.array(fc.string(), { maxLength: 3 }),
  );
  const body = fc.oneof(
    fc.json().map((text) => Buffer.from(text)),
    fc.dictionary(word, fc.jsonValue()).map((object) => Buffer.from(JSON.stringify(object))),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.constant(undefined),
  );
  const params = fc.dictionary(fc.constantFrom("containerId", "podSandboxId", "*", "image"), fc.string());
  const query = fc.dictionary(fc.oneof(word, fc.string()), value);
  fc.assert(
    fc.property(fc.constantFrom(...routes), params, query, body, (route, params, query, bytes) => {
      const binder = createBinder(route);
      try {
        const bound = binder.bind({ params, query, body: bytes });
        assert.equal(typeof bound.message, "object");
      } catch (error) {
        if (error instanceof InvalidJson) return;
        assert.ok(error instanceof GatewayError && error.code === "invalid_request", String(error));
        assert.ok(error.errors.length > 0);
      }
    }),
    { numRuns: 1500 },
  );
});
