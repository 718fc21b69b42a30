/** Parser for the words that say what of the node a pod may reach. */
import { posix } from "node:path";
import { StartError } from "../errors.ts";
import { type HostWordName, hostWords } from "../grants.ts";
import { unknownWord } from "./check-options.ts";

const maxPort = 65_535;

/**
 * Parses `network`, `port:8000-8010` or `mount:/srv/data:ro`. Returns it with capabilities in upper case, without
 * `CAP_`, and without a slash at the end of a path.
 *
 * @throws {StartError} for an unknown word, and for a value that is missing, not expected or malformed.
 */
export function readHostWord(text: string): string {
  const colon = text.indexOf(":");
  const name = colon === -1 ? text : text.slice(0, colon);
  if (!Object.hasOwn(hostWords, name)) throw new StartError(unknownWord(name, Object.keys(hostWords)));
  const word: { readonly takes: string; readonly example?: string } = hostWords[name as HostWordName];
  const value = colon === -1 ? "" : text.slice(colon + 1);
  const refuse = (what: string) => new StartError(`"${text}" ${what}: write ${name}:${word.example}`);
  if (word.takes === "nothing") {
    if (colon === -1) return name;
    throw new StartError(`"${text}" has a value, but this word stands alone: write ${name}`);
  }
  if (value === "") throw refuse("has no value");
  if (word.takes === "ports") return `${name}:${readPorts(value, refuse)}`;
  if (word.takes === "folder") return `${name}:${readFolder(name, value, refuse)}`;
  if (value.slice(0, -1).includes("*") || (word.takes === "name" && value.includes("*"))) {
    throw refuse(word.takes === "name" ? "has a wildcard" : "has a wildcard that is not at the end");
  }
  return name === "cap" ? `cap:${value.toUpperCase().replace(/^CAP_/, "")}` : `${name}:${value}`;
}

type Refuse = (what: string) => StartError;

function readPorts(value: string, refuse: Refuse): string {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(value) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (!(from >= 1 && to <= maxPort)) throw refuse("is not a port from 1 to 65535, or a range of them");
  if (from > to) throw refuse("ends before it begins");
  return from === to ? String(from) : `${from}-${to}`;
}

function readFolder(name: string, value: string, refuse: Refuse): string {
  const isReadonly = name === "mount" && value.endsWith(":ro");
  const path = isReadonly ? value.slice(0, -3) : value;
  if (!path.startsWith("/")) throw refuse("is not an absolute path");
  if (path.split("/").includes("..")) throw refuse('has ".." in its path');
  const plain = posix.normalize(path).replace(/(?<=.)\/$/, "");
  return isReadonly ? `${plain}:ro` : plain;
}
