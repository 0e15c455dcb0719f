import { digestOf, parseCanonical } from '../../domain/canonical.js';
import { type GateDocument, gateSchema } from '../../domain/documents.js';
import { COUNTER, type Cast, type Member, signedBy } from './cast.js';
import type { RoadName } from './roads-of.js';

/** A gate that the table's decisions are about, and what it asks. */
export interface GateSeen {
  readonly runId: string;
  readonly gateId: string;
  readonly digest: string;
  /** Canonical JSON of the gate document. */
  readonly document: string;
}
export type Place = 'open' | 'other' | 'rejected' | 'expired' | 'void';

export interface Scene {
  readonly instance: string;
  readonly cast: Cast;
  readonly gate: GateSeen;
  /** Another run's gate, open as well. */
  readonly other: GateSeen;
  /** The database's clock. */
  readonly now: Date;
  /** Names this cell, so that no two statements of the table are the same bytes. */
  readonly cell: string;
}

/** A good decision made bad in one way, and the reason that has to be on record for it. */
export interface Defect {
  readonly name: string;
  readonly reason: string;
  /** The gate that is decided; the open one unless said otherwise. */
  readonly at?: Place;
  /** Where another check comes first, or only a later one is left to look. */
  readonly by?: Partial<Record<RoadName, string>>;
  /** Roads on which there is no such thing, and why. */
  readonly not?: Partial<Record<RoadName, string>>;
  /** By update it is turned away unjudged, in these words: a refused update leaves no trace, so that a flood is free. */
  readonly away?: RegExp;
  readonly make: (scene: Scene) => object;
}

/** What `fay`, who may, would have said. */
export const statementOf = (
  { cast, cell, gate, instance, now }: Scene,
  change: Record<string, unknown> = {},
  by: Member = cast.fay,
): Record<string, unknown> => ({
  type: 'countersign.decision.v1',
  instance,
  gateId: gate.gateId,
  actionDigest: gate.digest,
  decision: 'approve',
  approver: by.person,
  keyId: by.key.keyId,
  surface: 'cli',
  decidedAt: now.toISOString(),
  reason: cell,
  ...change,
});

export const good = (scene: Scene): object => signedBy(scene.cast.fay.key, statementOf(scene));
const by =
  (who: (cast: Cast) => Member, change: Record<string, unknown> = {}) =>
  (scene: Scene): object => {
    const member = who(scene.cast);
    return signedBy(member.key, statementOf(scene, change, member));
  };
const changed =
  (change: (scene: Scene) => Record<string, unknown>) =>
  (scene: Scene): object =>
    by(({ fay }) => fay, change(scene))(scene);

/** Another character in the place of this one. */
const turned = (text: string, index: number): string => {
  const at = index < 0 ? text.length + index : index;
  return `${text.slice(0, at)}${text[at] === 'a' ? 'b' : 'a'}${text.slice(at + 1)}`;
};
const gateOf = ({ gate }: Scene): GateDocument => gateSchema.parse(parseCanonical(gate.document));
const dayOff = (now: Date, days: number): string =>
  new Date(now.getTime() + days * 86_400_000).toISOString();

const ENDED = 'the workflow of such a run has ended: Temporal has nobody to hand it to';
const ended = {
  ...{ 'provision: signal decide': ENDED, 'provision: update decide': ENDED },
  ...{ 'teardown: signal decide': ENDED, 'teardown: update decide': ENDED },
} as const;
const NOT_OPEN = /^decide: gate \S+ is not open$/;
const MISSHAPEN = /^decide: malformed at /;
const NOT_AGAIN = 'judged once, at receipt: later the record alone says when it came';

