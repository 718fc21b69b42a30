/**
 * What a run asks for, as the requests that it consists of: a pull, a pod and a container. Errors about these point to
 * where the caller wrote the value in the body of the run.
 */
import { randomInt } from "node:crypto";
import type { FieldError } from "../errors.ts";
import { schemas } from "../routes/gen/bodies.ts";
import type { RunBody } from "../routes/run-body.ts";
import { jsonPointer } from "../wire/invalid-value.ts";
import { invalid, type JsonObject, spellingIn } from "./bind.ts";
import { checkBody } from "./check-body.ts";

export type RunPart = "pull" | "pod" | "container";

/** The request bodies of a run, and where their values come from. */
export interface RunPlan {
  readonly image: string;
  readonly pull: NonNullable<RunBody["pull"]>;
  /** The body of each part's route. */
  readonly bodies: { readonly [P in RunPart]: JsonObject };
  /** Whether the container is to have other namespaces than its pod. */
  readonly hasOwnNamespaces: boolean;
  /** Where the caller wrote what the body of a part has at `pointer`. */
  locate(part: RunPart, pointer: string): string;
}

/** A value for the body of a part. */
interface Put {
  readonly part: RunPart;
  /** Dotted path in canonical names. */
  readonly at: string;
  readonly value: unknown;
  /** The member of the run's body that it comes from. */
  readonly from: string;
  /** Where in `from` its items are, if they are not where they are in `value`. */
  readonly items?: readonly string[];
}

/** @throws {GatewayError} invalid_request */
export function planRun(body: JsonObject): RunPlan {
  // As for CRI's own 64-bit fields, a number will do.
  const given = Number.isSafeInteger(body.memory) ? { ...body, memory: String(body.memory) } : body;
  checkBody(schemas.run, given);
  const wanted = withoutNulls(given) as unknown as RunBody;
  const puts = putsOf(wanted);
  const bodies = {
    pull: {},
    pod: structuredClone(wanted.pod ?? {}) as JsonObject,
    container: structuredClone(wanted.container ?? {}) as JsonObject,
  };
  const mistakes = puts.flatMap((one) => put(bodies[one.part], one));
  if (mistakes.length > 0) throw invalid(mistakes);
  return {
    image: wanted.image,
    pull: wanted.pull ?? "missing",
    bodies,
    hasOwnNamespaces: isThere(bodies.container, ["linux", "securityContext", "namespaceOptions"]),
    locate(part, pointer) {
      for (const one of puts) {
        const place = one.part === part ? placeIn(one, pointer) : undefined;
        if (place !== undefined) return place;
      }
      return part === "pull" ? "/image" : `/${part}${pointer}`;
    },
  };
}

const withoutNulls = (body: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));

/** Everything that the members of the body set. */
function putsOf(body: RunBody): readonly Put[] {
  const { image, name = nameFor(image), namespace, env, labels, user, memory, cpus } = body;
  const puts: Put[] = [];
  const add = (part: RunPart, at: string, from: string, value: unknown): void => {
    if (value !== undefined) puts.push({ part, at, value, from });
  };
  add("pull", "image", "image", { image });
  add("pull", "auth", "auth", body.auth);
  // A name that nobody chose gives way to that of the pod's own metadata.
  if (body.name !== undefined || nameIn(body.pod) === undefined) add("pod", "metadata.name", "name", name);
  add("pod", "metadata.namespace", "namespace", namespace);
  add("pod", "labels", "labels", labels);
  add("pod", "annotations", "annotations", body.annotations);
  add("pod", "portMappings", "ports", body.ports);
  add("pod", "runtimeHandler", "runtimeHandler", body.runtimeHandler);
  if (body.hostNetwork) add("pod", "linux.securityContext.namespaceOptions.network", "hostNetwork", "NODE");
  add("container", "image", "image", { image });
  if (nameIn(body.container) === undefined)
    add("container", "metadata.name", "name", body.name ?? nameIn(body.pod) ?? name);
  for (const field of ["command", "args", "workingDir", "mounts", "labels", "stdin", "tty"] as const)
    add("container", field, field, body[field]);
  if (env !== undefined) {
    const items = Object.keys(env).map((key) => `/env${jsonPointer([key])}`);
    const value = Object.entries(env).map(([key, text]) => ({ key, value: text }));
    puts.push({ part: "container", at: "envs", from: "env", value, items });
  }
  for (const [field, value] of Object.entries(user === undefined ? {} : identityOf(user)))
    add("container", `linux.securityContext.${field}`, "user", value);
  if (memory !== undefined)
    add("container", "linux.resources.memoryLimitInBytes", "memory", String(bytesOf(memory)));
  if (cpus !== undefined) {
    add("container", "linux.resources.cpuPeriod", "cpus", String(cpuPeriodUs));
    add("container", "linux.resources.cpuQuota", "cpus", String(Math.round(cpus * cpuPeriodUs)));
  }
  return puts;
}

