import { sql } from 'kysely';
import type { NoticeKind } from '../domain/notices.js';
import { accountsOf, linkAccountTo, voidAccount, type Linking } from './accounts.js';
import type { Executor } from './connect.js';
import { appendLog } from './log.js';
import { addNotice } from './notices.js';
import { lockFence } from './policies.js';
import type { AgentState } from './schema-identity.js';

/**
 * An agent's standing, its owner and its credentials, and whether a person is active. What takes power away acts when it
 * commits: under the fence's lock, so that no authorize or claim that leans on it commits afterwards.
 */

interface By {
  /** A person's register id, or `operator`. */
  readonly by: string;
}

/** Each notice is of one moment: the same agent may be suspended twice. */
async function told(
  tx: Executor,
  kind: Extract<NoticeKind, `agent-${string}` | `person-${string}`>,
  payload: Readonly<Record<string, unknown>> & { readonly by: string },
): Promise<void> {
  const { rows } = await sql<{ at: Date }>`select countersign_now() as at`.execute(tx);
  const named = Object.values(payload).join(' ');
  const dedupe = `${kind}:${named} ${rows[0]?.at.toISOString() ?? ''}`;
  await addNotice(tx, { kind, dedupe, payload });
  await appendLog(tx, { kind, payload });
}

/** Puts an agent into another state; false when it is unknown, in that state already, or removed for good. */
export async function setAgentState(
  tx: Executor,
  of: By & { readonly agentId: string; readonly state: AgentState; readonly reason: string },
): Promise<boolean> {
  const { agentId, by, reason, state } = of;
  await lockFence(tx);
  const changed = await tx
    .updateTable('agents')
    .set({ state, state_reason: reason })
    .where('agent_id', '=', agentId)
    .where('state', '<>', state)
    .where('state', '<>', 'removed')
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return false;
  if (state === 'removed')
    for (const { iss, sub } of await accountsOf(tx, { agent: agentId }))
      await voidAccount(tx, { iss, sub, reason: 'the agent was removed', by });
  const kinds = {
    active: 'agent-resumed',
    suspended: 'agent-suspended',
    removed: 'agent-removed',
  } as const;
  await told(tx, kinds[state], { agentId, reason, by });
  return true;
}

/** Gives an agent another owner; whoever had it stays among the owners of the runs that are open. */
export async function setAgentOwner(
  tx: Executor,
  { agentId, by, owner }: By & { readonly agentId: string; readonly owner: string },
): Promise<boolean> {
  await lockFence(tx);
  const changed = await tx
    .updateTable('agents')
    .set({ owner_person: owner })
    .where('agent_id', '=', agentId)
    .where('state', '<>', 'removed')
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return false;
  await told(tx, 'agent-owner', { agentId, owner, by });
  return true;
}

/**
 * Says what an agent may ask for by its own token, and for which agents it may say that it acts: empty allows nothing,
 * `*` any. The lists are replaced whole; false when it was removed or is unknown.
 */
export async function allowAgent(
  tx: Executor,
  of: By & {
    readonly agentId: string;
    readonly principals: readonly string[];
    readonly environments: readonly string[];
    readonly via: readonly string[];
  },
): Promise<boolean> {
  const { agentId, by, environments, principals, via } = of;
  await lockFence(tx);
  const changed = await tx
    .updateTable('agents')
    .set({ principals: [...principals], environments: [...environments], via: [...via] })
    .where('agent_id', '=', agentId)
    .where('state', '<>', 'removed')
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return false;
  const lists = { principals: principals.join(' '), environments: environments.join(' ') };
  await told(tx, 'agent-allowed', { agentId, ...lists, via: via.join(' '), by });
  return true;
}

/** Gives an agent a new credential; whatever it had is void at once and for ever. */
export async function rotateAgent(
  tx: Executor,
  of: By & {
    readonly agentId: string;
    readonly iss: string;
    readonly sub: string;
    readonly statement?: string;
  },
): Promise<Linking> {
  const { agentId, by, iss, statement, sub } = of;
  await lockFence(tx);
  const held = await accountsOf(tx, { agent: agentId });
  const linked = await linkAccountTo(tx, {
    iss,
    sub,
    holder: { agent: agentId },
    linkedBy: by,
    ...(statement === undefined ? {} : { statement }),
  });
  if (linked !== 'linked') return linked;
  for (const old of held)
    await voidAccount(tx, { iss: old.iss, sub: old.sub, reason: 'rotated', by });
  await told(tx, 'agent-rotated', { agentId, iss, by });
  return linked;
}

/** Makes a person active or not. One who is not counts nowhere, and the agents they answer for do nothing more. */
export async function setPersonActive(
  tx: Executor,
  of: By & { readonly personId: string; readonly active: boolean; readonly reason: string },
): Promise<boolean> {
  const { active, by, personId, reason } = of;
  await lockFence(tx);
  const changed = await tx
    .updateTable('persons')
    .set({ active })
    .where('person_id', '=', personId)
    .where('active', '<>', active)
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return false;
  await told(tx, active ? 'person-reactivated' : 'person-deactivated', { personId, reason, by });
  return true;
}
