import assert from "node:assert/strict";
import { test } from "node:test";
import { placesInUse, saysPortInUse } from "../../../src/runtimes/port-in-use.ts";

const docker =
  "driver failed programming external connectivity on endpoint k8s_POD_web-80_default_u-443_0 (ab80)";

const texts: readonly (readonly [text: string, port: number])[] = [
  [
    "sandbox k8s_web-80_(ab): cannot open hostport 8080 for pod k8s_: listen tcp4 :8080: bind: address already in use",
    8080,
  ],
  [`${docker}: Bind for 0.0.0.0:8080 failed: port is already allocated`, 8080],
  [`${docker}: Bind for :::8080 failed: port is already allocated`, 8080],
  [`${docker}: Error starting userland proxy: listen udp4 0.0.0.0:53: bind: address already in use`, 53],
  [`${docker}: listen tcp6 [2001:db8:80::1]:443: bind: address already in use`, 443],
  [`${docker}: failed to bind host port for 0.0.0.0:80:172.17.0.2:8080/tcp: address already in use`, 80],
  ["failed to bind host port 127.0.0.1:443/tcp: address already in use", 443],
  ["failed to bind host port [::1]:53/udp: address already in use", 53],
];

test("placesInUse() points to the mapping whose host port a runtime names", () => {
  const hostPorts = [80, 0, 8080, 443, 53];
  const request = {
    config: { portMappings: hostPorts.map((hostPort) => ({ hostPort, containerPort: 80 })) },
  };
  for (const [text, port] of texts) {
    assert.ok(saysPortInUse.test(text), text);
    const pointer = `/config/portMappings/${hostPorts.indexOf(port)}/hostPort`;
    assert.deepEqual(placesInUse(request, text), [{ pointer, detail: text }]);
  }
});

test("placesInUse() points to all mappings with the port, and to none when the text names another or none", () => {
  const portMappings = [{ hostPort: 53 }, { hostPort: 54 }, { hostPort: 53, protocol: "UDP" }];
  const pointersOf = (text: string) =>
    placesInUse({ config: { portMappings } }, text).map(({ pointer }) => pointer);
  assert.deepEqual(pointersOf("Bind for 0.0.0.0:53 failed: port is already allocated"), [
    "/config/portMappings/0/hostPort",
    "/config/portMappings/2/hostPort",
  ]);
  assert.deepEqual(pointersOf("Bind for 0.0.0.0:5 failed: port is already allocated"), []);
  assert.deepEqual(pointersOf("port is already allocated"), []);
  assert.deepEqual(placesInUse({}, "Bind for 0.0.0.0:53 failed: port is already allocated"), []);
});
