/** Creates certificates for 127.0.0.1 and ::1, fresh for every test: self-signed, or issued by an authority. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

export interface Certificate {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
}

/** DER (X.690): a tag, a length, the content. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const bitString = (bytes: Uint8Array): Buffer => der(3, Buffer.from([0]), bytes);
const oid = (hex: string): Buffer => der(6, Buffer.from(hex, "hex"));
const time = (date: Date): Buffer =>
  der(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replace(/\D/g, "")}Z`));

/** An RFC 5280 Name with only a common name. */
const nameOf = (commonName: string): Buffer =>
  sequence(der(0x31, sequence(oid("550403"), der(0x0c, Buffer.from(commonName)))));

interface Wanted {
  readonly subject: string;
  readonly issuer: string;
  readonly isAuthority?: boolean;
  readonly validity?: Validity;
  /** Alternative names besides the loopback addresses. */
  readonly names?: readonly Name[];
}

export type Name = readonly [kind: keyof typeof nameTags, value: string];

/** RFC 5280, GeneralName. */
const nameTags = { email: 0x81, DNS: 0x82, URI: 0x86 };

/** In days from now. Default: from yesterday to tomorrow. */
export interface Validity {
  readonly fromDays?: number;
  readonly toDays?: number;
}

const dayMs = 24 * 60 * 60 * 1000;

/** An RFC 5280 certificate: version 3, ECDSA with SHA-256, a subject alternative name for each loopback address. */
function issue(
  { subject, issuer, isAuthority = false, validity: { fromDays = -1, toDays = 1 } = {}, names = [] }: Wanted,
  { publicKey, signer }: { readonly publicKey: KeyObject; readonly signer: KeyObject },
): string {
  const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"));
  const at = (days: number): Buffer => time(new Date(Date.now() + days * dayMs));
  const loopback = [Buffer.from([127, 0, 0, 1]), Buffer.from("00000000000000000000000000000001", "hex")];
  const alternatives = sequence(
    ...loopback.map((address) => der(0x87, address)),
    ...names.map(([kind, value]) => der(nameTags[kind], Buffer.from(value))),
  );
  const yes = der(1, Buffer.from([0xff]));
  const constraints = sequence(oid("551d13"), yes, der(4, sequence(...(isAuthority ? [yes] : []))));
  const extensions = der(0xa3, sequence(constraints, sequence(oid("551d11"), der(4, alternatives))));
  const body = sequence(
    der(0xa0, der(2, Buffer.from([2]))),
    der(2, Buffer.from([1]), randomBytes(15)),
    ...[ecdsaWithSha256, nameOf(issuer), sequence(at(fromDays), at(toDays)), nameOf(subject)],
    publicKey.export({ type: "spki", format: "der" }),
    extensions,
  );
  const certificate = sequence(body, ecdsaWithSha256, bitString(sign("sha256", body, signer)));
  return `-----BEGIN CERTIFICATE-----\n${certificate.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
}

const newKey = () => generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const pemOf = (key: KeyObject): string => String(key.export({ type: "pkcs8", format: "pem" }));

/** A self-signed certificate. */
export function selfSigned(validity: Validity = {}): Certificate {
  const { publicKey, privateKey } = newKey();
  const cert = issue({ subject: "streams", issuer: "streams", validity }, { publicKey, signer: privateKey });
  return { key: pemOf(privateKey), cert };
}

export interface Authority {
  /** PEM. */
  readonly cert: string;
  issue(subject: string, more?: Pick<Wanted, "names" | "validity">): Certificate;
}

export function createAuthority(name: string): Authority {
  const own = newKey();
  const signer = own.privateKey;
  const cert = issue(
    { subject: name, issuer: name, isAuthority: true },
    { publicKey: own.publicKey, signer },
  );
  return {
    cert,
    issue(subject, more = {}) {
      const { publicKey, privateKey } = newKey();
      return {
        key: pemOf(privateKey),
        cert: issue({ subject, issuer: name, ...more }, { publicKey, signer }),
      };
    },
  };
}