const digests: readonly Defect[] = [
  {
    name: 'a digest that is wrong by one character',
    reason: 'digest-mismatch',
    make: changed(({ gate }) => ({ actionDigest: turned(gate.digest, -1) })),
  },
  {
    name: 'the digest of an action that is a cent dearer',
    reason: 'digest-mismatch',
    make: changed((scene) => {
      const [first = '', ...more] = gateOf(scene).actions;
      const dearer = digestOf({ was: first, costMaxMinor: 1901 });
      return { actionDigest: digestOf({ ...gateOf(scene), actions: [dearer, ...more] }) };
    }),
  },
  {
    name: 'the digest of a gate whose card differs by one byte',
    reason: 'digest-mismatch',
    make: changed((scene) => {
      const gate = gateOf(scene);
      return { actionDigest: digestOf({ ...gate, cardDigest: turned(gate.cardDigest, -2) }) };
    }),
  },
  {
    name: 'the digest of the same gate in another environment',
    reason: 'digest-mismatch',
    make: changed((scene) => ({
      actionDigest: digestOf({ ...gateOf(scene), environment: 'staging' }),
    })),
  },
  {
    name: 'the digest of the same gate at another installation',
    reason: 'digest-mismatch',
    make: changed((scene) => ({
      actionDigest: digestOf({ ...gateOf(scene), instance: 'f'.repeat(32) }),
    })),
  },
  {
    name: 'the digest of another run’s gate',
    reason: 'digest-mismatch',
    make: changed(({ other }) => ({ actionDigest: other.digest })),
  },
];

const elsewhere: readonly Defect[] = [
  {
    name: 'a statement for another installation',
    reason: 'instance-mismatch',
    make: changed(() => ({ instance: '0'.repeat(32) })),
  },
  {
    name: 'a good decision over another run’s gate',
    reason: 'gate-unknown',
    away: NOT_OPEN,
    make: changed(({ other }) => ({ gateId: other.gateId, actionDigest: other.digest })),
  },
  {
    name: 'a revision that was never opened',
    reason: 'gate-unknown',
    away: NOT_OPEN,
    make: changed(({ gate }) => ({ gateId: gate.gateId.replace(/:\d+$/, ':9') })),
  },
  {
    name: 'a good signature, reused under another gate',
    reason: 'signature-bad',
    make: (scene) => {
      const signature = (good({ ...scene, gate: scene.other }) as { signature: object }).signature;
      return { ...statementOf(scene), signature };
    },
  },
  {
    name: 'a gate that has expired',
    at: 'expired',
    reason: 'gate-expired',
    not: ended,
    make: good,
  },
  {
    name: 'a gate that is void',
    at: 'void',
    reason: 'gate-closed',
    by: { sql: 'gate-void' },
    not: ended,
    make: good,
  },
  {
    name: 'a gate that was rejected',
    at: 'rejected',
    reason: 'gate-closed',
    by: { sql: 'gate-rejected' },
    not: ended,
    make: good,
  },
];

const persons: readonly Defect[] = [
  { name: 'the one who asked', reason: 'excluded-requester', make: by(({ self }) => self) },
  { name: 'the owner of the agent', reason: 'excluded-owner', make: by(({ owner }) => owner) },
  {
    name: 'one who owned the agent before',
    reason: 'excluded-owner',
    make: by(({ former }) => former),
  },
  {
    name: 'the one it is done for, where the policy excludes them',
    reason: 'excluded-principal',
    make: by(({ payer }) => payer),
  },
  {
    name: 'the same person twice, by a second key',
    reason: 'person-already-counted',
    make: by(({ gusAgain }) => gusAgain),
  },
  {
    name: 'a person in no group',
    reason: 'not-in-group',
    not: { http: 'somebody in no group does not see the run: 404' },
    make: by(({ nobody }) => nobody),
  },
  {
    name: 'a person who has left',
    reason: 'not-human',
    not: { http: 'somebody who has left cannot sign in: 403' },
    make: by(({ gone }) => gone),
  },
  {
    name: 'a service in a person’s place',
    reason: 'not-human',
    not: { http: 'a service cannot sign in as a person: 403' },
    make: by(({ robot }) => robot),
  },
  {
    name: 'an approve that is older than its signer’s withdrawal',
    reason: 'withdrawn',
    not: { sql: 'a later withdrawal stands by its order on record, and a row has the last place' },
    make: (scene) => by(({ hal }) => hal, { decidedAt: gateOf(scene).openedAt })(scene),
  },
  {
    name: 'a withdrawal of what was never given',
    reason: 'nothing-to-withdraw',
    make: by(({ fay }) => fay, { decision: 'withdraw' }),
  },
];

