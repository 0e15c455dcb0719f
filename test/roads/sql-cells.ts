import { sql } from 'kysely';
import { databaseNow } from '../../store/clock.js';
import { sqlState } from '../../store/failures.js';
import type { GateSeen, Place } from './defects.js';
import type { SQL_ROADS } from './roads-of.js';
import type { TableHouse } from './table-house.js';

type SqlRoad = (typeof SQL_ROADS)[number];
export interface SqlCell {
  readonly go: () => Promise<string>;
  readonly told: string;
  /** False: it raises, and a raise leaves nothing. */
  readonly logged?: boolean;
}
type Row = readonly [SqlRoad, string, SqlCell];
type Claim = Readonly<Record<string, unknown>>;

/** Straight at the functions that our processes may call, as their role, with whatever is claimed. */
export function sqlCells(at: () => TableHouse): readonly Row[] {
  const ours = () => at().parts.db;
  const ask = async (name: SqlRoad, claim: Claim): Promise<string> => {
    const { rows } = await sql<{ verdict: string; reason: string | null }>`
      select * from ${sql.raw(name)}(${JSON.stringify(claim)}::jsonb)`.execute(ours());
    return rows[0]?.reason ?? rows[0]?.verdict ?? '';
  };
  /** What the gateway itself would ask for the first step of this run, all of it true. */
  const claimOf = async ({ gateId, runId }: GateSeen): Promise<Claim> => {
    const { db, instance } = at().house;
    const step = await db
      .selectFrom('plan_steps')
      .selectAll()
      .where('run_id', '=', runId)
      .where('step', '=', 'create-customer')
      .executeTakeFirstOrThrow();
    const decisions = await db
      .selectFrom('decisions')
      .select('digest')
      .where('gate_id', '=', gateId)
      .where('decision', '=', 'approve')
      .execute();
    const { version } = await db
      .selectFrom('policies')
      .select((eb) => eb.fn.max('version').as('version'))
      .executeTakeFirstOrThrow();
    return {
      ...{ runId, gateId, step: 'create-customer', digest: step.digest, provider: step.provider },
      effectId: `${instance}/${runId}/create-customer/act`,
      decisions: decisions.map(({ digest }) => digest),
      ...{ policyVersion: version, caps: [], costMaxMinor: step.cost_minor, currency: 'USD' },
      ...{ httpTimeoutMs: 1_000, settlingMs: 1_000, keyed: true, sender: 'forged' },
    };
  };
  const bent = (
    told: string,
    change: (good: Claim) => Claim | Promise<Claim>,
    gate: () => Promise<GateSeen> | GateSeen = () => at().grantedGate,
  ): SqlCell => ({
    told,
    go: async () => {
      const claim = await claimOf(await gate());
      return ask('door_authorize', { ...claim, ...(await change(claim)) });
    },
  });
  const place = (name: Place) => () => at().places[name];
  const same = (): Claim => ({});
  const text = (value: unknown): string => String(value);
  const authorize: readonly (readonly [string, SqlCell])[] = [
    [
      'a digest that is wrong by one character',
      bent('DIGEST_MISMATCH', ({ digest }) => ({ digest: `${text(digest).slice(0, -1)}x` })),
    ],
    [
      'a cost that is wrong by a cent',
      bent('DIGEST_MISMATCH', ({ costMaxMinor }) => ({ costMaxMinor: Number(costMaxMinor) + 1 })),
    ],
    ['another currency', bent('DIGEST_MISMATCH', () => ({ currency: 'EUR' }))],
    ['another provider', bent('DIGEST_MISMATCH', () => ({ provider: 'cloudflare' }))],
    [
      'another version of the policy',
      bent('POLICY_MOVED', ({ policyVersion }) => ({ policyVersion: Number(policyVersion) + 1 })),
    ],
    [
      'the row of another installation',
      bent('NOT_PLANNED', ({ runId }) => ({
        effectId: `${'0'.repeat(32)}/${text(runId)}/create-customer/act`,
      })),
    ],
    [
      'a second row for the same step',
      bent('NOT_PLANNED', ({ effectId }) => ({ effectId: `${text(effectId)}-again` })),
    ],
    [
      'another run’s row',
      bent('NOT_PLANNED', async () => ({
        effectId: (await claimOf(at().places.other))['effectId'],
      })),
    ],
    ['no gate', bent('NO_GRANT', () => ({ gateId: null }))],
    ['another run’s gate', bent('NO_GRANT', () => ({ gateId: at().places.other.gateId }))],
    ['no decision', bent('NO_GRANT', () => ({ decisions: [] }))],
    ['a decision that nobody made', bent('NO_GRANT', () => ({ decisions: ['f'.repeat(64)] }))],
    [
      'another gate’s decisions',
      bent('NO_GRANT', async () => ({
        decisions: (await claimOf(at().places.other))['decisions'],
      })),
    ],
    ['a run that was never admitted', bent('NO_RUN', () => ({ runId: 'table-nowhere' }))],
    ['a gate that is open', bent('GATE_CLOSED', same, place('open'))],
    ['a gate that was rejected', bent('GATE_CLOSED', same, place('rejected'))],
    ['a gate that is void', bent('GATE_CLOSED', same, place('void'))],
    ['a gate that has expired', bent('GATE_EXPIRED', same, place('expired'))],
    [
      'a decision under a revoked key, written by the forger',
      bent('KEY_REVOKED', async (good) => ({
        decisions: [await planted(at(), text(good['gateId']), 'revoked')],
      })),
    ],
    [
      'a decision of a person who has left, written by the forger',
      bent('KEY_REVOKED', async (good) => ({
        decisions: [await planted(at(), text(good['gateId']), 'gone')],
      })),
    ],
    [
      'a decision in somebody else’s name, written by the forger',
      bent('KEY_REVOKED', async (good) => ({
        decisions: [await planted(at(), text(good['gateId']), 'owner', 'p_hal')],
      })),
    ],
    ['a run that is stopped', bent('FENCED', same, () => at().stoppedGate)],
    ['a run whose door is closed', bent('DOOR_CLOSED', same, () => at().closedGate)],
  ];
  const claims: readonly (readonly [string, SqlCell])[] = (
    [
      ['what was never authorized', 'NOT_PLANNED', () => at().grantedGate],
      ['a run that is stopped', 'FENCED', () => at().stoppedGate],
      ['a run whose door is closed', 'DOOR_CLOSED', () => at().closedGate],
    ] as const
  ).map(([name, told, gate]) => [
    name,
    { told, go: async () => ask('door_claim', { ...(await claimOf(gate())), attempt: 1 }) },
  ]);
  const undo = (gate: () => GateSeen, told: string, step = 'create-customer'): SqlCell => ({
    told,
    go: () =>
      ask('door_authorize_undo', {
        ...{ runId: gate().runId, step, httpTimeoutMs: 1_000, sender: 'forged' },
      }),
  });
  const undoes: readonly (readonly [string, SqlCell])[] = [
    ['a run that is open', undo(() => at().grantedGate, 'NO_CAUSE')],
    ['a run that has completed', undo(() => at().completedGate, 'NO_CAUSE')],
    ['a run that did nothing', undo(() => at().closedGate, 'NO_CAUSE')],
    ['a step that was not marked', undo(() => at().unwindingGate, 'ROW_CLOSED')],
    [
      'a run that was never admitted',
      undo(() => ({ ...at().grantedGate, runId: 'table-nowhere' }), 'NO_RUN'),
    ],
  ];
  const rows = (road: SqlRoad, list: readonly (readonly [string, SqlCell])[]): Row[] =>
    list.map(([name, cell]) => [road, name, cell]);
  return [
    ...rows('door_authorize', authorize),
    ...rows('door_claim', claims),
    ...rows('door_authorize_undo', undoes),
    ...raising(at),
  ];
}