/** As the kubelet has it, in microseconds. */
const cpuPeriodUs = 100_000;

function nameIn(config: RunBody["pod"]): unknown {
  const { metadata } = (config ?? {}) as { readonly metadata?: { readonly name?: unknown } | null };
  return metadata?.name ?? undefined;
}

/** `1000:100` -> runAsUser and runAsGroup; a name instead of the first number -> runAsUsername. */
function identityOf(user: string): JsonObject {
  const [who = "", group] = user.split(":");
  return {
    ...(/^[0-9]+$/.test(who) ? { runAsUser: { value: who } } : { runAsUsername: who }),
    ...(group === undefined ? {} : { runAsGroup: { value: group } }),
  };
}

const units: { readonly [unit: string]: bigint } = {
  "": 1n,
  K: 2n ** 10n,
  M: 2n ** 20n,
  G: 2n ** 30n,
  T: 2n ** 40n,
};

/** `256Mi`, `256MiB`, `268435456` */
function bytesOf(memory: string): bigint {
  const [, amount = "0", unit = ""] = /^([0-9]+)([KMGT]?)/.exec(memory) ?? [];
  return BigInt(amount) * (units[unit] ?? 1n);
}

/** A free name that people recognize: `nginx-k3x9z`. */
function nameFor(image: string): string {
  const [last = ""] = image.slice(image.lastIndexOf("/") + 1).split(/[:@]/);
  const base = last
    .toLowerCase()
    .replace(/[^a-z0-9.-]/g, "-")
    .slice(0, 40)
    .replace(/^[.-]+|[.-]+$/g, "");
  const suffix = randomInt(36 ** 5)
    .toString(36)
    .padStart(5, "0");
  return `${base === "" ? "run" : base}-${suffix}`;
}

/** Puts a value in its place. Returns the mistake if something else is there. */
function put(target: JsonObject, { at, value, from, part }: Put): readonly FieldError[] {
  const keys = at.split(".");
  const path: string[] = [];
  let inside = target;
  for (const [index, key] of keys.entries()) {
    const spelling = spellingIn(inside, key);
    path.push(spelling);
    const there = inside[spelling] ?? undefined;
    if (index === keys.length - 1) {
      if (there !== undefined) {
        const detail = `is set by ${from} as well: leave one of them out`;
        return [{ pointer: `/${part}${jsonPointer(path)}`, detail }];
      }
      inside[spelling] = value;
    } else if (there === undefined) inside = inside[spelling] = {};
    else if (typeof there === "object" && !Array.isArray(there)) inside = there as JsonObject;
    else return [{ pointer: `/${part}${jsonPointer(path)}`, detail: "must be an object" }];
  }
  return [];
}

/** Whether something is at a path of canonical names, in either spelling. */
function isThere(object: JsonObject, [key = "", ...path]: readonly string[]): boolean {
  const member = object[spellingIn(object, key)] ?? undefined;
  if (path.length === 0) return member !== undefined;
  return typeof member === "object" && isThere(member as JsonObject, path);
}

/** Where in the run's body a pointer leads to, if it leads into this value. */
function placeIn({ at, from, value, items }: Put, pointer: string): string | undefined {
  const here = `/${at.replaceAll(".", "/")}`;
  if (pointer !== here && !pointer.startsWith(`${here}/`)) return undefined;
  const [, index = ""] = pointer.slice(here.length).split("/");
  if (items !== undefined) return items[Number(index)] ?? `/${from}`;
  const isSame = Array.isArray(value) || isTextMap(from) || from === "auth";
  return isSame ? `/${from}${pointer.slice(here.length)}` : `/${from}`;
}

const isTextMap = (from: string): boolean => from === "labels" || from === "annotations";
