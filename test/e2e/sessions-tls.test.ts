/** A real containerd that serves its streams over TLS, with a certificate that the gateway is told to trust. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { selfSigned } from "../support/spdy-certificate.ts";
import { channel, command, exitCodeOf, openSession, refusal, v4 } from "./clients/session.ts";
import { problemOf } from "./support/api.ts";
import { newFolder, startGateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { runContainer, runPod, shell } from "./support/pods.ts";

const skip = await reasonToSkip();
const MiB = 1024 * 1024;

interface TlsContainerd {
  /** A PATH on which it comes first. */
  readonly path: string;
  /** The certificate's file. */
  readonly certificate: string;
}

/** A `containerd` that is the installed one, with TLS added to the configuration that it is given. */
function tlsContainerd(t: TestContext): TlsContainerd {
  const folder = newFolder();
  t.after(() => rmSync(folder, { recursive: true }));
  const { key, cert } = selfSigned();
  const [keyFile, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  writeFileSync(keyFile, key, { mode: 0o600 });
  writeFileSync(certificate, cert);
  const installed = execFileSync("sh", ["-c", "command -v containerd"], { encoding: "utf8" }).trim();
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  const script = `#!/bin/bash -e
    if [ "$1" = --config ]; then
      grep -qxF '[${cri}]' "$2" || echo '[${cri}]' >>"$2"
      sed -i '/^\\[${cri}\\]$/a enable_tls_streaming = true' "$2"
      echo '[${cri}.x509_key_pair_streaming]' >>"$2"
      echo 'tls_cert_file = "${certificate}"' >>"$2"
      echo 'tls_key_file = "${keyFile}"' >>"$2"
    fi
    exec -a containerd ${installed} "$@"`;
  writeFileSync(join(folder, "containerd"), script, { mode: 0o755 });
  return { path: `${folder}:${process.env.PATH}`, certificate };
}

test("streams over TLS work with --stream-ca, and are refused without it", { skip }, async (t) => {
  const { path, certificate } = tlsContainerd(t);
  const wary = await startGateway("up", { env: { PATH: path } });
  t.after(() => wary.close());
  const socket = join(wary.dataDir, "containerd.sock");
  const gateway = await startGateway("serve", {
    args: [`--runtime-endpoint=${socket}`, `--stream-ca=${certificate}`, "-A"],
  });
  t.after(() => gateway.close());
  const pod = await runPod(gateway);
  const container = await runContainer(gateway, pod, {
    ...shell("nc -ll -p 7000 -e cat & read line; echo $line; sleep 3600"),
    stdin: true,
  });

  const query = command("wc -c; echo bad >&2; exit 3", { stdin: true, stdout: true, stderr: true });
  const executed = await openSession(gateway, `${container.path}/exec`, { query });
  for (let left = 4; left > 0; left--) await executed.type(Buffer.alloc(MiB / 2));
  await executed.endInput();
  assert.equal(exitCodeOf(await executed.status()), 3);
  assert.deepEqual([executed.text(), executed.text(channel.stderr)], [`${2 * MiB}\n`, "bad\n"]);

  const attached = await openSession(gateway, `${container.path}/attach`, {
    query: { stdin: true, stdout: true },
  });
  const forwarded = await eventually(async () => {
    const session = await openSession(gateway, `${pod.path}/portforward`, {
      subprotocols: [v4],
      query: { ports: 7000 },
    });
    await session.send(0, "there and back");
    await eventually(() => session.bytes(0).subarray(2).toString() === "there and back", { timeoutMs: 2000 });
    return session;
  });
  await attached.type("typed\n");
  await attached.until(/typed\n/);
  await Promise.all([attached.close(), forwarded.close()]);

  const answer = await refusal(wary, `${container.path}/exec`, { query: command(["true"]) });
  assert.match(problemOf(answer, 502, "runtime_error").detail, /self-signed certificate/);
});
