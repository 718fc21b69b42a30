/** The command `crest policy check`. */
import { readFileSync } from "node:fs";
import { type Explanation, explainPolicy } from "./access/policy/explain.ts";
import { readPolicy, withPolicy } from "./config.ts";
import { StartError } from "./errors.ts";
import { wellKnownSockets } from "./runtimes/discover.ts";
import { logRootOf } from "./runtimes/log-folders.ts";

/** The data folder of a gateway that root runs. */
const dataDir = "/var/lib/crest";

/** @throws {StartError} for files that cannot be read or are wrong. */
export function checkPolicy({
  policy,
  file,
}: {
  readonly policy: string;
  readonly file: string;
}): Explanation {
  const read = readPolicy(policy);
  try {
    return explainPolicy(readFileSync(file), {
      level: read.level,
      // Image mounts depend on what may be pulled, which is no matter of the policy.
      grants: withPolicy({ all: false, allow: { pull: true }, deny: {} }, read),
      logRoot: logRootOf(dataDir),
      kept: [dataDir, ...wellKnownSockets],
    });
  } catch (error) {
    if (!(error instanceof StartError) && !(error as NodeJS.ErrnoException).code) throw error;
    throw new StartError(`${file}: ${(error as Error).message}`, { cause: error });
  }
}
