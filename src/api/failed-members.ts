/** List members that the runtime could not read. */
import type { FailedMember } from "../cri/channel.ts";

/** Collects the members that a list leaves out. `failures` returns them sorted by id. */
export function gatherFailures() {
  const members: FailedMember[] = [];
  return {
    onFailedMember: (member: FailedMember): void => void members.push(member),
    failures: (): readonly FailedMember[] => members.sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}
