/** Simulates the first process of a container: starting, exiting, stopping and killing it. */
import { setTimeout as delay } from "node:timers/promises";
import { announceContainer } from "./answers.ts";
import type { ContainerConfig } from "./messages.ts";
import { runShell, runsByItself } from "./shell.ts";
import { type FakeContainer, type FakeImage, nowNanos } from "./state.ts";
import type { World } from "./world.ts";

/** The command line of the container: its own or the image's. */
export function commandOf(config: ContainerConfig, image: FakeImage): string[] {
  const { command = [], args = [] } = config;
  return [...(command.length > 0 ? command : image.entrypoint), ...args];
}

let lastPid = 1000;

/** Starts the simulated first process. Commands of the small shell exit on their own; others keep running. */
export function startProcess(world: World, container: FakeContainer): void {
  const process = new AbortController();
  container.state = "CONTAINER_RUNNING";
  container.startedAtNanos = nowNanos();
  container.finishedAtNanos = 0n;
  container.exitCode = 0;
  container.reason = container.message = "";
  container.process = process;
  container.pid = lastPid += 1;
  const command = commandOf(container.config, container.image);
  // With stdin, the process waits for input.
  if (container.config.stdin || !runsByItself(command)) return;
  const signal = AbortSignal.any([process.signal, world.closed]);
  void runShell(command, { signal, environment: environmentOf(container.config) }).then(async (result) => {
    if (container.process === process && !signal.aborted)
      await exitProcess(world, container, result.exitCode);
  });
}

/** The environment variables in a container config. */
export function environmentOf(config: ContainerConfig): Map<string, string> {
  return new Map(
    (config.envs ?? []).map(({ key = "", value = "" }) => [key, Buffer.from(value, "base64").toString()]),
  );
}

/** Ends the first process with an exit code, as if it exited on its own. */
export async function exitProcess(
  world: World,
  container: FakeContainer,
  exitCode: number,
  reason?: string,
): Promise<void> {
  if (container.state !== "CONTAINER_RUNNING") return;
  container.process?.abort();
  container.process = undefined;
  container.state = "CONTAINER_EXITED";
  container.finishedAtNanos = nowNanos();
  container.exitCode = exitCode;
  container.reason = reason ?? (exitCode === 0 ? "Completed" : "Error");
  container.pid = 0;
  if (reason === "OOMKilled") world.containerdEvents.publish("/tasks/oom", { containerId: container.id });
  await announceContainer(world, "STOPPED", container);
}

/**
 * Asks the first process to exit, and kills it after the grace period. Waits for a pending stop instead, if there is
 * one.
 *
 * Aborting `signal` cancels the stop, except on runtimes that continue without their client.
 */
export async function stopProcess(
  world: World,
  container: FakeContainer,
  options: { graceMs: number; signal: AbortSignal },
): Promise<void> {
  if (container.stopping !== undefined) {
    await Promise.race([container.stopping, aborted(options.signal)]);
    return;
  }
  if (container.state !== "CONTAINER_RUNNING") return;
  const signals = [world.closed];
  if (!world.manner.habits.stopOutlivesClient) signals.push(options.signal);
  const stopping = end(world, container, { ...options, signal: AbortSignal.any(signals) });
  container.stopping = stopping.finally(() => {
    container.stopping = undefined;
  });
  await Promise.race([container.stopping, aborted(options.signal)]);
}

async function end(
  world: World,
  container: FakeContainer,
  { graceMs, signal }: { graceMs: number; signal: AbortSignal },
): Promise<void> {
  const process = container.process;
  if (graceMs > 0 && container.onTerm === "ignore") {
    const gone = process === undefined ? [signal] : [signal, process.signal];
    await delay(graceMs, undefined, { signal: AbortSignal.any(gone) }).catch(() => undefined);
    if (signal.aborted) return;
    await exitProcess(world, container, 137);
    return;
  }
  const obeyed = container.onTerm === "ignore" ? 137 : container.onTerm;
  await exitProcess(world, container, graceMs > 0 ? obeyed : 137);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
