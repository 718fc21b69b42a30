/**
 * An example of each operation, by route id. Together they tell one story, which tests run against a gateway: a pod
 * with a web server, from pulling the image to removing everything. The answers come from `crest up` with Debian's
 * containerd 1.6, or from the newer runtime that an operation needs.
 *
 * Long lists that are the same for everyone (`rpcs`, `quirks`, `grants`) show only some items.
 */
import type { RouteId } from "../../routes/index.ts";

export interface Example {
  /** Path and query parameters, in the types of their schemas. */
  readonly parameters?: { readonly [name: string]: unknown };
  readonly body?: object;
  /** The body of the successful answer. */
  readonly answer?: object;
  /** The `Location` of the created object. */
  readonly location?: string;
  /** The subprotocol of a session. */
  readonly subprotocol?: string;
}

const podSandboxId = "e21d3d7330166eb75a35888abe2006c8b2baff743281269a89a0e3be419abdd7";
const containerId = "3f3228d2245d6a30a71dd32114b0adb6d5cce71547a06eef107147fb7c1ba80f";
const sessionId = "0c7e1f4a-93d5-4b62-8a1e-5f2b9c1d7a3e";
const keptSession = {
  id: sessionId,
  type: "attach",
  containerId,
  caller: "token",
  stdin: false,
  tty: false,
  begun: "2026-11-29T12:00:00.000Z",
  connected: false,
  lost: "2026-11-29T12:04:00.000Z",
  ends: "2026-11-29T12:05:00.000Z",
  exited: false,
  input: 0,
  output: 0,
};
const labels = { app: "web" };
const podLabels = { app: "web", "crest/managed": "true" };
const uid = "c391e930-1985-40ce-a997-1baecc76ada4";

const nginx = "docker.io/library/nginx:1.27";
const nginxPull = {
  id: "3f1c8f5e-6a53-4c0e-9a27-5d1f1d6c7b42",
  image: "docker.io/library/nginx:1.27",
  phase: "done",
  elapsedMs: 4120,
  totalBytes: 28227259,
  downloadedBytes: 28227259,
  layers: [
    {
      digest: "sha256:6e909acdb790c5a1989cfc795fda5a246ad6664bb27b5c688e2b734b2c5fad20",
      state: "done",
      sizeBytes: 28227259,
      downloadedBytes: 28227259,
      unpackedBytes: 79175680,
    },
  ],
  callers: 0,
  detached: false,
  startedAt: "1755684300120000000",
  finishedAt: "1755684304240000000",
};
const nginxId = "sha256:2b4b2242c8fcfc85d16580d2632f11bfc8f53b861a40ef0f3d9acdcbfaccce6e";
const nginxDigest =
  "docker.io/library/nginx@sha256:d1a4c2c893844450c5d4aa49fc8d0e86c3aae610c070b171e17da23bc50316a8";
const nginxImage = {
  id: nginxId,
  repoTags: [nginx],
  repoDigests: [nginxDigest],
  size: "72950530",
  username: "",
  pinned: false,
};

const podMetadata = { name: "web", uid, namespace: "demo", attempt: 0 };
const podCreatedAt = "1795462420767709282";

const containerMetadata = { name: "server", attempt: 0 };
const containerCreatedAt = "1795462422835749213";
const containerImage = { annotations: {}, userSpecifiedImage: "", runtimeHandler: "", imageRef: "" };
const serverCommand = ["sh", "-c", "echo listening on port 8080; exec httpd -f -p 8080"];
const busyboxId = "sha256:94a5918e3be18f4ed61e88a9934fb972bfca420cba38a447fc03342603bf3666";

