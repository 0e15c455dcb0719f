import { sql } from 'kysely';
import type { Database } from './connect.js';

/**
 * Asks the door of the database for an effect with whatever is claimed, as anybody could who holds the
 * application's database role. For showing that a claim alone opens nothing.
 */
export async function askDoor(
  db: Database,
  claim: Readonly<Record<string, unknown>>,
): Promise<{ readonly verdict: string; readonly reason: string | null }> {
  const ask = {
    policyVersion: 0,
    caps: [],
    costMaxMinor: 0,
    currency: 'USD',
    provider: 'cloudflare',
    httpTimeoutMs: 1_000,
    settlingMs: 1_000,
    keyed: false,
    sender: 'forged',
    ...claim,
  };
  const { rows } = await sql<{ verdict: string; reason: string | null }>`
    select * from door_authorize(${JSON.stringify(ask)}::jsonb)`.execute(db);
  const [answer] = rows;
  if (answer === undefined) throw new Error('invariant: the door answers');
  return answer;
}
