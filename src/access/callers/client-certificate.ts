/** Whom the certificate of a client is for. */
import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { CertificateSubjects } from "./known-callers.ts";

const none: CertificateSubjects = { subjects: [], expiresAtMs: 0 };

/** Reading a certificate takes longer than a request otherwise does, and a connection keeps its certificate. */
const known = new WeakMap<Socket, CertificateSubjects>();

/** The subjects of a connection's certificate, which the TLS handshake has checked. None without one. */
export function subjectsOf(socket: Socket): CertificateSubjects {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return none;
  let found = known.get(socket);
  if (found === undefined) {
    const certificate = socket.getPeerX509Certificate();
    found = certificate === undefined ? none : subjectsIn(certificate);
    known.set(socket, found);
  }
  return found;
}

/** All names in the certificate, those of its subjectAltName first, as the tokens file writes them. */
export function subjectsIn({ subject, subjectAltName, validTo }: X509Certificate): CertificateSubjects {
  const common = commonNames(subject);
  return {
    subjects: [
      ...alternativeNames(subjectAltName ?? ""),
      // With several, it would be open which one counts.
      ...(common.length === 1 ? common : []),
    ],
    expiresAtMs: Date.parse(validTo),
  };
}

/** The subject has one `KEY=value` per line. Node escapes what is special in a value by a backslash. */
function commonNames(subject: string): readonly string[] {
  return subject.split("\n").flatMap((line) => {
    const name = line.startsWith("CN=") ? line.slice("CN=".length) : "";
    // An escaped name is none that the tokens file has.
    return name === "" || name.includes("\\") ? [] : [`CN:${name}`];
  });
}

/**
 * `DNS:a.example, email:"x, y"`: Node quotes a value, as JSON, that has a comma or a quote in it. Reads one after the
 * other from the start: a value of another kind may contain a text that looks like a name.
 */
function alternativeNames(text: string): readonly string[] {
  const names: string[] = [];
  for (let at = 0; at < text.length; ) {
    const colon = text.indexOf(":", at);
    const kind = text.slice(at, colon);
    const end = colon === -1 ? undefined : endOfValue(text, colon + 1);
    if (end === undefined || !/^[^,"]+$/.test(kind)) return [];
    const value = text.slice(colon + 1, end);
    const name = value.startsWith('"') ? unquoted(value) : value;
    if (name !== "" && (kind === "DNS" || kind === "URI")) names.push(`${kind}:${name}`);
    at = end + separator.length;
  }
  return names;
}

const separator = ", ";

/** Where the value that begins at `start` ends; undefined if nothing that may follow it does. */
function endOfValue(text: string, start: number): number | undefined {
  let end = start;
  if (text[start] === '"') {
    end = start + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
    end++;
  } else while (end < text.length && text[end] !== "," && text[end] !== '"') end++;
  return end === text.length || text.startsWith(separator, end) ? end : undefined;
}

function unquoted(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    return "";
  }
}
