import { expect } from '@jest/globals';
import type { SigningKey } from '../../client/keys.js';
import type { RunId } from '../../domain/ids.js';
import type { Ground, Road } from './ground.js';

type Decision = (
  key: SigningKey,
  approver: string,
  change?: Record<string, unknown>,
  runId?: RunId,
) => Promise<object>;

/** At a gate that asks for one person, who may be the owner: still only for that person, and only while it is so. */
export function soloRoads(
  at: () => Ground,
  decide: (message: () => Promise<object>, runId: () => string) => Pick<Road, 'go'>,
  decision: Decision,
): readonly Road[] {
  const solo = () => at().solo.runId;
  const SOLO = 'decide provision/road-solo:plan:1';
  const refused = (reason: string) => ({
    answer: [expect.objectContaining({ accepted: false, reason })],
  });
  /** While one person governs alone. */
  const alone = (message: () => Promise<object>): Pick<Road, 'go'> => ({
    go: async () => {
      await at().stage.policy({ solo: true });
      try {
        return await decide(message, solo).go();
      } finally {
        await at().stage.policy({});
      }
    },
  });
  return [
    {
      name: 'one person governs: the owner’s word without a signature',
      ...alone(async () => {
        const message = await decision(at().owner, 'p_owner', {}, solo());
        return Object.fromEntries(Object.entries(message).filter(([name]) => name !== 'signature'));
      }),
      told: refused('unsigned'),
      logged: `${SOLO}: unsigned`,
    },
    {
      name: 'one person governs: a stranger’s signature in the owner’s name',
      ...alone(() => decision(at().stranger, 'p_owner', { keyId: at().owner.keyId }, solo())),
      told: refused('signature-bad'),
      logged: `${SOLO}: signature-bad`,
    },
    {
      name: 'one person governs: somebody in no group',
      ...alone(() => decision(at().nobody, 'p_nobody', {}, solo())),
      told: refused('not-in-group'),
      logged: `${SOLO}: not-in-group`,
    },
    {
      name: 'one person governed when the gate opened, and no longer does: the owner’s approval',
      ...decide(() => decision(at().owner, 'p_owner', {}, solo()), solo),
      told: refused('excluded-owner'),
      logged: `${SOLO}: excluded-owner`,
    },
  ];
}
