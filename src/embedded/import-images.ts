/** Imports images into a private containerd without a registry. */

import { setTimeout as sleep } from "node:timers/promises";
import { askOnce } from "../cri/ask-once.ts";
import { run } from "./command.ts";
import { buildArchive, type NamedImage } from "./image.ts";

export interface ImportOptions {
  readonly socket: string;
  readonly images: readonly NamedImage[];
  readonly snapshotter: string;
  /** Image names of earlier versions, to be removed. */
  readonly formerNames?: readonly string[];
  /** Called with the names just before they are imported. */
  readonly report: (step: string) => void;
}

/** The containerd namespace of the CRI. */
const namespace = "k8s.io";

/**
 * Imports the `images` that the runtime does not have under the same name with the same digest, and waits until the CRI
 * lists them. Then removes former names.
 *
 * @throws {CommandError} if `ctr` fails; {Error} if the CRI does not list them within 10 s.
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

/** Parses the table that `ctr images ls` prints (REF TYPE DIGEST ...) into digests by name. */
export function imageDigests(table: string): ReadonlyMap<string, string> {
  const rows = table.split("\n").slice(1);
  return new Map(
    rows.flatMap((row): [string, string][] => {
      const [name, , digest] = row.split(/\s+/);
      return name && digest ? [[name, digest]] : [];
    }),
  );
}

/** Waits until the CRI lists the images: its list lags slightly behind containerd's. */
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
