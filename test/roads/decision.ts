import { expect } from '@jest/globals';
import type { SigningKey } from '../../client/keys.js';
import { eventually } from '../../cli/demo/stage.js';
import { digestOf } from '../../domain/canonical.js';
import type { DecideMessage } from '../../domain/documents.js';
import { databaseNow } from '../../store/clock.js';
import { signed, type Ground, type Road } from './ground.js';
import { soloRoads } from './solo.js';

/** Approvals that nobody who may has given. */
export function decisionRoads(at: () => Ground): readonly Road[] {
  const waiting = () => at().waiting.runId;
  const completed = () => at().completed.runId;
  const rejected = () => at().rejected.runId;
  const accepted = (reason: string) => ({
    answer: [expect.objectContaining({ accepted: false, reason })],
  });
  /** A decision over the waiting run's plan, as somebody would forge it. */
  async function decision(
    key: SigningKey,
    approver: string,
    change: Record<string, unknown> = {},
    runId = waiting(),
  ): Promise<object> {
    const { gate, digest } = await at().stage.gate(runId, 'plan');
    return signed(
      {
        type: 'countersign.decision.v1',
        instance: gate.instance,
        gateId: gate.gateId,
        actionDigest: digest,
        decision: 'approve',
        approver,
        keyId: key.keyId,
        surface: 'cli',
        decidedAt: (await databaseNow(at().stage.db)).toISOString(),
        ...change,
      },
      key,
    );
  }

  const decide = (message: () => Promise<object>, runId: () => string = waiting) => ({
    go: async () =>
      at().rogue('recordDecision', {
        runId: runId(),
        road: 'signal',
        messages: [await message()],
      }),
  });
  const PLAN = 'decide provision/road-waiting:plan:1';
  return [
    {
      name: 'an approval without a signature',
      ...decide(async () => {
        const message = await decision(at().approver, 'p_second');
        return Object.fromEntries(Object.entries(message).filter(([name]) => name !== 'signature'));
      }),
      told: accepted('unsigned'),
      logged: `${PLAN}: unsigned`,
    },
    {
      name: 'an approval by a key that nobody registered',
      ...decide(() => decision(at().stranger, 'p_second')),
      told: accepted('key-unknown'),
      logged: `${PLAN}: key-unknown`,
    },
    {
      name: 'an approval in the name of somebody else',
      ...decide(() => decision(at().nobody, 'p_second')),
      told: accepted('key-not-of-approver'),
      logged: `${PLAN}: key-not-of-approver`,
    },
    {
      name: 'an approval whose signature is another key’s',
      ...decide(() => decision(at().stranger, 'p_second', { keyId: at().approver.keyId })),
      told: accepted('signature-bad'),
      logged: `${PLAN}: signature-bad`,
    },
    {
      name: 'an approval of another action',
      ...decide(() =>
        decision(at().approver, 'p_second', { actionDigest: digestOf({ cheap: true }) }),
      ),
      told: accepted('digest-mismatch'),
      logged: `${PLAN}: digest-mismatch`,
    },
    {
      name: 'an approval by the owner of the agent',
      ...decide(() => decision(at().owner, 'p_owner')),
      told: accepted('excluded-owner'),
      logged: `${PLAN}: excluded-owner`,
    },
    {
      name: 'an approval by a person in no group',
      ...decide(() => decision(at().nobody, 'p_nobody')),
      told: accepted('not-in-group'),
      logged: `${PLAN}: not-in-group`,
    },
    {
      name: 'an approval of a revision that was never opened',
      ...decide(() =>
        decision(at().approver, 'p_second', { gateId: 'provision/road-waiting:plan:2' }),
      ),
      told: accepted('gate-unknown'),
      logged: 'decide provision/road-waiting:plan:2: gate-unknown',
    },
    {
      name: 'a valid approval sent to another run',
      ...decide(() => decision(at().approver, 'p_second'), completed),
      told: accepted('gate-unknown'),
      logged: `${PLAN}: gate-unknown`,
    },
    {
      name: 'an approval after the gate was rejected',
      ...decide(
        () => decision(at().approver, 'p_second', { gateId: 'provision/road-rejected:plan:1' }),
        rejected,
      ),
      told: accepted('gate-closed'),
      logged: 'decide provision/road-rejected:plan:1: gate-closed',
    },
    {
      name: 'an approval after the gate has expired',
      ...decide(
        () => decision(at().approver, 'p_second', { gateId: 'provision/road-expired:plan:1' }),
        () => at().expired.runId,
      ),
      told: accepted('gate-expired'),
      logged: 'decide provision/road-expired:plan:1: gate-expired',
    },
    {
      name: 'an approval by a key of small order, whose one signature fits everything',
      // The register does not believe the row: whatever fits it was signed by nobody.
      ...decide(() => decision(at().hollow, 'p_second')),
      told: accepted('key-unknown'),
      logged: `${PLAN}: key-unknown`,
    },
    ...['resolve', 'resume', 'admission', 'gate'].map((type) => ({
      name: `a ${type} statement in the place of an approval`,
      ...decide(() => decision(at().approver, 'p_second', { type: `countersign.${type}.v1` })),
      told: accepted('type-mismatch'),
      logged: 'decide: type-mismatch',
    })),
    {
      name: 'a wrong signature, by the real update',
      go: async () => ({
        answer: [
          await at().waiting.decideNow(
            (await decision(at().stranger, 'p_second', {
              keyId: at().approver.keyId,
            })) as DecideMessage,
          ),
        ],
      }),
      told: accepted('signature-bad'),
      logged: `${PLAN}: signature-bad`,
    },
    {
      name: 'a wrong signature, by the real signal',
      go: async () => {
        const message = (await decision(at().stranger, 'p_second', {
          keyId: at().approver.keyId,
        })) as DecideMessage;
        const before = await at().refused('signature-bad');
        await at().waiting.decide(message);
        await eventually('the refusal of a signal', async () =>
          (await at().refused('signature-bad')) > before ? true : undefined,
        );
        return { answer: (await at().waiting.state()).phase };
      },
      told: { answer: 'awaiting-approval' },
      logged: `${PLAN}: signature-bad`,
    },
    ...soloRoads(at, decide, decision),
  ];
}
