/**
 * The pods of the examples in Kubernetes' documentation, with what reaches the CRI of them, by their files below
 * https://k8s.io/examples. Probes, hooks and scheduling are no matter of the CRI. A volume is a mount of a
 * folder of the node: `volume`.
 */

export interface Example {
  readonly pod?: object;
  readonly containers: readonly object[];
  /** The host words that it needs under baseline. None: it passes unchanged. Paths are left out. */
  readonly needs?: readonly string[];
}

/** Places on the node, which the test has made. */
export interface Places {
  /** A folder for volumes. */
  readonly folder: string;
  /** A seccomp profile. */
  readonly profile: string;
}

const context = (securityContext: object, linux: object = {}) => ({ linux: { ...linux, securityContext } });
const resources = (values: object) => ({ linux: { resources: values } });
const of = (image: string, more: object = {}): object => ({ image, ...more });
const nginx = of("nginx:1.14.2");
const busybox = (more: object = {}): object =>
  of("busybox:1.28", { command: ["sh", "-c", "sleep 1h"], ...more });
const Mi = (count: number): string => String(count * 2 ** 20);
const env = (...names: readonly string[]) => ({ envs: names.map((key) => ({ key, value: "value" })) });
const ids = [{ hostId: 65_536, containerId: 0, length: 65_536 }];

