import { pow } from '@noble/curves/abstract/modular.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';

/** RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017), verification only: some platform passkeys know nothing else. */

export interface RsaKey {
  readonly modulus: bigint;
  /** Of the modulus, in bytes. */
  readonly bytes: number;
}

const EXPONENT = 65_537n;
const BITS_MIN = 2_048;
const BITS_MAX = 4_096;
/** AlgorithmIdentifier of rsaEncryption, with its NULL. */
const RSA_ENCRYPTION = hexToBytes('300d06092a864886f70d0101010500');
/** DigestInfo of SHA-256, up to the digest. */
const SHA256_INFO = hexToBytes('3031300d060960864801650304020105000420');

interface Reader {
  readonly bytes: Uint8Array;
  at: number;
}

/** The content of the next DER element of this tag, in its one shortest encoding; undefined when it is not there. */
function element(reader: Reader, tag: number): Uint8Array | undefined {
  const { bytes } = reader;
  const first = bytes[reader.at + 1];
  if (bytes[reader.at] !== tag || first === undefined) return undefined;
  let length = first;
  let start = reader.at + 2;
  if (first >= 0x80) {
    const count = first - 0x80;
    if (count < 1 || count > 2) return undefined;
    length = 0;
    for (const byte of bytes.slice(start, start + count)) length = length * 256 + byte;
    start += count;
    if (length < 0x80 || (count === 2 && length < 0x100)) return undefined;
  }
  if (start + length > bytes.length) return undefined;
  reader.at = start + length;
  return bytes.slice(start, start + length);
}

/** A positive INTEGER in its shortest form. */
function positive(content: Uint8Array | undefined): bigint | undefined {
  const [first, second] = content ?? [];
  if (content === undefined || first === undefined || first >= 0x80) return undefined;
  if (first === 0 && (second === undefined || second < 0x80)) return undefined;
  return BigInt(`0x${bytesToHex(content)}`);
}

/** The key in a SubjectPublicKeyInfo (DER), or why it must not be enrolled: 2,048 to 4,096 bits, exponent 65,537. */
export function readRsaSpki(spki: Uint8Array): RsaKey | string {
  const malformed = 'the public key is not that of an RS256 passkey';
  const outer: Reader = { bytes: spki, at: 0 };
  const info = element(outer, 0x30);
  if (info === undefined || outer.at !== spki.length) return malformed;
  if (!RSA_ENCRYPTION.every((byte, index) => info[index] === byte)) return malformed;
  const inner: Reader = { bytes: info, at: RSA_ENCRYPTION.length };
  const bits = element(inner, 0x03);
  if (bits?.[0] !== 0 || inner.at !== info.length) return malformed;
  const held: Reader = { bytes: bits, at: 1 };
  const sequence = element(held, 0x30);
  if (sequence === undefined || held.at !== bits.length) return malformed;
  const numbers: Reader = { bytes: sequence, at: 0 };
  const modulus = positive(element(numbers, 0x02));
  const exponent = positive(element(numbers, 0x02));
  if (modulus === undefined || exponent === undefined || numbers.at !== sequence.length)
    return malformed;
  if (exponent !== EXPONENT) return 'the RSA key has another exponent than 65,537';
  const size = modulus.toString(2).length;
  if (size < BITS_MIN || size > BITS_MAX || size % 8 !== 0 || modulus % 2n === 0n)
    return `the RSA key is not of ${BITS_MIN} to ${BITS_MAX} bits`;
  return { modulus, bytes: size / 8 };
}

/** Does the signature stand over these bytes? The whole padded block is compared, never parsed. */
export function verifyRsa(message: Uint8Array, signature: Uint8Array, key: RsaKey): boolean {
  if (signature.length !== key.bytes) return false;
  const number = BigInt(`0x${bytesToHex(signature)}`);
  if (number >= key.modulus) return false;
  const padding = new Uint8Array(key.bytes - 3 - SHA256_INFO.length - 32).fill(0xff);
  const expected = concatBytes(
    new Uint8Array([0, 1]),
    padding,
    new Uint8Array([0]),
    SHA256_INFO,
    sha256(message),
  );
  return pow(number, EXPONENT, key.modulus) === BigInt(`0x${bytesToHex(expected)}`);
}
