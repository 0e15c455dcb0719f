import { COUNTER, type Cast, type Member, signedBy } from './cast.js';
import type { OrderRoad, TemporalOrderRoad } from './roads-of.js';

export interface OrderScene {
  readonly instance: string;
  readonly cast: Cast;
  readonly runId: string;
  readonly otherRun: string;
  readonly now: Date;
  readonly cell: string;
}

/** A good order made bad in one way. */
export interface OrderDefect {
  readonly name: string;
  readonly reason: string;
  readonly not?: Partial<Record<OrderRoad | TemporalOrderRoad, string>>;
  readonly make: (road: OrderRoad, scene: OrderScene) => object;
}

const isResume = (road: OrderRoad): boolean => road === 'resume' || road === 'lift';

export const orderOf = (
  road: OrderRoad,
  { cast, cell, instance, now, runId }: OrderScene,
  change: Record<string, unknown> = {},
  by: Member = cast.fay,
): Record<string, unknown> => ({
  type: isResume(road) ? 'countersign.resume.v1' : 'countersign.resolve.v1',
  instance,
  by: by.person,
  keyId: by.key.keyId,
  reason: cell,
  at: now.toISOString(),
  ...(isResume(road)
    ? { scope: `run/${runId}` }
    : { runId, step: 'create-customer', action: 'retry' }),
  ...change,
});

const by =
  (who: (cast: Cast) => Member, change: Record<string, unknown> = {}) =>
  (road: OrderRoad, scene: OrderScene): object => {
    const member = who(scene.cast);
    return signedBy(member.key, orderOf(road, scene, change, member));
  };
const fay =
  (change: (scene: OrderScene) => Record<string, unknown>) =>
  (road: OrderRoad, scene: OrderScene): object =>
    by((cast) => cast.fay, change(scene))(road, scene);

/** These two read a message whose shape the caller has checked: the command line's own. */
const TYPED = 'the command line makes the message itself: another shape is a defect of its code';
const UNSTOPPED = 'nothing is stopped there, so it is about nothing: nothing-to-lift';
const typed = { 'ordered-repair': TYPED, lift: TYPED } as const;

export const ORDER_DEFECTS: readonly OrderDefect[] = [
  {
    name: 'for another installation',
    reason: 'instance-mismatch',
    make: fay(() => ({ instance: '0'.repeat(32) })),
  },
  {
    name: 'by a key that nobody registered',
    reason: 'key-unknown',
    make: by(({ fay: { person }, stranger }) => ({ person, key: stranger })),
  },
  {
    name: 'by a key of small order',
    reason: 'key-unknown',
    make: by(({ hollow }) => hollow),
  },
  { name: 'by a revoked key', reason: 'key-revoked', make: by(({ revoked }) => revoked) },
  {
    name: 'by a key before its time',
    reason: 'key-not-yet-active',
    make: by(({ early }) => early),
  },
  {
    name: 'in the name of somebody else',
    reason: 'key-not-of-approver',
    make: by(({ fay: { person }, nobody }) => ({ person, key: nobody.key })),
  },
  {
    name: 'with another key’s signature',
    reason: 'signature-bad',
    make: (road, scene) => signedBy(scene.cast.stranger, orderOf(road, scene)),
  },
  {
    name: 'changed by one character after it was signed',
    reason: 'signature-bad',
    make: (road, scene) => ({ ...fay(() => ({}))(road, scene), reason: `${scene.cell}.` }),
  },
  {
    name: 'under the signature of another statement',
    reason: 'signature-bad',
    make: (road, scene) => {
      const { signature } = fay(() => ({ reason: 'another' }))(road, scene) as {
        signature: object;
      };
      return { ...orderOf(road, scene), signature };
    },
  },
  {
    name: 'without a signature',
    reason: 'malformed',
    not: typed,
    make: (road, scene) => orderOf(road, scene),
  },
  {
    name: 'that is a decision by its type',
    reason: 'malformed',
    not: typed,
    make: fay(() => ({ type: 'countersign.decision.v1' })),
  },
  {
    name: 'with a member that nobody knows',
    reason: 'malformed',
    not: typed,
    make: fay(() => ({ approved: true })),
  },
  {
    name: 'of another run',
    reason: 'run-mismatch',
    not: {
      'ordered-repair': 'it is over the run that it names, and no other',
      lift: 'it lifts what it names, and no other',
    },
    make: (road, scene) =>
      fay(({ otherRun }) => (isResume(road) ? { scope: `run/${otherRun}` } : { runId: otherRun }))(
        road,
        scene,
      ),
  },
  { name: 'by a person in no group', reason: 'not-in-group', make: by(({ nobody }) => nobody) },
  { name: 'by a person who has left', reason: 'not-human', make: by(({ gone }) => gone) },
  { name: 'by a service', reason: 'not-human', make: by(({ robot }) => robot) },
  {
    name: 'from years to come',
    reason: 'clock-skew',
    make: fay(() => ({ at: '2099-01-01T00:00:00.000Z' })),
  },
  {
    name: 'from before what it is about',
    reason: 'clock-skew',
    not: { resume: UNSTOPPED, lift: UNSTOPPED },
    make: fay(({ now }) => ({ at: new Date(now.getTime() - 30 * 86_400_000).toISOString() })),
  },
  {
    name: 'with an assertion over another statement, replayed',
    reason: 'webauthn-challenge',
    make: (road, scene) => asserted(road, scene, { reason: 'another' }, COUNTER + 1),
  },
  {
    name: 'with an assertion whose counter stands still',
    reason: 'webauthn-counter',
    make: (road, scene) => asserted(road, scene, {}, COUNTER),
  },
];

function asserted(
  road: OrderRoad,
  scene: OrderScene,
  over: Record<string, unknown>,
  counter: number,
): object {
  const { passkey } = scene.cast;
  const order = { ...orderOf(road, scene), keyId: passkey.keyId };
  return { ...order, signature: passkey.sign({ ...order, ...over }, { counter }) };
}
