/** Containers of the fake runtimes that have a log. */
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ContainerInit, MannerName } from "../support/fake-runtime.ts";
import { formats } from "../support/log-files.ts";
import type { LiveGateway } from "./live-gateway.ts";

const beginMs = Date.UTC(2026, 10, 29, 10);

export interface LogInit {
  readonly name?: string;
  readonly pod?: string;
  readonly attempt?: number;
  readonly labels?: { [key: string]: string };
  /** Further settings of the container. Default: it has exited. */
  readonly container?: ContainerInit;
}

const formatOf = (manner: MannerName) =>
  manner === "cri-dockerd" ? formats.jsonFile : manner === "cri-o" ? formats.criO : formats.containerd;

/** A container whose log has these lines, one a second, written as its runtime does. */
export async function withLog(
  gateway: LiveGateway,
  manner: MannerName,
  texts: readonly string[],
  init: LogInit = {},
) {
  const { name = "app", pod: podName = "web", attempt = 0, labels = {}, container: settings = {} } = init;
  const logDirectory = join(gateway.dataDir, "logs", podName);
  const known = [...gateway.fake.pods.values()].find((one) => one.config.metadata?.name === podName);
  const pod =
    known ?? gateway.fake.addPod({ name: podName, namespace: "demo", labels, config: { logDirectory } });
  const logPath = `${name}/${attempt}.log`;
  const container = gateway.fake.addContainer({
    state: "exited",
    ...settings,
    ...{ pod, name, attempt, logPath },
  });
  const path = join(logDirectory, logPath);
  await mkdir(dirname(path), { recursive: true });
  const bytes = texts.flatMap((text, index) =>
    formatOf(manner)(
      {
        stream: index % 2 === 0 ? "stdout" : "stderr",
        bytes: Buffer.from(text),
        timeMs: beginMs + index * 1000,
      },
      (left) => left,
    ),
  );
  if (manner === "cri-dockerd") {
    const folder = join(gateway.dataDir, "docker", "containers", container.id);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${container.id}-json.log`), Buffer.concat(bytes));
    await symlink(join(folder, `${container.id}-json.log`), path);
  } else await writeFile(path, Buffer.concat(bytes));
  return { container, pod, path, url: `/v1/containers/${container.id}/logs` };
}
