/** Finds the log of a container's attempt before the present one. */
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { GatewayError } from "../errors.ts";
import { absent } from "./log-place.ts";
import { type ContainerSource, oneContainer } from "./logged-containers.ts";

/**
 * A source that knows one container only: the attempt before `containerId`. Where the runtime has it no more, its log
 * is looked for beside that of the present one, as `ATTEMPT.log`.
 *
 * @throws {GatewayError} `not_found`
 */
export async function previousAttempt(
  containers: ContainerSource,
  containerId: string,
): Promise<ContainerSource> {
  const { containers: found } = await containers.list({ containerId });
  const [present] = found;
  if (present === undefined)
    throw new GatewayError("not_found", `Cannot find container "${containerId}": the runtime has none`);
  const { containers: all } = await containers.list({ podSandboxId: present.podSandboxId });
  const earlier = all
    .filter(({ name, attempt }) => name === present.name && attempt < present.attempt)
    .sort((a, b) => b.attempt - a.attempt);
  const [last] = earlier;
  if (last !== undefined)
    return oneContainer({ ...last, isEnded: true }, () => containers.logPathOf(last.id));
  const logPath = await earlierLog(await containers.logPathOf(containerId), present.attempt);
  if (logPath === undefined)
    throw new GatewayError(
      "not_found",
      `Cannot find an attempt before container "${containerId}": it is attempt ${present.attempt} of "${present.name}", and there is no log of an earlier one`,
    );
  // Cursors name it by the id of the present one.
  return oneContainer({ ...present, isEnded: true }, async () => logPath);
}

/** The log of the latest attempt before `attempt`, in the folder of `logPath`. */
async function earlierLog(logPath: string, attempt: number): Promise<string | undefined> {
  if (basename(logPath) !== `${attempt}.log`) return undefined;
  const folder = dirname(logPath);
  const names = await readdir(folder).catch(absent);
  const attempts = (names ?? []).flatMap((name) => {
    const [, number] = /^(\d{1,9})\.log$/.exec(name) ?? [];
    return number !== undefined && Number(number) < attempt ? [Number(number)] : [];
  });
  return attempts.length === 0 ? undefined : join(folder, `${Math.max(...attempts)}.log`);
}
