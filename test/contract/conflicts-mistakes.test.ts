/** What a caller gets wrong that only the node can tell: 400 on every runtime. */
import {
  absentId,
  commandNotFound,
  containerd,
  containerIn,
  createAndStart,
  done,
  exec,
  invalid,
  invalidAt,
  notImplemented,
  type Outcome,
  runPod,
  testEverywhere,
  update,
  web,
} from "./situations.ts";

const resources = (limits: object) => ({ linux: { resources: limits } });
const security = (securityContext: object) => ({ linux: { securityContext } });
const mounted = (mount: object) => ({ mounts: [{ hostPath: "/srv", containerPath: "/srv" }, mount] });

const ran: Outcome = done;
/** Where the container's config was read before, a problem has no place in the request. */
const onContainerd = (outcome: Outcome) =>
  Object.fromEntries(containerd.map((manner) => [manner, outcome] as const));

testEverywhere(
  "mistakes that the node finds",
  [
    {
      situation: "less memory than a process needs",
      run: createAndStart(resources({ memoryLimitInBytes: "1000" })),
      ...invalidAt("/linux/resources/memoryLimitInBytes"),
      except: onContainerd(invalid),
    },
    {
      situation: "CPUs that the node does not have",
      run: createAndStart(resources({ cpusetCpus: "0-99" })),
      ...invalidAt("/linux/resources/cpusetCpus"),
      except: onContainerd(invalid),
    },
    {
      situation: "a seccomp profile that is not there",
      run: createAndStart(security({ seccomp: { profileType: "Localhost", localhostRef: "/no/such.json" } })),
      ...invalidAt("/linux/securityContext/seccomp/localhostRef"),
    },
    {
      situation: "the PID namespace of a container that is not there",
      run: createAndStart(security({ namespaceOptions: { pid: "TARGET", targetId: absentId } })),
      ...invalidAt("/linux/securityContext/namespaceOptions/targetId"),
      except: { "cri-dockerd": invalid },
    },
    {
      situation: "a device that is not there",
      run: createAndStart({
        devices: [
          { hostPath: "/dev/null", containerPath: "/dev/null" },
          { hostPath: "/dev/null2", containerPath: "/dev/x" },
        ],
      }),
      ...invalidAt("/devices/1/hostPath"),
      // CRI-O leaves such a device out.
      except: { "cri-o": ran, "cri-dockerd": invalid },
    },
    {
      situation: "an image as a mount",
      run: createAndStart(mounted({ image: "busybox:1.36", containerPath: "/x" })),
      ...invalidAt("/mounts"),
      except: {
        // These would mount a path of the node in its place.
        "containerd-1.6": { ...notImplemented, pointer: "/mounts/1/image" },
        "containerd-1.7": { ...notImplemented, pointer: "/mounts/1/image" },
        "containerd-2.1": ran,
        "cri-o": ran,
      },
    },
    {
      situation: "mounts of the node to follow in what is not shared",
      run: createAndStart(
        mounted({ host_path: "/srv/x", containerPath: "/x", propagation: "PROPAGATION_HOST_TO_CONTAINER" }),
      ),
      ...invalidAt("/mounts/1/propagation"),
      except: { "cri-dockerd": invalid },
    },
    {
      situation: "a capability that this runtime does not know",
      run: createAndStart(security({ capabilities: { addCapabilities: ["NET_ADMIN", "BPF"] } })),
      ...invalidAt("/linux/securityContext/capabilities/addCapabilities/1"),
      // containerd leaves it out.
      except: onContainerd(ran),
    },
    {
      situation: "a first command that is no program",
      run: createAndStart({ command: ["/etc/passwd"] }),
      ...commandNotFound,
    },
    {
      situation: "a sysctl that is none",
      run: runPod({ ...web, linux: { sysctls: { "net.ipv4.no_such": "1" } } }),
      ...invalidAt("/linux/sysctls/net.ipv4.no_such"),
    },
    {
      situation: "a sysctl with a value that it cannot have",
      run: runPod({
        ...web,
        linux: { sysctls: { "net.core.somaxconn": "1024", "net.ipv4.ip_forward": "x" } },
      }),
      ...invalidAt("/linux/sysctls/net.ipv4.ip_forward"),
    },
    {
      situation: "less memory for what runs than it uses",
      run: containerIn("running", ({ ask }, { id }) =>
        ask(`PATCH /v1/containers/${id}/resources`, { linux: { memory_limit_in_bytes: "1000" } }),
      ),
      ...invalidAt("/linux/memory_limit_in_bytes"),
    },
    {
      situation: "CPUs for what runs that the node does not have",
      run: containerIn("running", ({ ask }, { id }) =>
        ask(`PATCH /v1/containers/${id}/resources`, { linux: { cpusetCpus: "99" } }),
      ),
      ...invalidAt("/linux/cpusetCpus"),
    },
    { situation: "resources that the node has", run: containerIn("running", update), ...done },
  ],
  ({ fake }) => fake.limitNode(),
);

testEverywhere("programs that are none", [
  {
    situation: "exec of a file that nobody may execute",
    run: containerIn("running", exec({ cmd: ["/etc/passwd"] })),
    ...commandNotFound,
  },
]);
