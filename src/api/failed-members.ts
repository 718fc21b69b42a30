/** Members that a list had to leave out, because the runtime could not read them. */
import type { FailedMember } from "../cri/channel.ts";

/** Gathers the members that a list had to leave out, to be told in one order. */
export function gatherFailures() {
  const members: FailedMember[] = [];
  return {
    onFailedMember: (member: FailedMember): void => void members.push(member),
    failures: (): readonly FailedMember[] => members.sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}