/** What raises: the caller is told, and its whole statement is taken back. */
function raising(at: () => TableHouse): readonly Row[] {
  const call = async (statement: string, values: readonly unknown[]): Promise<string> => {
    const parts = statement.split('?');
    const query = sql.join(
      parts.flatMap((part, index) =>
        index < values.length ? [sql.raw(part), sql`${values[index]}`] : [sql.raw(part)],
      ),
      sql``,
    );
    try {
      const { rows } = await sql<{ answer: unknown }>`${query}`.execute(at().parts.db);
      return String(rows[0]?.answer);
    } catch (error) {
      return sqlState(error) ?? String(error);
    }
  };
  const cell = (
    road: SqlRoad,
    name: string,
    told: string,
    of: { readonly statement: string; readonly values: () => readonly unknown[] },
  ): Row => [
    road,
    name,
    { told, logged: false, go: () => call(`select ${of.statement} as answer`, of.values()) },
  ];
  const json = (value: object): string => JSON.stringify(value);
  const close = (name: string, gate: () => GateSeen, cause: () => object): Row =>
    cell('door_close', name, 'CS003', {
      statement: 'door_close(?::text, ?::jsonb)',
      values: () => [gate().runId, json(cause())],
    });
  const open = () => at().grantedGate;
  const refund = (name: string, minor: number, told: string, gate: () => GateSeen): Row =>
    cell('door_close_row', name, told, {
      statement: 'door_close_row(?::jsonb)',
      values: () => [
        json({
          ...{ runId: gate().runId, step: 'start-subscription', outcome: 'reversed' },
          ...{ refundedMinor: minor, residue: { minor: 0, text: '' } },
        }),
      ],
    });
  return [
    close('a failure that nobody recorded', open, () => ({ kind: 'failure', step: 'deploy-site' })),
    close('a gate that was not rejected', open, () => ({
      ...{ kind: 'rejected', gateId: open().gateId },
    })),
    close('a gate that another run lost', open, () => ({
      ...{ kind: 'rejected', gateId: at().places.rejected.gateId },
    })),
    close('a gate that another run let expire', open, () => ({
      ...{ kind: 'expired', gateId: at().places.expired.gateId },
    })),
    close('another run’s void gate', open, () => ({
      ...{ kind: 'void', gateId: at().places.void.gateId },
    })),
    close('a plan that was not denied', open, () => ({ kind: 'denied' })),
    close('a stop that nobody ordered', open, () => ({ kind: 'stopped' })),
    close('a word that nobody signed', open, () => ({ kind: 'resolved', step: 'deploy-site' })),
    close('an end that Temporal never told', open, () => ({
      ...{ kind: 'temporal', status: 'TERMINATED' },
    })),
    close(
      'a completed run',
      () => at().completedGate,
      () => ({ kind: 'stopped' }),
    ),
    cell('door_mark_closing', 'a run that is open', 'CS003', {
      statement: 'door_mark_closing(?::text, ?::text)',
      values: () => [open().runId, 'create-customer'],
    }),
    cell('door_mark_closing', 'a run that has completed', 'CS003', {
      statement: 'door_mark_closing(?::text, ?::text)',
      values: () => [at().completedGate.runId, 'create-customer'],
    }),
    refund('a run that has completed', 1_900, 'CS003', () => at().completedGate),
    refund('a step that was not marked', 1_900, 'CS003', () => at().unwindingGate),
    refund('a cent more than was captured', 1_901, 'CS004', () => at().markedGate),
    refund('a refund that takes', -1, 'CS004', () => at().markedGate),
    refund('a refund that nobody sent', 1_900, 'CS003', () => at().markedGate),
    cell('door_complete', 'a run that did nothing', 'not-all-succeeded', {
      statement: 'door_complete(?::text)',
      values: () => [open().runId],
    }),
    cell('door_complete', 'a run whose door is closed', 'door-closed', {
      statement: 'door_complete(?::text)',
      values: () => [at().closedGate.runId],
    }),
    cell('door_finish', 'a run that is open', 'door-open', {
      statement: 'door_finish(?::text, ?::text)',
      values: () => [open().runId, 'so they say'],
    }),
    cell('door_finish', 'a run that is not taken back', 'not-all-closed', {
      statement: 'door_finish(?::text, ?::text)',
      values: () => [at().unwindingGate.runId, 'so they say'],
    }),
    cell('door_resume', 'where nothing was stopped', 'false', {
      statement: 'door_resume(?::text, ?::text, ?::text)',
      values: () => [`run/${open().runId}`, 'p_fay', 'f'.repeat(64)],
    }),
  ];
}

let forged = 0;

/** A row that says a decision was accepted, as the role may write one. */
async function planted(
  { cast, house, parts }: TableHouse,
  gateId: string,
  who: 'revoked' | 'gone' | 'owner',
  person = cast[who].person,
): Promise<string> {
  const digest = String((forged += 1)).padStart(64, '0');
  await parts.db
    .insertInto('decisions')
    .values({
      ...{ digest, statement_digest: digest, gate_id: gateId, run_id: 'forged' },
      ...{ person_id: person, key_id: cast[who].key.keyId, decision: 'approve' },
      ...{ statement: '{}', signature: '', accepted: true, reason: null, road: 'signal' as const },
      ...{ round: 10 + forged, evidence: '[]', recorded_at: await databaseNow(house.db) },
    })
    .execute();
  return digest;
}
