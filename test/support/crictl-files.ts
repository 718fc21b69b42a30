/** Files that people write for crictl. crictl accepts all of them, because it ignores unknown fields. */

export interface CrictlFile {
  /** What is unusual about it. */
  readonly what: string;
  readonly kind: "pod" | "container";
  readonly text: string;
  /** JSON pointers to the unknown fields. */
  readonly unknown: readonly string[];
}

export const crictlFiles: readonly CrictlFile[] = [
  {
    what: "the pod of crictl's documentation",
    kind: "pod",
    text: `{
      "metadata": { "name": "nginx-sandbox", "namespace": "default", "attempt": 1, "uid": "hdishd83djaidwnduwk28bcsb" },
      "log_directory": "/tmp/crest-crictl-files",
      "linux": {}
    }`,
    unknown: [],
  },
  {
    what: "the container of crictl's documentation",
    kind: "container",
    text: `{
      "metadata": { "name": "busybox" },
      "image": { "image": "busybox" },
      "command": ["top"],
      "log_path": "busybox.log",
      "linux": {}
    }`,
    unknown: [],
  },
  {
    what: "resources in a pod",
    kind: "pod",
    text: `{
      "metadata": { "name": "a" },
      "log_directory": "/tmp/crest-crictl-files",
      "resources": { "cpu": 1 },
      "linux": { "resources": { "cpu_shares": 512 } }
    }`,
    unknown: ["/resources"],
  },
  {
    what: "namespaces as a status shows them",
    kind: "pod",
    text: `{
      "metadata": { "name": "a" },
      "linux": {
        "cgroup_parent": "/pods",
        "namespaces": { "options": { "network": 2 } }
      }
    }`,
    unknown: ["/linux/namespaces"],
  },
  {
    what: "options of DNS by another name",
    kind: "pod",
    text: `{
      "metadata": { "name": "a" },
      "dns_config": { "servers": ["10.0.0.10"], "searches": ["svc.local"], "dns_options": ["ndots:5"] }
    }`,
    unknown: ["/dns_config/dns_options"],
  },
  {
    what: "privileged beside the security context",
    kind: "container",
    text: `{
      "metadata": { "name": "a" },
      "image": { "image": "busybox" },
      "privileged": true,
      "log_path": "a.log"
    }`,
    unknown: ["/privileged"],
  },
  {
    what: "a kind and an apiVersion",
    kind: "pod",
    text: `{
      "kind": "PodSandboxConfig",
      "apiVersion": "v1",
      "metadata": { "name": "a", "creationTimestamp": null },
      "log_directory": "/tmp/crest-crictl-files"
    }`,
    unknown: ["/kind", "/apiVersion", "/metadata/creationTimestamp"],
  },
  {
    what: "a namespace in a container's metadata",
    kind: "container",
    text: `
metadata:
  name: test-container
  namespace: test.kata
image:
  image: busybox
command:
- sleep
- "9999"
args: []
working_dir: /
log_path: ""
stdin: false
stdin_once: false
tty: false
`,
    unknown: ["/metadata/namespace"],
  },
  {
    what: "the node's namespaces as CRI had them at first",
    kind: "pod",
    text: `
metadata:
  name: a
linux:
  security_context:
    namespace_options:
      host_network: false
      host_pid: false
      network: POD
`,
    unknown: [
      "/linux/security_context/namespace_options/host_network",
      "/linux/security_context/namespace_options/host_pid",
    ],
  },
  {
    what: "a pod's name of its own",
    kind: "pod",
    text: `
# For: crictl runp --runtime kata pod.yaml
metadata:
  attempt: 1
  name: kata-sandbox
  namespace: default
  uid: hdishd83djaidwnduwk28bcsb
name: kata
log_directory: /tmp/crest-crictl-files
linux: {}
`,
    unknown: ["/name"],
  },
  {
    what: "mounts in Docker's words beside CRI's",
    kind: "container",
    text: `
metadata: {name: a}
image: {image: busybox}
mounts:
- host_path: /tmp
  container_path: /host
  read_only: true
  options: [rbind]
log_path: a.log
`,
    unknown: ["/mounts/0/read_only", "/mounts/0/options"],
  },
  {
    what: "limits as Kubernetes has them",
    kind: "container",
    text: `
metadata: {name: a}
image: {image: busybox}
linux:
  resources:
    memory_limit_in_bytes: 9223372036854771712
    cpu_period: 100000
    limits: {memory: 64Mi}
`,
    unknown: ["/linux/resources/limits"],
  },
  {
    what: "ports in Kubernetes' words",
    kind: "pod",
    text: `
metadata: {name: a}
port_mappings:
- protocol: 0
  container_port: 80
  name: http
annotations: {version: "1.10", on: "yes"}
`,
    unknown: ["/port_mappings/0/name"],
  },
  {
    what: "a container's state and ids, as inspect shows them",
    kind: "container",
    text: `
metadata: {name: a, attempt: 0}
image:
  image: busybox
  id: sha256:0
command: [sh, -c, "echo no"]
envs:
- {key: ON, value: "no"}
log_path: a/0.log
state: CONTAINER_RUNNING
`,
    unknown: ["/image/id", "/state"],
  },
];