export function kubernetesExamples({ folder, profile }: Places): { readonly [file: string]: Example } {
  const volume = (containerPath: string, readonly = false) => ({
    mounts: [{ containerPath, hostPath: folder, readonly }],
  });
  const seccomp = (more: object = {}) => context({ seccomp: { profileType: "RuntimeDefault", ...more } });
  const local = { profileType: "Localhost", localhostRef: profile };
  const user = { runAsUser: { value: "1000" }, runAsGroup: { value: "3000" }, supplementalGroups: ["4000"] };
  return {
    "pods/simple-pod.yaml": { pod: { portMappings: [{ containerPort: 80 }] }, containers: [nginx] },
    "pods/pod-nginx.yaml": { pod: { labels: { env: "test" } }, containers: [nginx] },
    "pods/pod-nginx-required-affinity.yaml": { containers: [nginx] },
    "pods/pod-with-node-affinity.yaml": { containers: [of("registry.k8s.io/pause:3.8")] },
    "pods/topology-spread-constraints/one-constraint.yaml": {
      pod: { labels: { foo: "bar" } },
      containers: [of("registry.k8s.io/pause:3.1")],
    },
    "pods/commands.yaml": {
      containers: [of("debian", { command: ["printenv"], args: ["HOSTNAME", "KUBERNETES_PORT"] })],
    },
    "pods/private-reg-pod.yaml": { containers: [of("registry.example/team/private:1")] },
    "pods/lifecycle-events.yaml": { containers: [nginx] },
    "pods/two-container-pod.yaml": {
      containers: [of("nginx", volume("/usr/share/nginx/html")), of("debian", volume("/pod-data"))],
      needs: ["mount"],
    },
    "pods/init-containers.yaml": {
      containers: [busybox(volume("/work-dir")), of("nginx", volume("/usr/share/nginx/html"))],
      needs: ["mount"],
    },
    "pods/share-process-namespace.yaml": {
      pod: context({ namespaceOptions: { pid: "POD" } }),
      containers: [
        nginx,
        busybox({
          stdin: true,
          tty: true,
          ...context({
            namespaceOptions: { pid: "POD" },
            capabilities: { addCapabilities: ["SYS_PTRACE"] },
          }),
        }),
      ],
      needs: ["cap:SYS_PTRACE"],
    },
    "pods/user-namespaces-stateless.yaml": {
      pod: context({ namespaceOptions: { usernsOptions: { mode: "POD", uids: ids, gids: ids } } }),
      containers: [of("debian", { command: ["sleep", "infinity"] })],
      needs: ["userns"],
    },
    "pods/qos/qos-pod.yaml": {
      containers: [of("nginx", resources({ memoryLimitInBytes: Mi(200), cpuQuota: "70000" }))],
    },
    "pods/qos/qos-pod-2.yaml": { containers: [of("nginx", resources({ memoryLimitInBytes: Mi(200) }))] },
    "pods/qos/qos-pod-3.yaml": { containers: [of("nginx", resources({ oomScoreAdj: "1000" }))] },
    "pods/qos/qos-pod-4.yaml": { containers: [of("nginx"), of("redis")] },
    "pods/qos/qos-pod-5.yaml": { containers: [of("nginx", resources({ cpuQuota: "70000" }))] },
    "pods/resource/memory-request-limit.yaml": {
      containers: [
        of("polinux/stress", {
          command: ["stress"],
          args: ["--vm", "1", "--vm-bytes", "150M"],
          ...resources({ memoryLimitInBytes: Mi(200) }),
        }),
      ],
    },
    "pods/resource/memory-request-limit-2.yaml": {
      containers: [of("polinux/stress", resources({ memoryLimitInBytes: Mi(100) }))],
    },
    "pods/resource/memory-request-limit-3.yaml": {
      containers: [of("polinux/stress", resources({ memoryLimitInBytes: Mi(1024 * 1000) }))],
    },
    "pods/resource/cpu-request-limit.yaml": {
      containers: [
        of("vish/stress", resources({ cpuQuota: "100000", cpuPeriod: "100000", cpuShares: "512" })),
      ],
    },
    "pods/resource/cpu-request-limit-2.yaml": {
      containers: [of("vish/stress", resources({ cpuQuota: "10000000", cpuShares: "102400" }))],
    },
    "pods/resource/extended-resource-pod.yaml": { containers: [of("nginx")] },
    "pods/resource/pod-level-resources.yaml": {
      pod: { linux: { resources: { memoryLimitInBytes: Mi(200), cpuQuota: "100000" } } },
      containers: [of("nginx"), of("fedora", { command: ["sleep", "inf"] })],
    },
    "pods/probe/exec-liveness.yaml": {
      containers: [busybox({ args: ["/bin/sh", "-c", "touch /tmp/healthy; sleep 600"] })],
    },
    "pods/probe/http-liveness.yaml": { containers: [of("registry.k8s.io/e2e-test-images/agnhost:2.40")] },
    "pods/probe/tcp-liveness-readiness.yaml": {
      pod: { portMappings: [{ containerPort: 8080 }] },
      containers: [of("registry.k8s.io/goproxy:0.1")],
    },
    "pods/probe/grpc-liveness.yaml": {
      pod: { portMappings: [{ containerPort: 2379 }] },
      containers: [of("registry.k8s.io/etcd:3.5.1-0", { command: ["/usr/local/bin/etcd"] })],
    },
    "pods/security/security-context.yaml": {
      pod: context(user),
      containers: [busybox({ ...volume("/data/demo"), ...context({ ...user, noNewPrivs: true }) })],
      needs: ["mount"],
    },
    "pods/security/security-context-2.yaml": {
      pod: context({ runAsUser: { value: "1000" } }),
      containers: [
        of(
          "gcr.io/google-samples/hello-app:2.0",
          context({ runAsUser: { value: "2000" }, noNewPrivs: true }),
        ),
      ],
    },
    "pods/security/security-context-3.yaml": { containers: [of("gcr.io/google-samples/hello-app:2.0")] },
    "pods/security/security-context-4.yaml": {
      containers: [
        of(
          "gcr.io/google-samples/hello-app:2.0",
          context({ capabilities: { addCapabilities: ["NET_ADMIN", "SYS_TIME"] } }),
        ),
      ],
      needs: ["cap:NET_ADMIN", "cap:SYS_TIME"],
    },
    "pods/security/security-context-5.yaml": {
      pod: context(user),
      containers: [of("registry.k8s.io/e2e-test-images/agnhost:2.45", context(user))],
    },
    "pods/security/security-context-6.yaml": {
      pod: context({ ...user, supplementalGroupsPolicy: "Strict" }),
      containers: [
        of(
          "registry.k8s.io/e2e-test-images/agnhost:2.45",
          context({ ...user, supplementalGroupsPolicy: "Strict" }),
        ),
      ],
    },
    "pods/security/hello-apparmor.yaml": {
      containers: [
        busybox(
          context({
            apparmor: { profileType: "Localhost", localhostRef: "k8s-apparmor-example-deny-write" },
          }),
        ),
      ],
      needs: ["apparmor:k8s-apparmor-example-deny-write"],
    },
    "pods/security/seccomp/ga/default-pod.yaml": {
      pod: seccomp(),
      containers: [
        of("hashicorp/http-echo:1.0", context({ ...seccomp().linux.securityContext, noNewPrivs: true })),
      ],
    },
    "pods/security/seccomp/ga/audit-pod.yaml": {
      pod: seccomp(local),
      containers: [of("hashicorp/http-echo:1.0", seccomp(local))],
      needs: ["seccomp"],
    },
    "pods/security/seccomp/ga/violation-pod.yaml": {
      pod: seccomp(local),
      containers: [of("hashicorp/http-echo:1.0", seccomp(local))],
      needs: ["seccomp"],
    },
    "pods/inject/envars.yaml": {
      containers: [of("gcr.io/google-samples/hello-app:2.0", env("DEMO_GREETING", "DEMO_FAREWELL"))],
    },
    "pods/inject/dependent-envars.yaml": { containers: [busybox(env("SERVICE_PORT", "SERVICE_IP"))] },
    "pods/inject/dapi-envars-pod.yaml": { containers: [busybox(env("MY_NODE_NAME", "MY_POD_IP"))] },
    "pods/inject/dapi-envars-container.yaml": {
      containers: [busybox({ ...env("MY_CPU_LIMIT"), ...resources({ memoryLimitInBytes: Mi(64) }) })],
    },
    "pods/inject/pod-multiple-secret-env-variable.yaml": { containers: [of("nginx", env("BACKEND", "DB"))] },
    "pods/inject/secret-pod.yaml": {
      containers: [of("nginx", volume("/etc/secret-volume", true))],
      needs: ["mount:ro"],
    },
    "pods/inject/dapi-volume.yaml": {
      containers: [busybox(volume("/etc/podinfo", true))],
      needs: ["mount:ro"],
    },
    "pods/pod-single-configmap-env-variable.yaml": { containers: [busybox(env("SPECIAL_LEVEL_KEY"))] },
    "pods/pod-configmap-volume.yaml": {
      containers: [busybox(volume("/etc/config", true))],
      needs: ["mount:ro"],
    },
    "pods/config/redis-pod.yaml": {
      containers: [of("redis:8.0.2", volume("/redis-master", true))],
      needs: ["mount:ro"],
    },
    "pods/storage/redis.yaml": { containers: [of("redis", volume("/data/redis"))], needs: ["mount"] },
    "pods/storage/pv-pod.yaml": {
      pod: { portMappings: [{ containerPort: 80 }] },
      containers: [of("nginx", volume("/usr/share/nginx/html"))],
      needs: ["mount"],
    },
    "pods/storage/projected.yaml": {
      containers: [busybox(volume("/projected-volume", true))],
      needs: ["mount:ro"],
    },
    "pods/storage/projected-service-account-token.yaml": {
      containers: [of("nginx", volume("/var/run/secrets/tokens", true))],
      needs: ["mount:ro"],
    },
    "pods/image-volumes.yaml": {
      containers: [
        of("debian", {
          mounts: [{ containerPath: "/volume", readonly: true, image: "quay.io/crio/artifact:v2" }],
        }),
      ],
    },
    "pods/image-volumes-subpath.yaml": {
      containers: [
        of("debian", {
          mounts: [
            {
              containerPath: "/volume",
              readonly: true,
              image: "quay.io/crio/artifact:v2",
              imageSubPath: "dir",
            },
          ],
        }),
      ],
    },
    "pods/pod-rs.yaml": {
      pod: { labels: { tier: "frontend" } },
      containers: [of("gcr.io/google-samples/hello-app:2.0")],
    },
    "debug/counter-pod.yaml": { containers: [busybox()] },
    "debug/termination.yaml": {
      containers: [of("debian", { command: ["/bin/sh"], args: ["-c", "sleep 10"] })],
    },
    "admin/logging/two-files-counter-pod.yaml": {
      containers: [busybox(volume("/var/log"))],
      needs: ["mount"],
    },
    "admin/logging/two-files-counter-pod-agent-sidecar.yaml": {
      containers: [busybox(volume("/var/log")), of("registry.k8s.io/fluentd-gcp:1.30", volume("/var/log"))],
      needs: ["mount"],
    },
    "admin/dns/dnsutils.yaml": { containers: [of("registry.k8s.io/e2e-test-images/agnhost:2.39")] },
    "service/networking/custom-dns.yaml": {
      pod: { dnsConfig: { servers: ["192.0.2.1"], searches: ["ns1.svc.cluster-domain.example"] } },
      containers: [of("nginx")],
    },
    "service/networking/hostaliases-pod.yaml": {
      containers: [busybox(volume("/etc/hosts"))],
      needs: ["mount"],
    },
    "application/shell-demo.yaml": {
      pod: context({ namespaceOptions: { network: "NODE" } }),
      containers: [of("nginx", volume("/usr/share/nginx/html"))],
      needs: ["mount", "network"],
    },
    "application/job/cronjob.yaml": { containers: [busybox()] },
    "controllers/job.yaml": { containers: [of("perl:5.34.0", { command: ["perl", "-Mbignum=bpi"] })] },
    "controllers/daemonset.yaml": {
      containers: [
        of("quay.io/fluentd_elasticsearch/fluentd:v5.0.1", {
          ...volume("/var/log"),
          ...resources({ memoryLimitInBytes: Mi(200) }),
        }),
      ],
      needs: ["mount"],
    },
    "windows/run-as-username-pod.yaml": {
      pod: { windows: { securityContext: { runAsUsername: "ContainerUser" } } },
      containers: [of("mcr.microsoft.com/windows/servercore:ltsc2019")],
      needs: ["windows"],
    },
    // Examples that stand in the text of pages.
    "a volume of the node": {
      containers: [of("registry.k8s.io/test-webserver", volume("/foo", true))],
      needs: ["mount:ro"],
    },
    "sysctls of the cluster's documentation": {
      pod: {
        linux: {
          sysctls: { "kernel.shm_rmid_forced": "0", "net.core.somaxconn": "1024", "kernel.msgmax": "65536" },
        },
      },
      containers: [nginx],
      needs: ["sysctl:kernel.msgmax", "sysctl:net.core.somaxconn"],
    },
    "a pod of a runtime class": {
      pod: { runtimeHandler: "myconfiguration" },
      containers: [nginx],
      needs: ["runtime:myconfiguration"],
    },
    "a static pod": { pod: { portMappings: [{ containerPort: 80 }] }, containers: [of("nginx")] },
    "huge pages": {
      containers: [
        of("fedora:latest", {
          ...volume("/hugepages-2Mi"),
          ...resources({
            memoryLimitInBytes: Mi(100),
            hugepageLimits: [{ pageSize: "2MB", limit: Mi(100) }],
          }),
        }),
      ],
      needs: ["mount"],
    },
    "a SELinux level": {
      containers: [of("nginx", context({ selinuxOptions: { level: "s0:c123,c456" } }))],
    },
    "kubectl debug of a node": {
      pod: context({ namespaceOptions: { network: "NODE", pid: "NODE", ipc: "NODE" } }),
      containers: [of("ubuntu", { mounts: [{ containerPath: "/host", hostPath: "/" }] })],
      needs: ["all of host", "ipc", "network", "pid"],
    },
    "kubectl debug of a container": {
      containers: [
        nginx,
        busybox(context({ namespaceOptions: { pid: "TARGET", targetId: "0123456789ab" } })),
      ],
      needs: ["pid"],
    },
  };
}