const mountpoint = "/var/lib/crest/containerd/io.containerd.snapshotter.v1.overlayfs";
const containerStats = {
  attributes: { id: containerId, metadata: containerMetadata, labels, annotations: {} },
  cpu: {
    timestamp: "1795462425068676704",
    usageCoreNanoSeconds: { value: "19844994" },
    usageNanoCores: { value: "560913" },
  },
  memory: {
    timestamp: "1795462425068676704",
    workingSetBytes: { value: "495616" },
    availableBytes: { value: "0" },
    usageBytes: { value: "532480" },
    rssBytes: { value: "53248" },
    pageFaults: { value: "913" },
    majorPageFaults: { value: "0" },
  },
  writableLayer: {
    timestamp: "1795462425001155179",
    fsId: { mountpoint },
    usedBytes: { value: "20480" },
    inodesUsed: { value: "8" },
  },
};
const readAt = "2026-11-23T12:00:02.000Z";

/** Of a container that may use half a core. */
const liveContainer = {
  time: readAt,
  id: containerId,
  name: "server",
  namespace: "demo",
  pod: "web",
  podSandboxId,
  cores: 0.4873,
  coresLimit: 0.5,
  cpuPercentOfLimit: 97.46,
  cpuPercentOfNode: 12.18,
  workingSetBytes: 12_345_344,
  memoryUsageBytes: 14_680_064,
  memoryLimitBytes: 67_108_864,
  memoryPercentOfLimit: 18.4,
  memoryPercentOfNode: 0.15,
  receivedBytesPerSecond: null,
  sentBytesPerSecond: null,
  readBytesPerSecond: 0,
  writtenBytesPerSecond: 8192,
  filesystemUsedBytes: 24_576,
};

const livePod = {
  ...{ time: readAt, id: podSandboxId, name: "web", namespace: "demo" },
  ...{ cores: 0.4881, coresLimit: null, cpuPercentOfLimit: null, cpuPercentOfNode: 12.2 },
  ...{ workingSetBytes: 13_017_088, memoryUsageBytes: 15_405_056, memoryLimitBytes: null },
  ...{ memoryPercentOfLimit: null, memoryPercentOfNode: 0.16 },
  ...{ receivedBytesPerSecond: 1840, sentBytesPerSecond: 92_160 },
  ...{ readBytesPerSecond: 0, writtenBytesPerSecond: 8192, filesystemUsedBytes: null },
};

const podStats = {
  attributes: { id: podSandboxId, metadata: podMetadata, labels: podLabels, annotations: {} },
  linux: {
    cpu: {
      timestamp: "1795462425097318790",
      usageCoreNanoSeconds: { value: "193819196" },
      usageNanoCores: { value: "560913" },
    },
    memory: {
      timestamp: "1795462425097318790",
      workingSetBytes: { value: "18071552" },
      availableBytes: { value: "0" },
      usageBytes: { value: "18837504" },
      rssBytes: { value: "4743168" },
      pageFaults: { value: "6050" },
      majorPageFaults: { value: "79" },
    },
    network: {
      timestamp: "0",
      defaultInterface: {
        name: "eth0",
        rxBytes: { value: "1472" },
        rxErrors: { value: "0" },
        txBytes: { value: "542" },
        txErrors: { value: "0" },
      },
      interfaces: [],
    },
    process: { timestamp: "1795462425097318790", processCount: { value: "1" } },
    containers: [containerStats],
  },
};

const logCursor = `1.t3a4f5-4c5m2k.7ps.${containerId.slice(0, 12)}-1d-6xk3-9f2c41d07ab35e68-1r`;
const logLine = {
  cursor: logCursor,
  time: "2026-11-29T10:53:43.265158623Z",
  stream: "stdout",
  text: "listening on port 8080",
} as const;

