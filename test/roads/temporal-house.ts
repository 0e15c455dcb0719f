import type { ChildProcess } from 'node:child_process';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { sql } from 'kysely';
import { eventually } from '../../cli/demo/stage.js';
import { Failure } from '../../domain/errors.js';
import type { RunId } from '../../domain/ids.js';
import type { Gateway } from '../../gateway/contract.js';
import { stateQuery, stopSignal, TASK_QUEUES, WORKFLOWS } from '../../workflows/messages.js';
import { claimOf, opened } from '../gateway/house.js';
import { reached, startHarness, type Harness } from '../workflows/harness.js';
import type { GateSeen, Place } from './defects.js';
import { callerOf, startRogue } from './ground.js';
import { remoteGateway } from './remote-gateway.js';
import type { TemporalOrderRoad, TemporalRoad } from './roads-of.js';
import { openTableHouse, type Admit, type TableHouse } from './table-house.js';
import {
  decideBy,
  NOTHING,
  orderBy,
  startedRepairs,
  type Ways,
  workflowOf,
} from './temporal-ways.js';

/** What went through Temporal, and came to nothing: what the caller was told, and what the record says of it. */
export interface Came {
  readonly told: string;
  readonly log: readonly string[];
}

/** Workflows of ours that wait for a word, each under the phase in which it does. */
export interface Waiting {
  readonly provision: GateSeen;
  readonly teardown: GateSeen;
  readonly heldProvision: GateSeen;
  readonly heldTeardown: GateSeen;
  /** It is taken back, and somebody else has come to use what it made first. */
  readonly stuckProvision: GateSeen;
}
/** The phase in which each of them waits. */
export const PHASES: Readonly<Record<keyof Waiting, string>> = {
  ...{ provision: 'awaiting-approval', teardown: 'awaiting-approval' },
  ...{ heldProvision: 'held', heldTeardown: 'held', stuckProvision: 'stuck' },
};

type Kind = 'provision' | 'teardown';

