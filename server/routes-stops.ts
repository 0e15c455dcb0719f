import { z } from 'zod';
import { scopeSchema } from '../domain/documents.js';
import type { StopRecord } from '../gateway/door-contract.js';
import { stop } from '../gateway/stop.js';
import { openRunsUnder } from '../store/overview.js';
import { Problem } from './problem.js';
import type { Answer, Asked, Handler } from './routes.js';
import { bodyAs, runSeen, sightOf } from './routes-runs.js';

const members = {
  reason: z.string().trim().min(1).max(500),
  mode: z.enum(['unwind', 'hold']).default('unwind'),
};
const runStop = z.strictObject(members);
const scopeStop = z.strictObject({ ...members, scope: scopeSchema });

type Order = z.output<typeof runStop> & { readonly scope: string };

export const postRunStop: Handler = async (asked) => {
  const row = await runSeen(asked);
  return stopped(asked, { ...bodyAs(runStop, asked), scope: `run/${row.run_id}` });
};

export const postStop: Handler = async (asked) => {
  const order = bodyAs(scopeStop, asked);
  await mustBeTheirs(asked, order.scope);
  return stopped(asked, order);
};

/** @throws Problem 403 for a scope that is not the caller's */
async function mustBeTheirs(asked: Asked, scope: string): Promise<void> {
  const { holder } = asked.caller;
  const [kind = '', id = ''] = scope.split(/\/(.*)/s);
  if (kind === 'run') {
    await runSeen({ ...asked, path: { run: id } });
    return;
  }
  // guard: an agent may stop itself; whoever else's work it is, others stop.
  if (holder.kind === 'agent' && scope === `agent/${holder.agent}`) return;
  const { db } = asked.parts.gateway;
  if (holder.kind === 'person') {
    if ((await sightOf(asked.parts.gateway, asked.caller)).all) return;
    const owned = await db
      .selectFrom('agents')
      .select('agent_id')
      .where('owner_person', '=', holder.person)
      .execute();
    if (kind === 'agent' && owned.some(({ agent_id }) => agent_id === id)) return;
  }
  throw new Problem(403, 'scope-foreign', 'the caller may not stop this');
}

/** Fences first: from that commit on nothing begins. Telling the runs comes after, and is reported by run. */
async function stopped({ caller, parts }: Asked, order: Order): Promise<Answer> {
  const { gateway, log, temporal } = parts;
  const by = caller.name;
  const record: StopRecord = await stop(gateway, { ...order, by, proven: true });
  const untold: string[] = [];
  const { mode, reason } = order;
  for (const { run_id: runId } of await openRunsUnder(gateway.db, order.scope))
    await temporal
      .run(runId)
      .stop({ mode, reason, by })
      .catch((error: unknown) => {
        untold.push(runId);
        log.warn(
          { run: runId, fault: error instanceof Error ? error.name : 'unknown' },
          'a run was not told of a stop; the fence holds all the same',
        );
      });
  return {
    status: 200,
    json: {
      scope: order.scope,
      fencedAt: record.fencedAt,
      drainedAt: record.drainedAt ?? null,
      onTheWire: record.onTheWire.length,
      untold,
    },
  };
}