export const examples: { readonly [Id in RouteId]?: Example } = {
  getVersion: {
    answer: {
      version: "0.1.0",
      runtimeName: "containerd",
      runtimeVersion: "1.6.20~ds1",
      runtimeApiVersion: "v1",
    },
  },
  getRuntimeStatus: {
    answer: {
      status: {
        conditions: [
          { type: "RuntimeReady", status: true, reason: "", message: "" },
          { type: "NetworkReady", status: true, reason: "", message: "" },
        ],
      },
      info: {},
      runtimeHandlers: [],
    },
  },
  getRuntimeConfig: { answer: { linux: { cgroupDriver: "CGROUPFS" } } },
  getCapabilities: {
    answer: {
      runtimeName: "containerd",
      runtimeVersion: "1.6.20~ds1",
      rpcs: [
        { rpc: "RuntimeService/Version", support: "answered" },
        { rpc: "RuntimeService/StreamContainers", support: "unimplemented" },
        { rpc: "RuntimeService/RestorePod", support: "unimplemented" },
      ],
      events: "containerd",
      quirks: [
        {
          code: "image_filter_ignored",
          description: "ListImages answers every image whatever the filter says; Crest applies it.",
        },
      ],
    },
  },
  getGrants: {
    answer: {
      name: "token",
      tokenFile: "/var/lib/crest/token",
      grants: [{ grant: "read:pods" }, { grant: "run" }, { grant: "pull" }],
      limits: {},
    },
  },
  createToken: {
    body: { name: "colleague", grants: { allow: { exec: true, read: ["containers"] } }, for: "30m" },
    answer: {
      name: "colleague",
      token: "crest_Tu6YJ3XlkQ2yYq8ZrVfN0cWc1mJb4oPz7sHdEa9GiKx",
      grants: { all: false, allow: { read: ["containers"], exec: true }, deny: {} },
      created: "2026-11-29T12:00:00.000Z",
      expires: "2026-11-29T12:30:00.000Z",
    },
  },
  listTokens: {
    answer: {
      tokens: [
        {
          name: "colleague",
          grants: { all: false, allow: { read: ["containers"], exec: true }, deny: {} },
          created: "2026-11-29T12:00:00.000Z",
          expires: "2026-11-29T12:30:00.000Z",
        },
      ],
    },
  },
  revokeToken: { parameters: { tokenName: "colleague" }, answer: { revoked: ["colleague"] } },
  run: {
    parameters: { wait: true, remove: true },
    body: {
      image: "busybox:latest",
      name: "once",
      command: ["sh", "-c", "echo Hello from $NAME; exit 3"],
      env: { NAME: "Crest" },
      memory: "64Mi",
    },
    answer: {
      podSandboxId: "0b1f4e0d3a7c9b5e2d8f6a4c1e3b7d9f5a2c8e4b6d1f3a9c7e5b2d8f4a6c1e3b",
      containerId: "9c3e5a7b1d2f4a6c8e0b2d4f6a8c0e1b3d5f7a9c1e3b5d7f9a1c3e5b7d9f1a2c",
      namespace: "default",
      name: "once",
      pulled: false,
      started: true,
      result: {
        exited: true,
        state: "CONTAINER_EXITED",
        exitCode: 3,
        reason: "Error",
        finishedAt: "1795462425001155179",
        stdout: "Hello from Crest\n",
        stderr: "",
        encoding: "utf8",
        lossy: false,
        truncated: false,
      },
      removed: true,
    },
    location: "/v1/containers/9c3e5a7b1d2f4a6c8e0b2d4f6a8c0e1b3d5f7a9c1e3b5d7f9a1c3e5b7d9f1a2c",
  },
  listSessions: { answer: { sessions: [keptSession] } },
  resumeSession: { parameters: { sessionId, from: 0 }, subprotocol: "v5.channel.k8s.io" },
  endSession: { parameters: { sessionId }, answer: keptSession },
  createSignInKey: {
    answer: { key: "crest_9LmQw2Xc7VbN4tRy8UeIoPaSd3FgHj5KlZ1xCv6BnMq", expires: "2026-11-29T12:05:00.000Z" },
  },
  signIn: {
    answer: {
      token: "crest_Zx8CvB2nM5kLpQ7wErT9yUiO3aSdF6gHj1KlXc4VbNm",
      expires: "2026-11-30T00:00:00.000Z",
    },
  },
  setNetworkConfig: { body: { podCidr: "10.88.0.0/16" } },
  getImageFilesystems: {
    answer: {
      imageFilesystems: [
        {
          timestamp: "1795462425001155179",
          fsId: { mountpoint },
          usedBytes: { value: "4059136" },
          inodesUsed: { value: "299" },
        },
      ],
      containerFilesystems: [],
    },
  },

  pullImage: {
    parameters: { detach: false },
    body: { image: { image: nginx } },
    answer: { imageRef: nginxId },
  },
  listPulls: { answer: { pulls: [nginxPull] } },
  getPull: { parameters: { pullId: nginxPull.id }, answer: nginxPull },
  cancelPull: { parameters: { pullId: nginxPull.id }, answer: nginxPull },
  listImages: { parameters: { image: nginx, limit: 10 }, answer: { images: [nginxImage] } },
  getImage: { parameters: { image: nginx }, answer: { image: nginxImage, info: {} } },
  pruneImages: {
    parameters: { dryRun: true },
    answer: {
      dryRun: true,
      images: [
        {
          ...{ id: nginxId, repoTags: [nginx], repoDigests: [nginxDigest] },
          ...{ reason: "unused", bytes: 72950530, removed: false },
        },
      ],
      bytes: 72950530,
      failures: [],
    },
  },
  removeImage: {
    parameters: { image: nginx, dryRun: false },
    answer: { id: nginxId, repoTags: [nginx], repoDigests: [nginxDigest], dryRun: false },
  },

  runPod: {
    body: { metadata: { name: "web", namespace: "demo" }, labels },
    answer: { podSandboxId },
    location: `/v1/pods/${podSandboxId}`,
  },
  listPods: {
    parameters: { state: "SANDBOX_READY", labelSelector: "app=web", limit: 10 },
    answer: {
      items: [
        {
          id: podSandboxId,
          metadata: podMetadata,
          state: "SANDBOX_READY",
          createdAt: podCreatedAt,
          labels: podLabels,
          annotations: {},
          runtimeHandler: "",
        },
      ],
    },
  },
  getPod: {
    parameters: { podSandboxId },
    answer: {
      status: {
        id: podSandboxId,
        metadata: podMetadata,
        state: "SANDBOX_READY",
        createdAt: podCreatedAt,
        network: { ip: "10.90.24.2", additionalIps: [] },
        linux: {
          namespaces: { options: { network: "POD", pid: "POD", ipc: "POD", targetId: "" } },
        },
        labels: podLabels,
        annotations: {},
        runtimeHandler: "",
      },
      info: {},
      containersStatuses: [],
      timestamp: "0",
    },
  },
  getPodStats: { parameters: { podSandboxId }, answer: { stats: podStats } },
  listPodStats: { parameters: { labelSelector: "app=web", limit: 10 }, answer: { stats: [podStats] } },
  watchPodStats: {
    parameters: { interval: "2s", labelSelector: "app=web" },
    answer: { time: readAt, items: [livePod] },
  },
  watchOnePodStats: { parameters: { podSandboxId, interval: "2s" }, answer: livePod },
  updatePodResources: {
    parameters: { podSandboxId },
    body: { resources: { cpuShares: "512", memoryLimitInBytes: "67108864" } },
  },
  forwardPorts: { parameters: { podSandboxId, ports: [8080] }, subprotocol: "v4.channel.k8s.io" },
  checkpointPod: { parameters: { podSandboxId }, body: { outputPath: "/var/lib/crest/checkpoints/web" } },
  restorePod: {
    body: {
      checkpointPath: "/var/lib/crest/checkpoints/web",
      config: { metadata: { name: "web", namespace: "demo", attempt: 1 }, labels },
    },
    answer: { podSandboxId, restoredContainers: [{ name: "server", containerId }] },
    location: `/v1/pods/${podSandboxId}`,
  },
  stopPod: { parameters: { podSandboxId, timeout: 2 } },
  prunePods: {
    parameters: { dryRun: true, namespace: "demo", labelSelector: "app=web" },
    answer: {
      dryRun: true,
      pods: [
        {
          ...{ id: podSandboxId, namespace: "demo", name: "web", createdAt: podCreatedAt, managed: true },
          ...{ containers: 0, reason: "stopped", bytes: 0, removed: false },
        },
      ],
      bytes: 0,
      failures: [],
    },
  },
  removePod: { parameters: { podSandboxId } },

  createContainer: {
    parameters: { podSandboxId },
    body: {
      metadata: { name: "server" },
      image: { image: "busybox:latest" },
      command: serverCommand,
      workingDir: "/tmp",
      envs: [{ key: "LANG", value: "C.UTF-8" }],
      labels,
    },
    answer: { containerId },
    location: `/v1/containers/${containerId}`,
  },
  startContainer: { parameters: { containerId } },
  listContainers: {
    parameters: { state: "CONTAINER_RUNNING", pod: podSandboxId, labelSelector: "app=web", limit: 10 },
    answer: {
      containers: [
        {
          id: containerId,
          podSandboxId,
          metadata: containerMetadata,
          image: { ...containerImage, image: "busybox:latest" },
          imageRef: busyboxId,
          state: "CONTAINER_RUNNING",
          createdAt: containerCreatedAt,
          labels,
          annotations: {},
          imageId: "",
        },
      ],
    },
  },
  getContainer: {
    parameters: { containerId },
    answer: {
      status: {
        id: containerId,
        metadata: containerMetadata,
        state: "CONTAINER_RUNNING",
        createdAt: containerCreatedAt,
        startedAt: "1795462423035287347",
        finishedAt: "0",
        exitCode: 0,
        image: { ...containerImage, image: "docker.io/library/busybox:1.35" },
        imageRef: busyboxId,
        reason: "",
        message: "",
        labels,
        annotations: {},
        mounts: [],
        logPath: `/var/lib/crest/logs/demo_web_${uid}/server/0.log`,
        resources: {
          linux: {
            cpuPeriod: "0",
            cpuQuota: "0",
            cpuShares: "0",
            memoryLimitInBytes: "0",
            oomScoreAdj: "0",
            cpusetCpus: "",
            cpusetMems: "",
            hugepageLimits: [],
            unified: {},
            memorySwapLimitInBytes: "0",
          },
        },
        imageId: "",
        stopSignal: "SIGNAL_RUNTIME_DEFAULT",
      },
      info: {},
    },
  },
  execSync: {
    parameters: { containerId, encoding: "utf8" },
    body: { cmd: ["sh", "-c", "pwd; echo $LANG"], timeout: "10" },
    answer: { exitCode: 0, stdout: "/tmp\nC.UTF-8\n", stderr: "", encoding: "utf8", lossy: false },
  },
  execContainer: {
    parameters: { containerId, command: ["ls", "-l", "/"] },
    subprotocol: "v5.channel.k8s.io",
  },
  attachContainer: {
    parameters: { containerId, stdout: true, stderr: true, session: "keep" },
    subprotocol: "v5.channel.k8s.io",
  },
  getContainerStats: { parameters: { containerId }, answer: { stats: containerStats } },
  listContainerStats: {
    parameters: { pod: podSandboxId, labelSelector: "app=web", limit: 10 },
    answer: { stats: [containerStats] },
  },
  watchContainerStats: {
    parameters: { interval: "2s", namespace: "demo" },
    answer: { time: readAt, items: [liveContainer] },
  },
  watchOneContainerStats: { parameters: { containerId, interval: "2s" }, answer: liveContainer },
  updateContainerResources: {
    parameters: { containerId },
    body: { linux: { cpuShares: "512", memoryLimitInBytes: "67108864" } },
  },
  reopenContainerLog: { parameters: { containerId } },
  checkpointContainer: {
    parameters: { containerId },
    body: { location: "/var/lib/crest/checkpoints/server.tar", timeout: "60" },
  },
  stopContainer: { parameters: { containerId, timeout: "2" } },
  getPostMortem: {
    parameters: { containerId, tailLines: 20 },
    answer: {
      time: "2026-11-23T12:00:50.418Z",
      id: containerId,
      ...containerMetadata,
      podSandboxId,
      state: "CONTAINER_EXITED",
      removed: false,
      cause: {
        code: "stopped",
        text: "It exited with code 143 (SIGTERM) after a request to stop it.",
      },
      exit: { exitCode: 143, signal: "SIGTERM", reason: "Error" },
      createdAt: containerCreatedAt,
      startedAt: "1795462423035287347",
      finishedAt: "1795462450206718335",
      runTimeMs: 27171,
      stopRequest: {
        ...{ time: "2026-11-23T12:00:50.094Z", action: "stop", subject: "container", graceSeconds: 2 },
      },
      memory: { oomKilled: false, limitBytes: 67108864, peakBytes: 14680064, peakSampled: true },
      image: "docker.io/library/busybox:1.35",
      imageRef: busyboxId,
      command: serverCommand,
      log: [logLine],
      attempts: [],
      pod: {
        ...{ id: podSandboxId, name: "web", namespace: "demo", state: "SANDBOX_READY" },
        createdAt: podCreatedAt,
        containers: [{ id: containerId, ...containerMetadata, state: "CONTAINER_EXITED" }],
      },
      events: [
        {
          id: "5c1de88f.21",
          type: "container.exited",
          time: "2026-11-23T12:00:50.206Z",
          ...{ namespace: "demo", pod: "web", podSandboxId, labels: podLabels },
          ...{ container: "server", containerId, attempt: 0, image: "busybox:latest" },
          ...{ exitCode: 143, signal: "SIGTERM", reason: "Error" },
        },
      ],
      eventsSince: "2026-11-23T12:00:20.003Z",
      missing: [],
    },
  },
  getContainerLogs: {
    parameters: { containerId, follow: false, tailLines: 10, grep: "listening" },
    answer: { lines: [logLine], cursor: logCursor, more: false, searchedBytes: 63 },
  },
  getPodLogs: {
    parameters: { podSandboxId, tailLines: 10 },
    answer: {
      lines: [{ ...logLine, container: "server", containerId }],
      cursor: logCursor,
      more: false,
      searchedBytes: 63,
    },
  },
  listLogs: {
    parameters: { namespace: "demo", labelSelector: "app=web", tailLines: 10 },
    answer: {
      lines: [{ ...logLine, container: "server", containerId, pod: "web", namespace: "demo" }],
      cursor: logCursor,
      more: false,
      searchedBytes: 63,
    },
  },
  waitContainer: {
    parameters: { containerId, timeout: 30 },
    answer: {
      exited: true,
      state: "CONTAINER_EXITED",
      exitCode: 143,
      reason: "Error",
      message: "",
      finishedAt: "1795462425265545839",
    },
  },
  listEvents: {
    parameters: { container: containerId },
    answer: {
      items: [
        {
          type: "container.started",
          time: "2026-11-29T07:11:05.265Z",
          namespace: "demo",
          pod: "web",
          podSandboxId,
          labels: podLabels,
          container: "server",
          containerId,
          attempt: 0,
          image: "busybox:latest",
          snapshot: true,
        },
      ],
      lastEventId: "9f86d081.0",
    },
  },
  removeContainer: { parameters: { containerId } },

  listMetricDescriptors: {
    answer: {
      descriptors: [
        {
          name: "container_cpu_usage_seconds_total",
          help: "Cumulative cpu time consumed in seconds.",
          labelKeys: ["id", "name", "image"],
        },
      ],
    },
  },
  listPodMetrics: {
    parameters: { limit: 10 },
    answer: {
      podMetrics: [
        {
          podSandboxId,
          metrics: [],
          containerMetrics: [
            {
              containerId,
              metrics: [
                {
                  name: "container_cpu_usage_seconds_total",
                  timestamp: "1795462425068676704",
                  metricType: "COUNTER",
                  labelValues: [containerId, "server", "docker.io/library/busybox:1.35"],
                  value: { value: "19" },
                },
              ],
            },
          ],
        },
      ],
    },
  },
};