/** The table's house with a real Temporal server, our workers on it, and somebody else's beside them. */
export interface TemporalHouse {
  readonly table: TableHouse;
  readonly ways: Ways;
  readonly waiting: Waiting;
  /** It has paid, and the gate over its domain lacks a person. */
  readonly paid: GateSeen;
  /** The gateway as whoever may schedule our activities reaches it. */
  readonly remote: Gateway;
  /** The same, where `admit` is a run’s own workflow that somebody starts. */
  started(kind: Kind): Gateway;
  /** The gate at which a decision by this road is about something: of a workflow that waits, or anybody’s. */
  gateOf(road: TemporalRoad, place: Place): GateSeen;
  /** The run that an order by this road is about. */
  runOf(road: TemporalOrderRoad): string;
  /** Where each workflow is that waits for a word. */
  phases(): Promise<Readonly<Record<string, string>>>;
  /** A run with one approval of two; a workflow of its own waits with it where the road leads to one. */
  half(road: TemporalRoad): Promise<GateSeen>;
  decide(road: TemporalRoad, runId: string, message: object, heard: boolean): Promise<Came>;
  order(road: TemporalOrderRoad, runId: string, message: object): Promise<Came>;
  /** Starts a repair of this run, as if Temporal had said that it ended so. */
  repair(runId: string, status: string): Promise<Came>;
  call(body: () => Promise<string>): Promise<Came>;
  /** Everything that counts, in a line each: decisions, gates, doors, effects, and what lives at the provider. */
  truth(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function openTemporalHouse(): Promise<TemporalHouse> {
  const [table, harness] = await Promise.all([openTableHouse(), startHarness()]);
  const { client } = harness;
  const rogue = await startRogue(harness.address);
  let release = (): void => undefined;
  const working = harness.withWorkers(
    table.gateway,
    () => new Promise<void>((resolve) => (release = resolve)),
  );
  const ways: Ways = { client, call: callerOf(client), repairs: startedRepairs(client) };
  const recorded = recorder(table);
  const admit = admitters(harness, table);
  const waiting = await waitingOf(harness, table, admit);
  const paid = await purchasing(table);
  // Refused decisions are counted for their run: each road has one of its own, or it would soon be a flood.
  const alone = await table.open();
  const remote = remoteGateway(table.gateway, ways.call);
  return {
    ...{ table, ways, waiting, paid, remote },
    started: (kind) => ({ ...remote, admit: (claim) => admittedBy(harness, kind, claim) }),
    gateOf: (road, place) => {
      if (road.startsWith('provision')) return waiting.provision;
      if (road.startsWith('teardown')) return waiting.teardown;
      return road === 'recordDecision' && place === 'open' ? alone : table.places[place];
    },
    runOf: (road) => runOf(road, table, waiting).runId,
    phases: () => phasesOf(harness, waiting),
    half: async (road) => {
      const [kind = ''] = road.split(':');
      return table.half(
        kind === 'provision' || kind === 'teardown' ? await admit[kind]() : undefined,
      );
    },
    decide: async (road, runId, message, heard) => {
      if (road.startsWith('repair')) await ways.repairs.of(runId);
      return recorded(() => decideBy(ways, road, runId, message), heard ? 1 : 0);
    },
    order: async (road, runId, message) => {
      if (road.startsWith('repair')) await ways.repairs.of(runId);
      return recorded(() => orderBy(ways, road, runId, message), 1);
    },
    repair: async (runId, status) => {
      await ways.repairs.end(runId);
      const { log } = await recorded(async () => {
        await ways.repairs.start(runId, status);
        return NOTHING;
      }, 1);
      const { phase } = await reached(await ways.repairs.of(runId), 'stuck');
      await ways.repairs.end(runId);
      return { told: phase, log };
    },
    call: (body) => recorded(body),
    truth: () => truthOf(table),
    close: async () => {
      release();
      await working;
      await endOf(rogue);
      await harness.close();
      await table.close();
    },
  };
}

async function endOf(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.stdin?.end();
  await ended;
}

/** How a run's own workflow brings it to its gate; a teardown has a completed run of its own to take down. */
type Admitters = Readonly<Record<Kind, () => Promise<Admit>>>;

function admitters({ client }: Harness, table: TableHouse): Admitters {
  const start =
    (kind: Kind, of: object = {}): Admit =>
    async (runId, change) => {
      const handle = await client.workflow.start(WORKFLOWS[kind], {
        workflowId: `provision/${runId}`,
        taskQueue: TASK_QUEUES.workflows,
        args: [claimOf(table.house, runId, { ...change, ...of })],
      });
      await reached(handle, 'awaiting-approval');
      return runId as RunId;
    };
  return {
    provision: () => Promise.resolve(start('provision')),
    teardown: async () => {
      const { runId } = await table.completed();
      const { domain } = await table.house.db
        .selectFrom('runs')
        .select('domain')
        .where('run_id', '=', runId)
        .executeTakeFirstOrThrow();
      const goal = `Take ${domain} down again`;
      return start('teardown', { goal, domain: { name: domain, years: 1 }, tearsDown: runId });
    },
  };
}

async function waitingOf(
  { client }: Harness,
  table: TableHouse,
  admit: Admitters,
): Promise<Waiting> {
  const stopped = async (gate: GateSeen, mode: 'hold' | 'unwind', phase: string) => {
    const handle = workflowOf(client, gate.runId);
    await handle.signal(stopSignal, { mode, by: 'p_fay', reason: 'set up' });
    await reached(handle, phase);
    return gate;
  };
  const { usedByOthers } = table.house.world;
  const paid = await table.performed('start-subscription', await admit.provision());
  usedByOthers.add('create-customer');
  const stuckProvision = await stopped(paid, 'unwind', PHASES.stuckProvision);
  usedByOthers.clear();
  return {
    stuckProvision,
    provision: await table.open(await admit.provision()),
    teardown: await table.open(await admit.teardown()),
    heldProvision: await stopped(await table.half(await admit.provision()), 'hold', 'held'),
    heldTeardown: await stopped(await table.half(await admit.teardown()), 'hold', 'held'),
  };
}

function runOf(road: TemporalOrderRoad, { places }: TableHouse, waiting: Waiting): GateSeen {
  switch (road) {
    case 'provision: signal resolve':
      return waiting.stuckProvision;
    case 'repair: signal resolve':
    case 'resolveStep':
      return places.open;
    case 'provision: signal resume':
    case 'resumeRun':
      return waiting.heldProvision;
    case 'teardown: signal resume':
      return waiting.heldTeardown;
  }
}

async function phasesOf({ client }: Harness, waiting: Waiting): Promise<Record<string, string>> {
  const phases: Record<string, string> = {};
  for (const [name, { runId }] of Object.entries<GateSeen>({ ...waiting }))
    phases[name] = (await workflowOf(client, runId).query(stateQuery)).phase;
  return phases;
}

let started = 0;

/** The refusal of a run's own workflow, started with such a claim, as the gateway's. */
async function admittedBy(
  { client }: Harness,
  kind: Kind,
  claim: { readonly runId: string },
): Promise<never> {
  try {
    const answer: unknown = await client.workflow.execute(WORKFLOWS[kind], {
      workflowId: `provision/forged-${(started += 1)}`,
      taskQueue: TASK_QUEUES.workflows,
      args: [claim],
    });
    return answer as never;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure))
      throw error;
    if (error.cause.type !== 'RUN_DENIED') throw error;
    throw new Failure('ADMISSION_REFUSED', 'the workflow was denied');
  }
}

