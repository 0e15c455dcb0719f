import { performance } from 'node:perf_hooks';
import { sql } from 'kysely';
import type { RunId } from '../domain/ids.js';
import type { EffectStep } from '../domain/steps.js';
import { attempt } from '../gateway/attempt.js';
import { mark } from '../gateway/deadline.js';
import { lookAhead } from '../gateway/look.js';
import { settlingOf } from '../gateway/parts.js';
import type { Parts } from '../gateway/parts.js';
import { bundleOf, loadStanding, resolvedEffect } from '../gateway/record.js';
import type { Database } from '../store/connect.js';
import { sender } from '../test/gateway/house.js';

/** The functions of the database that are policy, grant or ledger, each with an answer that asks nobody. */
const NOTHING = `
create or replace function door_grant(p jsonb, p_run runs, p_step plan_steps) returns text
  language plpgsql volatile as $$ begin return null; end $$;
create or replace function door_use_grant(p jsonb) returns text
  language plpgsql volatile as $$ begin return null; end $$;
create or replace function door_identity(p_run runs, p_step plan_steps, p_demanded boolean)
  returns identity_answer language plpgsql volatile as $$ begin return null; end $$;
create or replace function door_draw(p_run text, p_step text, p_caps jsonb, p_cost bigint,
    p_currency text, p_move boolean) returns void
  language plpgsql volatile as $$ begin return; end $$;
create or replace function door_capture(p_effect text, p_captured bigint) returns text
  language plpgsql volatile as $$ begin return null; end $$;
create or replace function hold_allowances(p_run text, p_steps text[]) returns void
  language plpgsql volatile as $$ begin return; end $$;
`;

/** Takes policy, grant and ledger out of a scratch database; what keeps the record of an effect stays. */
export const takeOutChecks = async (db: Database): Promise<void> => {
  await sql.raw(NOTHING).execute(db);
};

/**
 * An effect as a gateway would send it that judges nothing: the stored action is read, the row is claimed, the world is
 * looked at, one request leaves, the row is settled. For a database whose checks were taken out. @throws what the send throws
 */
export async function performUnjudged(parts: Parts, runId: RunId, step: EffectStep): Promise<void> {
  const by = sender();
  const standing = await loadStanding(parts, runId);
  const effect = await resolvedEffect(parts, standing, step, {
    role: 'actions',
    signal: by.signal,
  });
  const { document } = effect;
  const before = mark(parts.clocks);
  const asking = parts.door.authorize({
    effectId: effect.effectId,
    runId,
    step,
    digest: effect.digest,
    decisions: [],
    policyVersion: 1,
    delegated: false,
    caps: [],
    costMaxMinor: document.costMaxMinor,
    currency: document.currency,
    provider: effect.provider,
    httpTimeoutMs: parts.httpTimeouts[effect.provider],
    settlingMs: settlingOf(parts.settling, effect.provider, document.operation),
    keyed: effect.operation.keyed,
    sender: by.token,
  });
  const ahead = lookAhead(parts, effect, { sender: by, bundle: bundleOf(parts) });
  const answer = await asking;
  if (answer.verdict !== 'granted') throw new Error(`the door answered ${answer.verdict}`);
  ahead.told(answer);
  await attempt(parts, effect, answer, { before, ahead, sender: by, bundle: bundleOf(parts) });
}

/** How long it took, in ms. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}
