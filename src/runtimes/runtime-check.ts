/** Checks whether a runtime answers, and explains for a terminal what is wrong with its socket and how to fix it. */
import { stat } from "node:fs/promises";
import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { whyUnreachable } from "./discover.ts";

/** `containerd 1.6.20 at /run/containerd/containerd.sock`, or what is wrong. */
export type RuntimeCheck =
  | { readonly answers: true; readonly name: string }
  | { readonly answers: false; readonly trouble: string };

const checkMs = 2000;
const options = { deadlineMs: checkMs, atOnce: true } as const;

/** Checks the runtime, and the image service if it has its own socket. Never throws. */
export async function checkRuntime(runtime: Runtime): Promise<RuntimeCheck> {
  const { endpoint, imageEndpoint } = runtime;
  let name: string;
  try {
    const { runtimeName, runtimeVersion } = await call(runtime, "RuntimeService/Version", {}, options);
    name = `${runtimeName} ${runtimeVersion} at ${endpoint}`;
  } catch (error) {
    return { answers: false, trouble: await troubleWith(endpoint, "--runtime-endpoint", error) };
  }
  if (imageEndpoint === endpoint) return { answers: true, name };
  try {
    await call(runtime, "ImageService/ImageFsInfo", {}, options);
  } catch (error) {
    if (isUnreachable(error))
      return { answers: false, trouble: await troubleWith(imageEndpoint, "--image-endpoint", error) };
  }
  return { answers: true, name: `${name}, images at ${imageEndpoint}` };
}

/** Any other failure counts as an answer. */
const isUnreachable = (error: unknown): boolean =>
  !(error instanceof GatewayError) || /^(runtime_unavailable|deadline_exceeded)$/.test(error.code);

/** `/run/x.sock does not exist: start the runtime, or name its socket with --runtime-endpoint` */
async function troubleWith(socket: string, flag: string, error: unknown): Promise<string> {
  const { why, remedy } = await diagnose(socket, flag, error);
  return `${socket} ${why}: ${remedy}`;
}

interface Diagnosis {
  readonly why: string;
  readonly remedy: string;
}

/** Checks the file first: a call reports "connection refused" even if it is not a socket. */
async function diagnose(socket: string, flag: string, error: unknown): Promise<Diagnosis> {
  const rightName = `name the runtime's socket with ${flag}`;
  try {
    const file = await stat(socket);
    if (file.isDirectory()) return { why: "is a folder, not a socket", remedy: rightName };
    if (!file.isSocket()) return { why: "is not a socket", remedy: rightName };
    if (isDenied(error))
      return {
        why: "cannot be opened, permission denied",
        remedy: `run Crest as root or in group ${file.gid}`,
      };
  } catch (failure) {
    if (isDenied(failure)) return { why: "cannot be opened, permission denied", remedy: "run Crest as root" };
    return { why: "does not exist", remedy: `start the runtime, or name its socket with ${flag}` };
  }
  const text = error instanceof Error ? error.message : String(error);
  if (/\bECONNREFUSED\b/.test(text))
    return { why: "has no process listening on it", remedy: "start the runtime" };
  if (/unknown service/.test(text))
    return {
      why: "does not speak CRI v1",
      remedy:
        'wait if the runtime is starting; otherwise remove "cri" from disabled_plugins in /etc/containerd/config.toml, or update the runtime',
    };
  if (/Protocol error/.test(text))
    return {
      why: "does not speak gRPC",
      remedy: `${rightName}; for Docker that is cri-dockerd's, not its own`,
    };
  if (error instanceof GatewayError && error.code === "deadline_exceeded")
    return { why: `does not answer within ${checkMs / 1000} s`, remedy: "check the runtime's log" };
  return { why: "does not answer", remedy: whyUnreachable(error) };
}

const isDenied = (error: unknown): boolean =>
  error instanceof Error && /\b(EACCES|EPERM)\b/.test(error.message);
