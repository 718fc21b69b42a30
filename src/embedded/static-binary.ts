/** Distinguishes static from dynamic executables by their ELF program headers. */

const PT_INTERP = 3;

/**
 * Returns whether `binary` is an ELF executable without an interpreter, which runs in an image without libraries.
 * Static position-independent executables count: they have a dynamic section but no interpreter. Files that are not ELF
 * return false.
 */
export function isStaticBinary(binary: Buffer): boolean {
  if (binary.length < 64 || binary.readUInt32BE(0) !== 0x7f454c46) return false;
  const wide = binary[4] === 2;
  const little = binary[5] === 1;
  const half = (at: number) => (little ? binary.readUInt16LE(at) : binary.readUInt16BE(at));
  const word = (at: number) => (little ? binary.readUInt32LE(at) : binary.readUInt32BE(at));
  const long = (at: number) => Number(little ? binary.readBigUInt64LE(at) : binary.readBigUInt64BE(at));
  const tableAt = wide ? long(0x20) : word(0x1c);
  const entryBytes = half(wide ? 0x36 : 0x2a);
  const entries = half(wide ? 0x38 : 0x2c);
  if (entries === 0 || tableAt + entries * entryBytes > binary.length) return false;
  for (let index = 0; index < entries; index++) {
    if (word(tableAt + index * entryBytes) === PT_INTERP) return false;
  }
  return true;
}
