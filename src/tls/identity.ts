/** The gateway's TLS identity: read from files and checked before use. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { StartError } from "../errors.ts";
import { readAgain } from "../files/trusted-file.ts";
import { reasonOf, resolveTrusted } from "../files/trusted-path.ts";

/** Absolute paths of PEM files. */
export interface TlsFiles {
  /** The server certificate, followed by its intermediate certificates. */
  readonly cert: string;
  readonly key: string;
  /** Clients must present a certificate issued by one of these authorities. */
  readonly clientCa?: string;
}

export interface TlsIdentity {
  readonly context: SecureContextOptions;
  /** Identities are equal if these are equal. */
  readonly contents: readonly string[];
  readonly validTo: Date;
}

/** TLS 1.3, and from TLS 1.2 only ciphers with forward secrecy and authenticated encryption. */
const ciphers = [
  ...["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"],
  ...["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
  ...["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
  ...["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"],
].join(":");

/**
 * Reads and checks the files.
 *
 * @throws {StartError} naming the flag and the file: when it is unreadable, not PEM, encrypted, expired or not yet
 *   valid, when the key does not match the certificate, or when it is too weak for TLS.
 */
export async function loadTls({ cert, key, clientCa }: TlsFiles): Promise<TlsIdentity> {
  const certText = await read("--tls-cert", cert);
  const keyText = await read("--tls-key", key);
  const caText = clientCa === undefined ? undefined : await read("--tls-client-ca", clientCa);
  const leaf = certificatesOf(certText, `--tls-cert: ${cert}`)[0];
  checkDates(leaf, `--tls-cert: ${cert}`);
  if (!leaf.checkPrivateKey(keyOf(keyText, `--tls-key: ${key}`))) {
    throw new StartError(`--tls-key: ${key} does not match ${cert}`);
  }
  if (caText !== undefined) {
    for (const authority of certificatesOf(caText, `--tls-client-ca: ${clientCa}`)) {
      checkDates(authority, `--tls-client-ca: ${clientCa}`);
    }
  }
  const context: SecureContextOptions = {
    ...{ cert: certText, key: keyText, ciphers, minVersion: "TLSv1.2" },
    ...(caText === undefined ? {} : { ca: caText }),
  };
  try {
    createSecureContext(context);
  } catch (error) {
    throw new StartError(`--tls-cert: ${cert} cannot be used: ${messageOf(error)}`, { cause: error });
  }
  return { context, contents: [certText, keyText, caText ?? ""], validTo: new Date(leaf.validTo) };
}

/**
 * Checks the folders above the files, once: others cannot change later what is trusted at startup.
 *
 * @throws {StartError} naming the flag and the folder.
 */
export function checkTlsPaths({ cert, key, clientCa }: TlsFiles): void {
  check("--tls-cert", cert);
  check("--tls-key", key);
  if (clientCa !== undefined) check("--tls-client-ca", clientCa);
}

function check(flag: string, path: string): void {
  try {
    resolveTrusted(path);
  } catch (error) {
    throw cannotRead(flag, path, error);
  }
}

async function read(flag: string, path: string): Promise<string> {
  return readAgain(path).catch((error: unknown) => {
    throw cannotRead(flag, path, error);
  });
}

function cannotRead(flag: string, path: string, error: unknown): StartError {
  return new StartError(`${flag}: cannot read ${path}: ${reasonOf(error)}`, { cause: error });
}

const certificatePem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** @throws {StartError} when there is no certificate, or an invalid one. */
function certificatesOf(text: string, place: string): readonly [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...others] = (text.match(certificatePem) ?? []).map((pem) => new X509Certificate(pem));
    if (first) return [first, ...others];
  } catch (error) {
    throw new StartError(`${place} holds a broken certificate: ${messageOf(error)}`, { cause: error });
  }
  throw new StartError(`${place} holds no certificate: it must be PEM`);
}

function checkDates({ validFrom, validTo }: X509Certificate, place: string): void {
  if (new Date(validTo).getTime() < Date.now()) {
    throw new StartError(`${place} expired on ${new Date(validTo).toISOString()}`);
  }
  if (new Date(validFrom).getTime() > Date.now()) {
    throw new StartError(`${place} is not valid before ${new Date(validFrom).toISOString()}`);
  }
}

function keyOf(text: string, place: string): KeyObject {
  // OpenSSL would prompt for the passphrase on the terminal.
  if (/^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw new StartError(`${place} is encrypted, and Crest cannot ask for its passphrase: decrypt it`);
  }
  try {
    return createPrivateKey(text);
  } catch (error) {
    throw new StartError(`${place} holds no private key: it must be PEM`, { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
