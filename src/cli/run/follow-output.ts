/**
 * What a container writes, from its log: from the first line on, which attaching cannot give, and without a gap after a lost
 * connection. A log is text in lines: bytes that are not UTF-8 are replaced, and the last line always gets its newline.
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
  let isLossy = false;
  for await (const line of crest.getContainerLogs({ containerId, follow: true }, { signal })) {
    isCut ||= line.truncated === true;
    isLossy ||= line.lossy === true;
    await write(line.stream === "stderr" ? stderr : stdout, `${line.text}\n`);
  }
  if (isLossy)
    await note(stderr, "The output has bytes that are not text, and the log has U+FFFD in place of them");
  if (isCut) await note(stderr, "The output has lines of more than 1 MiB, which the log cuts");
}
