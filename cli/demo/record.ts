import type { ActionDocument } from '../../domain/documents.js';
import type { Plan } from '../../domain/plan.js';
import type { Database } from '../../store/connect.js';
import { eventually, StoryFailed } from './eventually.js';

/** What the record of the demo's stack says of a step and of a gate. */

export interface Grant {
  readonly gateId: string;
  readonly action: ActionDocument;
  readonly decisions: readonly string[];
}

/** The effect row of a step, once something was authorized. */
export async function effectOf(
  db: Database,
  runId: string,
  step: string,
): Promise<{ readonly state: string; readonly object: string | undefined } | undefined> {
  const row = await db
    .selectFrom('effects')
    .select(['state', 'object'])
    .where('run_id', '=', runId)
    .where('step', '=', step)
    .where('kind', '=', 'act')
    .executeTakeFirst();
  return row === undefined ? undefined : { state: row.state, object: row.object ?? undefined };
}

/** Waits until a gate is granted; answers what a caller of the door would present. */
export async function grantOf(db: Database, runId: string, gate: string): Promise<Grant> {
  const granted = await eventually(`the grant at ${gate} of ${runId}`, () =>
    db
      .selectFrom('gates')
      .select(['gate_id', 'plan_revision'])
      .where('run_id', '=', runId)
      .where('gate', '=', gate)
      .where('state', '=', 'granted')
      .executeTakeFirst(),
  );
  const { plan } = await db
    .selectFrom('plans')
    .select('plan')
    .where('run_id', '=', runId)
    .where('revision', '=', granted.plan_revision)
    .executeTakeFirstOrThrow();
  const step = (JSON.parse(plan) as Plan).steps.find(({ step: name }) => name === gate);
  if (step?.action === undefined) throw new StoryFailed(`the plan of ${runId} has no ${gate}`);
  const decisions = await db
    .selectFrom('decisions')
    .select('digest')
    .where('gate_id', '=', granted.gate_id)
    .where('accepted', '=', true)
    .execute();
  return {
    gateId: granted.gate_id,
    action: step.action,
    decisions: decisions.map(({ digest }) => digest),
  };
}
