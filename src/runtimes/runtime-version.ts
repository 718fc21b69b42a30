/** Compares runtime versions. */

export type Version = readonly [major: number, minor: number];

/** `v1.6.20~ds1` -> `[1, 6]`; `[0, 0]` for anything that is not a version. */
export function versionOf(text: string): Version {
  const [, major = "0", minor = "0"] = /^v?(\d{1,9})\.(\d{1,9})/.exec(text) ?? [];
  return [Number(major), Number(minor)];
}

/** Whether a version is older than this one. */
export const before =
  (major: number, minor: number) =>
  (version: Version): boolean =>
    version[0] < major || (version[0] === major && version[1] < minor);

/** Whether a version is this one or newer. */
export const from =
  (major: number, minor: number) =>
  (version: Version): boolean =>
    !before(major, minor)(version);
