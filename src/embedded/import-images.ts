/** Brings images into a private containerd, without a registry. */

import { setTimeout as sleep } from "node:timers/promises";
import { askOnce } from "../cri/ask-once.ts";
import { run } from "./command.ts";
import { buildArchive, type NamedImage } from "./image.ts";

export interface ImportOptions {
  readonly socket: string;
  readonly images: readonly NamedImage[];
  readonly snapshotter: string;
  /** Names that earlier versions gave to images: they are taken away. */
  readonly formerNames?: readonly string[];
  /** Told the names, as they are about to be imported. */
  readonly report: (step: string) => void;
}

/** The containerd namespace that is the CRI's. */
const namespace = "k8s.io";

/**
 * Imports those of `images` that the runtime does not have yet under the same name with the same
 * digest, and waits until the CRI lists them. Then takes former names away.
 *
 * @throws {CommandError} when `ctr` fails; {Error} when the CRI does not list them within 10 s.
 */
export async function importImages(options: ImportOptions): Promise<void> {
  const ctr = ["ctr", "--address", options.socket, "--namespace", namespace, "images"];
  const present = imageDigests(await run([...ctr, "ls"]));
  await importMissing(ctr, present, options);
  const former = (options.formerNames ?? []).filter((name) => present.has(name));
  if (former.length > 0) await run([...ctr, "rm", ...former]);
}

async function importMissing(
  ctr: readonly string[],
  present: ReadonlyMap<string, string>,
  { socket, images, snapshotter, report }: ImportOptions,
): Promise<void> {
  const missing = images.filter(({ names, image }) =>
    names.some((name) => present.get(name) !== image.manifest.digest),
  );
  if (missing.length === 0) return;
  report(`Importing ${missing.map(({ names }) => shortName(names[0] ?? "")).join(" and ")}`);
  await run([...ctr, "import", "--snapshotter", snapshotter, "-"], { input: buildArchive(missing) });
  await untilListed(
    socket,
    missing.flatMap(({ names }) => names),
  );
}

/** Name -> digest, from the table that `ctr images ls` prints (REF TYPE DIGEST ...). */
export function imageDigests(table: string): ReadonlyMap<string, string> {
  const rows = table.split("\n").slice(1);
  return new Map(
    rows.flatMap((row): [string, string][] => {
      const [name, , digest] = row.split(/\s+/);
      return name && digest ? [[name, digest]] : [];
    }),
  );
}

/** Waits until the CRI lists the images: its own list follows containerd's a moment later. */
async function untilListed(socket: string, names: readonly string[]): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const { images } = await askOnce(socket, "ImageService/ListImages", {}, { deadlineMs: 5_000 });
    const listed = new Set(images.flatMap(({ repoTags }) => repoTags));
    const absent = names.filter((name) => !listed.has(name));
    if (absent.length === 0) return;
    if (Date.now() > deadline) {
      throw new Error(`Cannot import images: the runtime does not list ${absent.join(", ")}`);
    }
    await sleep(20);
  }
}

function shortName(name: string): string {
  return name.replace(/^docker\.io\/library\//, "").replace(/^crest\.invalid\//, "");
}