const PATIENCE_MS = 30_000;
type Recorded = (body: () => Promise<string>, least?: number) => Promise<Came>;

/** Runs the body and reads what the record says afterwards that it did not say before, of at least so many refusals. */
function recorder({ house: { db } }: TableHouse): Recorded {
  return async (body, least = 0) => {
    const { last } = await db
      .selectFrom('refusals')
      .select((eb) => eb.fn.coalesce(eb.fn.max('id'), eb.lit(0)).as('last'))
      .executeTakeFirstOrThrow();
    const told = await body();
    // What comes by signal is answered by nobody: its reason on record is all there is to wait for.
    const log = await eventually(
      'a refusal on record',
      async () => {
        const rows = await db
          .selectFrom('refusals')
          .select('reason')
          .where('id', '>', last)
          .orderBy('id')
          .execute();
        return rows.length >= least ? rows.map(({ reason }) => reason) : undefined;
      },
      PATIENCE_MS,
    );
    return { told, log };
  };
}

/** A run that has paid, and one of two has approved the purchase of its domain. */
async function purchasing(table: TableHouse): Promise<GateSeen> {
  const gate = await table.performed('start-subscription');
  const { digest, gateId } = await opened(table.house, gate.runId as RunId, 'register-domain');
  const purchase = { ...gate, gateId, digest };
  await table.approve(purchase, table.cast.gus);
  return purchase;
}

async function truthOf({ house }: TableHouse): Promise<readonly string[]> {
  const { rows } = await sql<{ line: string }>`
    select concat_ws(' ', 'run', run_id, door, operations) as line from runs
    union all select concat_ws(' ', 'gate', gate_id, state) from gates
    union all select concat_ws(' ', 'decision', digest) from decisions where accepted
    union all select concat_ws(' ', 'effect', effect_id, state, attempt) from effects
    union all select concat_ws(' ', 'fence', to_jsonb(fences)) from fences
    union all select concat_ws(' ', 'resolution', digest) from resolutions
    order by line`.execute(house.db);
  return [
    ...rows.map(({ line }) => line),
    ...house.stub.things.map((thing) => JSON.stringify(thing)),
  ];
}
