/**
 * The progress of pulls: bars on a terminal, a few lines elsewhere. Several pulls share one display.
 */
import type { Pull, PullLayer } from "../../client/index.ts";
import { printable } from "../../printable.ts";
import type { Output } from "../terminal.ts";
import { fit } from "./display-width.ts";
import { duration } from "./duration.ts";
import { liveRegion } from "./live-region.ts";
import { diskSize } from "./sizes.ts";

export interface PullProgress {
  /** Shows how far it is. `name`: the image, as it was typed. */
  update(name: string, pull: Pull): void;
  /** Says that it has ended well. */
  finished(name: string): void;
  /** Takes what is drawn away, before something else is written, a failure for example. */
  clear(): void;
  /** Forgets a pull that has failed. */
  drop(name: string): void;
}

/** Between two lines about a pull that only goes on, where there is no terminal. */
const quietMs = 30_000;
/** Narrower terminals have no room for bars. */
const fewestBarColumns = 60;

export function pullProgress(output: Output): PullProgress {
  return output.isTTY === true ? bars(output) : lines(output);
}

function bars(output: Output): PullProgress {
  const region = liveRegion(output);
  const pulls = new Map<string, Pull>();
  const draw = (): void => region.draw(screen(pulls, region));
  return {
    update(name, pull) {
      pulls.set(name, pull);
      draw();
    },
    finished(name) {
      const pull = pulls.get(name);
      pulls.delete(name);
      region.clear();
      if (pull !== undefined) output.write(`${printable(name)}: ${summary(pull)}\n`);
      if (pulls.size > 0) draw();
    },
    clear: region.clear,
    drop(name) {
      pulls.delete(name);
      region.clear();
      if (pulls.size > 0) draw();
    },
  };
}

/** All pulls: a line for each, and below it as many of its layers as there is room for. */
export function screen(
  pulls: ReadonlyMap<string, Pull>,
  { columns, rows }: { readonly columns: number; readonly rows: number },
): readonly string[] {
  let room = Math.max(0, rows - pulls.size);
  let left = pulls.size;
  return [...pulls].flatMap(([name, pull]) => {
    const layers = layerLines(pull.layers ?? [], columns, Math.floor(room / left));
    room -= layers.length;
    left--;
    return [fit(`${printable(name)}: ${headline(pull)}`, columns), ...layers];
  });
}

function headline(pull: Pull): string {
  const { phase, totalBytes, downloadedBytes, bytesPerSecond, etaMs, stalledForMs, elapsedMs } = pull;
  const parts: string[] = [phase];
  if (phase === "downloading" && totalBytes !== undefined && downloadedBytes !== undefined) {
    parts.push(`${percent(downloadedBytes, totalBytes)} of ${diskSize(totalBytes)}`);
    if (bytesPerSecond !== undefined) parts.push(`${diskSize(bytesPerSecond)}/s`);
    if (etaMs !== undefined) parts.push(`${duration(etaMs)} left`);
  } else parts.push(duration(elapsedMs));
  if (stalledForMs !== undefined) parts.push(`nothing for ${duration(stalledForMs)}`);
  return parts.join(", ");
}

function summary({ totalBytes, elapsedMs, layers = [] }: Pull): string {
  const isThere = layers.length > 0 && layers.every(({ state }) => state === "exists");
  const size = totalBytes === undefined || isThere ? "" : ` ${diskSize(totalBytes)}`;
  return isThere ? "up to date" : `pulled${size} in ${duration(elapsedMs)}`;
}

/** What there is to see first. */
const urgency: { readonly [S in PullLayer["state"]]: number } = {
  downloading: 0,
  unpacking: 0,
  downloaded: 1,
  waiting: 2,
  done: 3,
  exists: 4,
};

/** The most urgent layers, in the order of the image. */
function layerLines(layers: readonly PullLayer[], columns: number, room: number): readonly string[] {
  if (layers.length <= room) return layers.map((layer) => layerLine(layer, columns));
  if (room < 2) return [];
  const chosen = new Set([...layers].sort((a, b) => urgency[a.state] - urgency[b.state]).slice(0, room - 1));
  const rest = layers.filter((layer) => !chosen.has(layer));
  const there = rest.filter(({ state }) => state === "done" || state === "exists").length;
  return [
    ...layers.filter((layer) => chosen.has(layer)).map((layer) => layerLine(layer, columns)),
    fit(`  and ${rest.length} more layers, ${there} of them done`, columns),
  ];
}

function layerLine({ digest, state, sizeBytes, downloadedBytes }: PullLayer, columns: number): string {
  const id = printable(digest.replace(/^sha256:/, "").slice(0, 12));
  const size =
    state === "downloading" ? `${diskSize(downloadedBytes)} / ${diskSize(sizeBytes)}` : diskSize(sizeBytes);
  const start = `  ${id}  ${state.padEnd(11)}`;
  const end = `  ${size.padStart(15)}`;
  const width = Math.min(columns - start.length - end.length - 4, 50);
  const share = sizeBytes === 0 || state === "done" || state === "exists" ? 1 : downloadedBytes / sizeBytes;
  const bar = columns < fewestBarColumns ? "" : `  [${barOf(Math.min(Math.max(share, 0), 1), width)}]`;
  return fit(`${start}${bar}${end}`, columns);
}

function barOf(share: number, width: number): string {
  const full = Math.floor(share * width);
  const head = full > 0 && full < width ? ">" : "";
  return `${"=".repeat(full - head.length)}${head}`.padEnd(width);
}

const percent = (part: number, whole: number): string =>
  `${whole === 0 ? 100 : Math.floor((Math.min(part, whole) / whole) * 100)}%`;

/** A line when something new happens, and now and then while it goes on. */
function lines(output: Output): PullProgress {
  const pulls = new Map<string, { pull: Pull; phase: string; toldAt: number }>();
  const tell = (name: string, text: string): void => {
    output.write(`${printable(name)}: ${text}\n`);
  };
  return {
    update(name, pull) {
      const before = pulls.get(name);
      const isNew = before === undefined || before.phase !== pull.phase;
      const isFinal = pull.phase === "done" || pull.phase === "failed" || pull.phase === "cancelled";
      const toldAt = before?.toldAt ?? 0;
      const isDue = !isFinal && (isNew || pull.elapsedMs - toldAt >= quietMs);
      if (isDue) tell(name, headline(pull));
      pulls.set(name, { pull, phase: pull.phase, toldAt: isDue ? pull.elapsedMs : toldAt });
    },
    finished(name) {
      const last = pulls.get(name);
      pulls.delete(name);
      if (last !== undefined) tell(name, summary(last.pull));
    },
    clear: () => undefined,
    drop: (name) => void pulls.delete(name),
  };
}
