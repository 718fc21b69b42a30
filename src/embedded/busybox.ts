/** The two images that an embedded runtime starts with, built from the machine's static busybox. */

import { readFile } from "node:fs/promises";
import { StartError } from "../errors.ts";
import { run } from "./command.ts";
import { buildImage, type Image, type NamedImage } from "./image.ts";
import { busyboxPath } from "./requirements.ts";
import type { TarEntry } from "./tar.ts";

/** A busybox executable with its version and applets. */
export interface Busybox {
  readonly binary: Buffer;
  /** For example `1.35.0`. */
  readonly version: string;
  /** The names it can be invoked as, including `busybox` itself. */
  readonly applets: readonly string[];
}

/**
 * The name of the pod sandbox image in the runtime's configuration. No host name ends in `.invalid` (RFC 6761), so a
 * runtime that lacks the image fails at once instead of trying a registry.
 */
export const pauseName = "crest.invalid/pause:1";

/** The former name. `.local` belongs to mDNS, so a runtime that lacked the image queried the network. */
export const formerPauseName = "crest.local/pause:1";

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The first process of a pod: it holds the namespaces, reaps orphans and exits at once on SIGTERM or SIGINT.
 *
 * PID 1 ignores signals without a handler, so with a plain `sleep` every pod stop would take the full grace period.
 * `wait` returns on a trapped signal and reaps children meanwhile.
 */
const pauseScript = `#!/bin/sh
trap 'exit 0' TERM INT
while :; do
  sleep 2147483647 &
  wait $!
done
`;

/**
 * Reads the machine's busybox.
 *
 * @throws {StartError} if it does not report a version.
 */
export async function readBusybox(): Promise<Busybox> {
  const [binary, banner, applets] = await Promise.all([
    readFile(busyboxPath),
    run([busyboxPath, "sh", "-c", "busybox --help 2>&1 | head -n 1"]),
    run([busyboxPath, "--list"]),
  ]);
  const version = /v(\d+\.\d+\.\d+)/.exec(banner)?.[1];
  if (version === undefined) {
    throw new StartError(`Cannot read the version of ${busyboxPath}: it printed "${banner.trim()}"`);
  }
  return { binary, version, applets: applets.split("\n").filter((applet) => applet !== "") };
}

/** Builds `docker.io/library/busybox` (tagged `MAJOR.MINOR` and `latest`) and the pause image. */
export function embeddedImages(busybox: Busybox): readonly NamedImage[] {
  const minor = busybox.version.split(".").slice(0, 2).join(".");
  const repository = "docker.io/library/busybox";
  return [
    { names: [`${repository}:${minor}`, `${repository}:latest`], image: busyboxImage(busybox) },
    { names: [pauseName], image: pauseImage(busybox) },
  ];
}

/** A minimal system: every applet in /bin, users root and nobody, /tmp. */
export function busyboxImage({ binary, applets }: Busybox): Image {
  return buildImage({
    entries: [
      directory("bin"),
      file("bin/busybox", binary, 0o755),
      // A link with the name of the executable would point to itself.
      ...applets.filter((applet) => applet !== "busybox").map((applet) => link(`bin/${applet}`, "busybox")),
      directory("etc"),
      file(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
      ),
      file("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
      directory("home"),
      directory("root", 0o700),
      directory("tmp", 0o1777),
    ],
    env: [path],
    cmd: ["sh"],
  });
}

/** The image for the first process of a pod. */
export function pauseImage({ binary }: Busybox): Image {
  return buildImage({
    entries: [
      directory("bin"),
      file("bin/busybox", binary, 0o755),
      link("bin/sh", "busybox"),
      link("bin/sleep", "busybox"),
      file("pause", pauseScript, 0o755),
    ],
    env: [path],
    entrypoint: ["/pause"],
  });
}

function file(path: string, contents: string | Buffer, mode = 0o644): TarEntry {
  return { kind: "file", path, mode, bytes: Buffer.from(contents) };
}

function directory(path: string, mode = 0o755): TarEntry {
  return { kind: "directory", path, mode };
}

function link(path: string, target: string): TarEntry {
  return { kind: "symlink", path, mode: 0o777, target };
}
