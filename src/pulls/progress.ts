/**
 * How far a pull has come. Holds what the runtime reported, and derives totals, rate and estimates from it. What the
 * runtime does not report is absent.
 */
import { createTransferRate } from "./transfer-rate.ts";

/**
 * The life of a layer. `exists`: it was on the node before. `downloaded`: complete, and waiting to be unpacked, which
 * happens one layer at a time. `done`: unpacked.
 */
export const layerStates = ["waiting", "downloading", "downloaded", "unpacking", "done", "exists"] as const;
export type LayerState = (typeof layerStates)[number];

export interface LayerProgress {
  /** Digest of the compressed layer. */
  readonly digest: string;
  readonly state: LayerState;
  /** Compressed. */
  readonly sizeBytes: number;
  /** Compressed bytes that are on the node. */
  readonly downloadedBytes: number;
  /** Bytes that its files take so far; absent before it is unpacked. */
  readonly unpackedBytes?: number;
}

/** `pulling`: the runtime reports nothing more. The last three are final. */
export const phases = [
  "pulling",
  "resolving",
  "downloading",
  "unpacking",
  "done",
  "failed",
  "cancelled",
] as const;
export type Phase = (typeof phases)[number];
export type FinalPhase = Extract<Phase, "done" | "failed" | "cancelled">;

export interface ProgressView {
  readonly phase: Phase;
  readonly elapsedMs: number;
  /** Of all layers. Absent while the layers are unknown. */
  readonly totalBytes?: number;
  readonly downloadedBytes?: number;
  /** Over the last 10 s. */
  readonly bytesPerSecond?: number;
  /** Until the download ends. */
  readonly etaMs?: number;
  /** How long nothing has arrived and nothing was unpacked; absent below 3 s. */
  readonly stalledForMs?: number;
  readonly layers?: readonly LayerProgress[];
}

export interface Progress {
  /** The runtime can report layers, and has not found them yet. */
  resolving(): void;
  /** Takes the layers as they are now, in the image's order. */
  observe(layers: readonly LayerProgress[]): void;
  /** Ends it. After `done`, all layers are complete. */
  finish(phase: FinalPhase): void;
  view(): ProgressView;
  /** Grows with each change, except that of the time. */
  readonly version: number;
}

/** A shorter pause is no stall. */
const minStallMs = 3000;

/** @param now Returns milliseconds that never go back. Default: `performance.now`. */
export function createProgress(now: () => number = () => performance.now()): Progress {
  const beganAtMs = now();
  const rate = createTransferRate();
  let layers: readonly LayerProgress[] | undefined;
  let phase: Phase = "pulling";
  let version = 0;
  let movedAtMs = beganAtMs;
  let endedAtMs: number | undefined;

  const isOver = (): boolean => endedAtMs !== undefined;

  return {
    get version() {
      return version;
    },
    resolving() {
      if (isOver() || phase !== "pulling") return;
      phase = "resolving";
      version++;
    },
    observe(observed) {
      if (isOver() || isSame(layers, observed)) return;
      const isMoved = sizeOf(observed) !== sizeOf(layers ?? []);
      layers = observed;
      phase = observed.every(isDownloaded) ? "unpacking" : "downloading";
      version++;
      if (isMoved) movedAtMs = now();
      rate.record(downloadedOf(observed), now());
    },
    finish(final) {
      if (isOver()) return;
      endedAtMs = now();
      phase = final;
      version++;
      if (final === "done") layers = layers?.map(completed);
    },
    view() {
      const atMs = endedAtMs ?? now();
      const view = { phase, elapsedMs: Math.round(atMs - beganAtMs) };
      if (layers === undefined) return view;
      const totalBytes = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      const downloadedBytes = downloadedOf(layers);
      const ofLayers = { ...view, totalBytes, downloadedBytes, layers };
      if (isOver()) return ofLayers;
      const stalledForMs = Math.round(atMs - movedAtMs);
      return withoutAbsent({
        ...ofLayers,
        ...(phase === "downloading"
          ? {
              bytesPerSecond: rate.bytesPerSecond(atMs),
              etaMs: rate.etaMs(totalBytes - downloadedBytes, atMs),
            }
          : {}),
        stalledForMs: stalledForMs < minStallMs ? undefined : stalledForMs,
      });
    },
  };
}

function isDownloaded({ state }: LayerProgress): boolean {
  return state !== "waiting" && state !== "downloading";
}

const downloadedOf = (layers: readonly LayerProgress[]): number =>
  layers.reduce((sum, { downloadedBytes }) => sum + downloadedBytes, 0);

/** Grows with each byte that arrives or is unpacked. */
const sizeOf = (layers: readonly LayerProgress[]): number =>
  layers.reduce((sum, { unpackedBytes = 0 }) => sum + unpackedBytes, downloadedOf(layers));

function completed(layer: LayerProgress): LayerProgress {
  const { state, sizeBytes } = layer;
  return { ...layer, state: state === "exists" ? state : "done", downloadedBytes: sizeBytes };
}

function isSame(
  before: readonly LayerProgress[] | undefined,
  after: readonly LayerProgress[] | undefined,
): boolean {
  if (before?.length !== after?.length || before === undefined) return false;
  return before.every((layer, index) => {
    const other = after?.[index];
    return (
      layer.digest === other?.digest &&
      layer.state === other.state &&
      layer.downloadedBytes === other.downloadedBytes &&
      layer.unpackedBytes === other.unpackedBytes
    );
  });
}

type WithAbsent<T> = { readonly [K in keyof T]: T[K] | undefined };

/** Leaves out the members without a value. */
const withoutAbsent = (view: WithAbsent<ProgressView>): ProgressView =>
  Object.fromEntries(Object.entries(view).filter(([, value]) => value !== undefined)) as {
    -readonly [K in keyof ProgressView]: ProgressView[K];
  };
