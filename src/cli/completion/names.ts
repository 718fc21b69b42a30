/** Names of what the gateway has, for completion. */
import { environment } from "../../config/environment.ts";
import { podNames } from "../commands/pod-names.ts";
import { configFolder, localName, profilesFileIn, readProfiles } from "../server/profiles.ts";
import type { Candidate, NamedKind, ServerWords } from "./completion.ts";

/** A person waits for it. */
const answerMs = 1000;
const mostNames = 500;
/** What a shell takes as it is. The name of a container is another's, and must not become a command. */
const isSafe = (name: string): boolean => /^[\w][\w./:@+-]*$/.test(name);

/** Names of the kind. @throws if the gateway cannot be found, or does not answer soon. */
export async function namesOf(kind: NamedKind, around: ServerWords): Promise<readonly Candidate[]> {
  const found = kind === "server" ? servers() : await askGateway(kind, around);
  return found.filter(({ value }) => isSafe(value));
}

function servers(): readonly Candidate[] {
  const folder = configFolder(environment);
  const profiles = folder === undefined ? [] : readProfiles(profilesFileIn(folder)).servers;
  const named = profiles.map(({ name, address }) => ({ value: name, about: address }));
  return [...named, { value: localName, about: "the gateway of this machine" }];
}

async function askGateway(
  kind: Exclude<NamedKind, "server">,
  { server, "token-file": tokenFile }: ServerWords,
): Promise<readonly Candidate[]> {
  const { connect } = await import("../server/connect.ts");
  const silent = { write: () => true } as unknown as NodeJS.WriteStream;
  const flags = { server, "token-file": tokenFile, "show-curl": false };
  const { crest } = await connect(flags, { stdout: silent, stderr: silent });
  const options = { signal: AbortSignal.timeout(answerMs) };
  const { signal } = options;
  if (kind === "image") {
    const { images } = await crest.listImages({ limit: mostNames }, options).page();
    return images.flatMap(({ repoTags = [] }) => repoTags.map((value) => ({ value })));
  }
  if (kind === "pod") {
    const { items } = await crest.listPods({ limit: mostNames }, options).page();
    return shortest(items, ({ id, metadata }) => [
      metadata?.name ?? "",
      `${metadata?.namespace}/${metadata?.name}`,
      id,
    ]);
  }
  const { containers } = await crest.listContainers({ limit: mostNames }, options).page();
  const podOf = await podNames(containers, crest, signal);
  return shortest(containers, (container) => {
    const name = container.metadata?.name ?? "";
    const pod = podOf(container);
    const below = pod === undefined ? [] : [`${pod.slice(pod.indexOf("/") + 1)}/${name}`, `${pod}/${name}`];
    return [name, ...below, container.id];
  });
}

/** The shortest name of each that no other has. */
function shortest<One extends { readonly state?: string | undefined }>(
  all: readonly One[],
  namesFrom: (one: One) => readonly string[],
): readonly Candidate[] {
  const counts = new Map<string, number>();
  for (const name of all.flatMap(namesFrom)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return all.map((one) => ({
    value: namesFrom(one).find((name) => name !== "" && counts.get(name) === 1) ?? "",
    about: stateOf(one.state),
  }));
}

/** `SANDBOX_READY` -> `ready` */
const stateOf = (state: string | undefined): string => (state ?? "").replace(/^[A-Z]+_/, "").toLowerCase();
