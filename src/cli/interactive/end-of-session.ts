/** What the user is told of a session that was left. */
import { quote } from "../../shell.ts";
import { note, type Output } from "../terminal.ts";
import type { SessionEnd } from "./session.ts";

/** Returns the exit code: that of the command; 0 if the user has left it, who is told how to come back. */
export async function endOfSession(end: SessionEnd, stderr: Output): Promise<number> {
  if ("exitCode" in end) return end.exitCode;
  const { id = "", lingerSeconds = 0 } = end.left.kept ?? {};
  // The cursor is where the command left it.
  stderr.write("\r\n");
  await note(stderr, `Detached. Within ${lingerSeconds} s, crest resume ${quote(id)} goes on with it`);
  return 0;
}
