import type { Quote } from '../domain/plan.js';
import type { Executor } from './connect.js';

export interface RunOfPrincipal {
  readonly runId: string;
  readonly domain: string;
  /** What its plan was made from, as last quoted. */
  readonly quote: Quote | undefined;
}

/** Every run ever admitted for a principal, newest first. */
export async function runsOfPrincipal(
  db: Executor,
  principal: string,
): Promise<readonly RunOfPrincipal[]> {
  const rows = await db
    .selectFrom('runs as r')
    .leftJoin('plans as p', (join) =>
      join.onRef('p.run_id', '=', 'r.run_id').onRef('p.revision', '=', 'r.plan_revision'),
    )
    .select(['r.run_id', 'r.domain', 'p.quote'])
    .where('r.principal', '=', principal)
    .orderBy('r.admitted_at', 'desc')
    .execute();
  return rows.map(({ run_id, domain, quote }) => ({
    runId: run_id,
    domain,
    quote: quote === null ? undefined : (JSON.parse(quote) as Quote),
  }));
}
