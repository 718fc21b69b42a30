import type { RouteId } from "../../routes/index.ts";

/**
 * Words that users of `crictl`, `docker` or `kubectl` use for an operation. The reference's filter searches them along
 * with the operation's own words. In lower case. Several words match together and individually.
 */
export const synonyms: { readonly [Id in RouteId]?: readonly string[] } = {
  getVersion: ["ping", "hello", "health", "release"],
  getRuntimeStatus: ["info", "ready", "health", "inspect", "features"],
  getRuntimeConfig: ["settings", "systemd", "cgroupfs"],
  getCapabilities: ["features", "supported", "what works"],
  getGrants: ["whoami", "permissions", "rights", "can-i", "authorization"],
  setNetworkConfig: ["cidr", "ip range", "cni"],
  listMetricDescriptors: ["prometheus", "help"],
  listPodMetrics: ["prometheus", "scrape", "exporter"],
  getImageFilesystems: ["df", "disk", "space", "storage", "imagefsinfo"],

  listPods: ["ps", "ls", "pods", "sandboxes", "find", "search"],
  runPod: ["run", "runp", "create", "start", "new", "launch", "apply", "sandbox"],
  getPod: ["inspect", "inspectp", "describe", "status", "ip", "address", "details"],
  removePod: ["rm", "rmp", "delete", "destroy", "kill"],
  stopPod: ["stopp", "kill", "shutdown", "end", "restart"],
  updatePodResources: ["resize", "limits", "cpu", "memory"],
  getPodStats: ["top", "usage", "statsp", "cpu", "memory", "network traffic"],
  listPodStats: ["top", "usage", "statsp", "cpu", "memory"],
  checkpointPod: ["save", "dump", "snapshot", "criu", "migrate", "pause"],
  restorePod: ["load", "resume", "criu", "migrate"],
  forwardPorts: ["port-forward", "tunnel", "proxy", "connect", "publish"],

  listContainers: ["ps", "ls", "find", "search"],
  createContainer: ["run", "new", "add", "env", "mount", "volume"],
  getContainer: ["inspect", "describe", "status", "details", "logs", "log path", "exit code"],
  removeContainer: ["rm", "delete", "destroy"],
  startContainer: ["run", "restart", "begin"],
  stopContainer: ["kill", "end", "terminate", "signal", "restart", "sigterm"],
  updateContainerResources: ["resize", "limits", "cpu", "memory", "quota"],
  getContainerStats: ["top", "usage", "cpu", "memory"],
  listContainerStats: ["top", "usage", "cpu", "memory"],
  checkpointContainer: ["save", "dump", "snapshot", "criu", "migrate"],
  execSync: ["run", "command", "shell", "script", "output"],
  execContainer: ["run", "shell", "terminal", "bash", "sh", "ssh", "console", "tty", "login"],
  attachContainer: ["logs", "follow", "output", "console", "terminal", "stdin"],
  reopenContainerLog: ["logs", "rotate", "logrotate"],
  waitContainer: ["exit code", "finished", "done", "block", "poll"],

  listImages: ["ls", "find", "search"],
  getImage: ["inspect", "inspecti", "describe", "details", "exists"],
  removeImage: ["rm", "rmi", "delete", "prune", "clean"],
  pullImage: ["download", "fetch", "get", "install", "registry", "login", "progress"],
  listPulls: ["downloads", "progress"],
  getPull: ["download", "progress", "status", "layers"],
  cancelPull: ["abort", "stop", "interrupt"],
};
