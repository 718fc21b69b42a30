/**
 * What a container writes, from its log: from the first byte on, which attaching cannot give, and without a gap after a lost
 * connection. A log has lines, so the last one always gets its newline, and the bytes of each are as they were.
 */
import type { Client } from "../../client/index.ts";
import { note, type Terminal, write } from "../terminal.ts";

/** Writes both outputs until the container exits. @throws {CrestError} */
export async function followOutput(
  crest: Client,
  containerId: string,
  { stdout, stderr, signal }: Terminal,
): Promise<void> {
  let isCut = false;
  for await (const line of crest.getContainerLogs({ containerId, follow: true }, { signal })) {
    isCut ||= line.truncated === true;
    const output = line.stream === "stderr" ? stderr : stdout;
    if (line.base64 === undefined) await write(output, `${line.text}\n`);
    else await write(output, Buffer.concat([Buffer.from(line.base64, "base64"), Buffer.from("\n")]));
  }
  if (isCut) await note(stderr, "The output has lines of more than 1 MiB, which the log cuts");
}
