import { type KeyAlgorithm, type PublicKey, readPublicKey } from './public-key.js';
import type { Policy } from './policy/schema.js';

/** A person as the register has them now. */
export interface PersonRecord {
  readonly person: string;
  readonly active: boolean;
  /** `service` never counts: it holds no approver key. */
  readonly kind: 'human' | 'service';
  readonly groups: readonly string[];
}

/** A key as the register has it now. Instants in ms of the control database's clock. */
export interface KeyRecord {
  readonly keyId: string;
  readonly person: string;
  /** Absent: `ed25519`, a key file. */
  readonly algorithm?: KeyAlgorithm;
  /** base64url: 32 raw bytes for `ed25519`, SubjectPublicKeyInfo (DER) for a passkey. */
  readonly publicKey: string;
  readonly activeFromMs: number;
  readonly revoked: boolean;
  /** When it was retired: what was accepted before stands. Absent for a key that is not, and for a compromised one. */
  readonly retiredAtMs?: number;
  /** Of a passkey. */
  readonly passkey?: {
    readonly credentialId: string;
    readonly rpId: string;
    /** The person's handle at the authenticator, base64url. */
    readonly handle: string;
    /** The highest that an accepted statement showed. */
    readonly counter: number;
    /** BE at enrolment: the key may be copied to other devices. */
    readonly backupEligible: boolean;
  };
}

/** What is looked up for a decision: the key it names, and the person it claims to be of. */
export interface Register {
  readonly person: (id: string) => PersonRecord | undefined;
  readonly key: (keyId: string) => KeyRecord | undefined;
}

/** A register over rows that have been read. */
export function registerOf(persons: readonly PersonRecord[], keys: readonly KeyRecord[]): Register {
  const byId = new Map(persons.map((person) => [person.person, person]));
  const byKey = new Map(keys.map((key) => [key.keyId, key]));
  return { person: (id) => byId.get(id), key: (keyId) => byKey.get(keyId) };
}

/** The groups that count for a person: the register's and those the policy in force lists by person id. */
export function groupsOf(person: PersonRecord, policy: Policy): string[] {
  const listed = policy.groups.filter(({ persons }) => persons.includes(person.person));
  return [...new Set([...person.groups, ...listed.map(({ name }) => name)])];
}

/** The key of a row, or undefined when it does not hash to the row's id or must not be enrolled: such a row is not believed. */
export function publicKeyOfRecord(record: KeyRecord): PublicKey | undefined {
  const read = readPublicKey(record.algorithm ?? 'ed25519', record.publicKey);
  return typeof read !== 'string' && read.keyId === record.keyId ? read.key : undefined;
}