const keys: readonly Defect[] = [
  { name: 'a revoked key', reason: 'key-revoked', make: by(({ revoked }) => revoked) },
  { name: 'a key before its time', reason: 'key-not-yet-active', make: by(({ early: e }) => e) },
  {
    name: 'somebody else’s key',
    reason: 'key-not-of-approver',
    make: by(({ fay, nobody }) => ({ person: fay.person, key: nobody.key })),
  },
  {
    name: 'a key that nobody registered',
    reason: 'key-unknown',
    make: by(({ fay, stranger }) => ({ person: fay.person, key: stranger })),
  },
  {
    name: 'a key of small order, whose one signature fits everything',
    reason: 'key-unknown',
    make: by(({ hollow }) => hollow),
  },
  {
    name: 'another key’s signature',
    reason: 'signature-bad',
    make: (scene) => signedBy(scene.cast.stranger, statementOf(scene)),
  },
  {
    name: 'a signature that is wrong by one character',
    reason: 'signature-bad',
    make: (scene) => {
      const { signature, ...rest } = good(scene) as { signature: { value: string } };
      return { ...rest, signature: { ...signature, value: turned(signature.value, 20) } };
    },
  },
  {
    name: 'a statement that was changed by one character after it was signed',
    reason: 'signature-bad',
    make: (scene) => ({ ...good(scene), reason: `${scene.cell}.` }),
  },
  {
    name: 'no signature',
    reason: 'unsigned',
    away: MISSHAPEN,
    not: {
      http: 'without a signature it is no approve there: the body is refused with 400',
    },
    make: (scene) => statementOf(scene),
  },
];

const forms: readonly Defect[] = [
  ...['resolve', 'resume', 'gate', 'admission', 'policy'].map((type): Defect => ({
    name: `a ${type} statement in the place of a decision`,
    reason: 'type-mismatch',
    away: MISSHAPEN,
    not: { http: 'it is no decision of anybody there: 403' },
    make: changed(() => ({ type: `countersign.${type}.v1` })),
  })),
  {
    name: 'a member that nobody knows',
    reason: 'malformed',
    away: MISSHAPEN,
    not: { http: 'it is no decision of anybody there: 403' },
    make: changed(() => ({ approved: true })),
  },
  {
    name: 'a statement from years to come',
    reason: 'clock-skew',
    not: { sql: NOT_AGAIN },
    make: changed(() => ({ decidedAt: '2099-01-01T00:00:00.000Z' })),
  },
  {
    name: 'a statement from before its gate',
    reason: 'clock-skew',
    not: { sql: NOT_AGAIN },
    make: changed(({ now }) => ({ decidedAt: dayOff(now, -30) })),
  },
];

const asserted = (scene: Scene, over: Record<string, unknown>, counter: number): object => {
  const { passkey, fay } = scene.cast;
  const statement = { ...statementOf(scene), keyId: passkey.keyId, approver: fay.person };
  const signature = passkey.sign({ ...statement, ...over }, { counter });
  return { ...statement, signature };
};

const passkeys: readonly Defect[] = [
  {
    name: 'an assertion over another gate, replayed',
    reason: 'webauthn-challenge',
    make: (scene) => asserted(scene, { gateId: scene.other.gateId }, COUNTER + 1),
  },
  {
    name: 'an assertion over the digest of another gate, replayed',
    reason: 'webauthn-challenge',
    make: (scene) => asserted(scene, { actionDigest: scene.other.digest }, COUNTER + 1),
  },
  {
    name: 'an assertion whose counter stands still',
    reason: 'webauthn-counter',
    not: { sql: 'a counter is spent once, by the acceptance' },
    make: (scene) => asserted(scene, {}, COUNTER),
  },
];

export const DEFECTS: readonly Defect[] = [
  ...digests,
  ...elsewhere,
  ...persons,
  ...keys,
  ...forms,
  ...passkeys,
];

/** In which words an update is turned away before anybody judges it; nothing where it is judged, and on record. */
export function turnedAway(road: RoadName, defect: Pick<Defect, 'away'>): RegExp | undefined {
  if (!road.includes('update')) return undefined;
  // A repair has no gate open, whatever the run's own are.
  return defect.away ?? (road.startsWith('repair') ? NOT_OPEN : undefined);
}
