import { digestOf } from '../../domain/canonical.js';
import { askDoor } from '../../store/door-ask.js';
import { currentPolicy } from '../../store/policies.js';
import { code, type Ground, type Outcome, type Road } from './ground.js';

/** Straight at the door of the database, as a holder of the application’s role. */
export function doorRoads(at: () => Ground): readonly Road[] {
  const waiting = () => at().waiting.runId;
  const completed = () => at().completed.runId;
  const door = (claim: () => Promise<Record<string, unknown>>) => ({
    go: async (): Promise<Outcome> => {
      const { verdict, reason } = await askDoor(at().stage.db, await claim());
      return verdict === 'refused' ? { code: reason ?? '' } : { answer: verdict };
    },
  });
  const effectOf = (runId: string, step: string) => `${at().stage.instance}/${runId}/${step}/act`;
  return [
    {
      name: 'the grant over one run’s purchase, presented for another run’s',
      ...door(async () => {
        const grant = await at().stage.grantOf(completed(), 'register-domain');
        return {
          effectId: effectOf(waiting(), 'register-domain'),
          runId: waiting(),
          step: 'register-domain',
          digest: digestOf(grant.action),
          gateId: grant.gateId,
          decisions: grant.decisions,
        };
      }),
      told: code('DIGEST_MISMATCH'),
      logged: 'authorize register-domain: DIGEST_MISMATCH',
    },
    {
      name: 'the grant over a purchase, used a second time for another name',
      ...door(async () => {
        const grant = await at().stage.grantOf(completed(), 'register-domain');
        return {
          effectId: `${effectOf(completed(), 'register-domain')}-again`,
          runId: completed(),
          step: 'register-domain',
          digest: digestOf({ ...grant.action, params: { domain_name: 'another-name.club' } }),
          gateId: grant.gateId,
          decisions: grant.decisions,
        };
      }),
      told: code('DOOR_CLOSED'),
      logged: 'authorize register-domain: DOOR_CLOSED',
    },
    {
      name: 'the first step with an open gate for a grant',
      ...door(async () => {
        const { gate } = await at().stage.gate(waiting(), 'plan');
        return {
          effectId: effectOf(waiting(), 'create-customer'),
          runId: waiting(),
          step: 'create-customer',
          digest: gate.actions[0],
          gateId: gate.gateId,
          policyVersion: (await currentPolicy(at().stage.db))?.version,
          provider: 'stripe',
        };
      }),
      told: code('GATE_CLOSED'),
      logged: 'authorize create-customer: GATE_CLOSED',
    },
  ];
}
