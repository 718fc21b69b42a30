/** Reads the setting `policy`: a level, or a file with a level and host words. */
import { StartError } from "../errors.ts";
import { readTrustedFile } from "../files/trusted-file.ts";
import { type Grants, isPolicyLevel, type PolicyLevel } from "../grants.ts";
import { checkPolicyFile } from "./check-options.ts";
import { readHostWord } from "./host-word.ts";

export interface Policy {
  readonly level: PolicyLevel;
  /** Host words that are granted besides those of the flags. */
  readonly allow: readonly string[];
  /** Host words that are denied besides those of the flags. */
  readonly deny: readonly string[];
}

/** The content of the file. */
interface PolicyFile {
  readonly level?: PolicyLevel;
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

/** @throws {StartError} for a file that cannot be read, is not trusted or is wrong. */
export function readPolicy(policy: string = "baseline"): Policy {
  if (isPolicyLevel(policy)) return { level: policy, allow: [], deny: [] };
  let text: string;
  try {
    text = readTrustedFile(policy).toString("utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`--policy=${policy}: cannot be read: ${why}`, { cause: error });
  }
  return parsePolicy(text, policy);
}

/** Parses the content of the file `path`. @throws {StartError} */
function parsePolicy(text: string, path: string): Policy {
  const placeOf = (key: string): string => `--policy=${path}${key === "" ? "" : `: ${key}`}`;
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`${placeOf("")}: is not JSON: ${why}`, { cause: error });
  }
  checkPolicyFile(content, placeOf);
  const { level, allow = [], deny = [] } = content as PolicyFile;
  if (level === undefined)
    throw new StartError(`${placeOf("level")}: missing, write "baseline" or "restricted"`);
  const read = (key: string, words: readonly string[]): readonly string[] =>
    words.map((word, index) => {
      try {
        return readHostWord(word);
      } catch (error) {
        if (!(error instanceof StartError)) throw error;
        throw new StartError(`${placeOf(`${key}[${index}]`)}: ${error.message}`, { cause: error });
      }
    });
  return { level, allow: read("allow", allow), deny: read("deny", deny) };
}

/** Adds the words of a policy file to the grants of the flags. */
export function withPolicy(grants: Grants, { allow, deny }: Policy): Grants {
  return {
    ...grants,
    allow: withWords(grants.allow, allow),
    deny: withWords(grants.deny, deny),
  };
}

function withWords(set: Grants["allow"], words: readonly string[]): Grants["allow"] {
  if (words.length === 0 || set.host === true) return set;
  return { ...set, host: [...(set.host ?? []), ...words] };
}
