import type { Executor } from './connect.js';
import type { Row } from './schema.js';

/** Runs that somebody may see, newest first: their own, those they answer for or that are for them, or all. */
export async function runsSeenBy(
  db: Executor,
  of: {
    readonly requester?: string;
    readonly person?: string;
    readonly all: boolean;
    readonly runId?: string;
  },
  limit: number,
): Promise<Row<'runs'>[]> {
  let query = db.selectFrom('runs').selectAll().orderBy('admitted_at', 'desc').limit(limit);
  if (of.runId !== undefined) query = query.where('run_id', '=', of.runId);
  const { person, requester } = of;
  if (of.all) return query.execute();
  if (requester !== undefined)
    return query
      .where((eb) => eb.or([eb('requester', '=', requester), eb('agent', '=', requester)]))
      .execute();
  if (person === undefined) return [];
  return query
    .where((eb) =>
      eb.or([
        eb('owner_person', '=', person),
        eb('principal', 'in', (of) =>
          of.selectFrom('principals').select('principal_id').where('person_id', '=', person),
        ),
      ]),
    )
    .execute();
}
