/** A random body with everything in it made harmless that could reach beyond the private runtime. */

/** What dangerous values are replaced by. */
export interface Harmless {
  /** A folder that may be filled with anything. */
  readonly scratch: string;
  /** References of images; nobody is asked for others. */
  readonly images: readonly string[];
}

type Replace = (value: unknown, harmless: Harmless, holder: string) => unknown;

/** Only what has the right type is replaced: the rest never gets past the gateway. */
const text =
  (replacement: (value: string, harmless: Harmless, holder: string) => string): Replace =>
  (value, harmless, holder) =>
    typeof value === "string" && value !== "" ? replacement(value, harmless, holder) : value;
const inScratch = text((_, { scratch }) => `${scratch}/files`);
const noHostNamespace: Replace = (value) => (value === "NODE" || value === 2 ? "POD" : value);
const never: Replace = (value) => (value === true ? false : value);

/** By the name of the field without its spelling: paths of the node, its devices, ports, kernel and network. */
const replacements: { readonly [field: string]: Replace } = {
  hostpath: text((_, { scratch }, holder) => (holder === "devices" ? "/dev/null" : `${scratch}/files`)),
  logdirectory: inScratch,
  checkpointpath: inScratch,
  outputpath: inScratch,
  location: inScratch,
  logpath: text((value) => (/^[\w-]+$/.test(value) ? value : "fuzz.log")),
  cgroupparent: text(() => ""),
  privileged: never,
  hostprocess: never,
  sysctls: (value) => (typeof value === "object" && value !== null && !Array.isArray(value) ? {} : value),
  hostport: (value) => (typeof value === "number" ? 0 : value),
  network: noHostNamespace,
  pid: noHostNamespace,
  ipc: noHostNamespace,
  image: text((value, { images }) => images[value.length % images.length] ?? ""),
};

/** A copy of a JSON value; `holder` is the name of the field that it stands in. */
export function harmless(value: unknown, options: Harmless, holder = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => harmless(item, options, holder));
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => {
    const replace = replacements[name.replaceAll("_", "").toLowerCase()];
    return [name, harmless(replace ? replace(member, options, holder) : member, options, name)] as const;
  });
  return Object.fromEntries(members);
}
