import { decodeBase64url } from './base64url.js';
import { keyIdOf, publicKeyProblem } from './signature.js';
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
  /** Raw Ed25519 public key, base64url. */
  readonly publicKey: string;
  readonly activeFromMs: number;
  readonly revoked: boolean;
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

/** The raw key of a row, or undefined when the row's key does not hash to its id: such a row is not believed. */
export function rawKeyOf(key: KeyRecord): Uint8Array | undefined {
  const raw = decodeBase64url(key.publicKey);
  if (raw === undefined || publicKeyProblem(raw) !== undefined) return undefined;
  return keyIdOf(raw) === key.keyId ? raw : undefined;
}
