import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../../cli/demo/stage.js';
import { databaseNow } from '../../store/clock.js';
import { activityCells, type LeftOut } from './activity-cells.js';
import { callCells } from './call-cells.js';
import { signedBy } from './cast.js';
import { DEFECTS, good, turnedAway, type GateSeen } from './defects.js';
import { ORDER_DEFECTS, orderOf } from './order-defects.js';
import {
  COVERED,
  productRoads,
  TEMPORAL_DECISION_ROADS,
  TEMPORAL_ORDER_ROADS,
  type TemporalOrderRoad,
} from './roads-of.js';
import type { TableHouse } from './table-house.js';
import { openTemporalHouse, PHASES, type Came, type TemporalHouse } from './temporal-house.js';
import { decideBy, listens, NOTHING, orderBy, verdictOf, workflowOf } from './temporal-ways.js';

/**
 * The same defects as in table.test.ts, through Temporal: by signal and by update at a run's own workflow, by an
 * activity that somebody else's workflow schedules, at a repair that somebody has started. Ours are the real workflows,
 * activities and gateway on a real server; no cell passes, nothing that counts changes, and each leaves its reason.
 */
let house: TemporalHouse;
beforeAll(async () => {
  house = await openTemporalHouse();
}, 300_000);
afterAll(() => house.close(), 60_000);

const ORDER_ROADS = Object.keys(TEMPORAL_ORDER_ROADS) as TemporalOrderRoad[];
const DECISION_CELLS = TEMPORAL_DECISION_ROADS.flatMap((road) =>
  DEFECTS.filter((defect) => defect.not?.[road] === undefined).map(
    (defect) => [road, defect.name, defect] as const,
  ),
);
const ORDER_CELLS = ORDER_ROADS.flatMap((road) =>
  ORDER_DEFECTS.filter((defect) => defect.not?.[road] === undefined).map(
    (defect) => [road, defect.name, defect] as const,
  ),
);

/** The gateway's calls that take no step, by what carries them; those of steps are in activity-cells.ts. */
const ended = (gateway: () => TemporalHouse['remote']) =>
  callCells((): TableHouse => ({ ...house.table, gateway: gateway() }));
const CARRIES: Readonly<Record<string, string>> = {
  ...{ closeDoor: 'closeDoor', complete: 'completeRun', finish: 'finishRun', admit: 'admit' },
};
const CALL_CELLS = [
  ...ended(() => house.remote).flatMap(([road, name, cell]) => {
    const activity = CARRIES[road];
    return activity === undefined ? [] : [[activity, name, cell] as const];
  }),
  ...(['provision', 'teardown'] as const).flatMap((kind) =>
    ended(() => house.started(kind)).flatMap(([road, name, cell]) =>
      road === 'admit' ? [[kind, name, cell] as const] : [],
    ),
  ),
];
const { cells: ACTIVITY_CELLS, left: ACTIVITIES_LEFT } = activityCells();

const ENDS = ['TERMINATED', 'FAILED', 'TIMED_OUT', 'LOST'] as const;
const STATES: Readonly<Record<string, () => GateSeen>> = {
  'that waits at its gate': () => house.table.places.other,
  'that its workflow waits for': () => house.waiting.provision,
  'that its workflow holds still': () => house.waiting.heldProvision,
  'whose gate was rejected': () => house.table.places.rejected,
  'whose gate has expired': () => house.table.places.expired,
  'whose gate is void': () => house.table.places.void,
  'whose plan is granted': () => house.table.grantedGate,
  'that is stopped': () => house.table.stoppedGate,
};
const REPAIR_CELLS = Object.entries(STATES).flatMap(([state, gate]) =>
  ENDS.map((end) => [state, end, gate] as const),
);

/** No cell of the table changes anything that counts. */
async function unchanged(body: () => Promise<Came>): Promise<Came> {
  const before = await house.truth();
  const came = await body();
  const after = await house.truth();
  const [was, is] = [new Set(before), new Set(after)];
  const changes = [
    ...before.filter((line) => !is.has(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !was.has(line)).map((line) => `+ ${line}`),
  ];
  expect(changes).toEqual([]);
  return came;
}

let cells = 0;
const nextCell = (): string => `cell ${(cells += 1)}`;

async function sceneAt(gate: GateSeen) {
  const { cast, places } = house.table;
  const { db, instance } = house.table.house;
  const now = await databaseNow(db);
  return { cast, gate, other: places.other, instance, cell: nextCell(), now };
}

async function orderAt(road: TemporalOrderRoad, runId: string) {
  const { cast, house: parts, places } = house.table;
  const { db, instance } = parts;
  const scene = { cast, runId, otherRun: places.other.runId, instance, cell: nextCell() };
  return [TEMPORAL_ORDER_ROADS[road], { ...scene, now: await databaseNow(db) }] as const;
}

describe('a decision', () => {
  test.each(DECISION_CELLS)('by %s: %s', async (road, _name, defect) => {
    const gate = house.gateOf(road, defect.at ?? 'open');
    const message = defect.make(await sceneAt(gate));
    const away = turnedAway(road, defect);
    const came = await unchanged(() => house.decide(road, gate.runId, message, away === undefined));
    const told = road.includes('signal') ? NOTHING : defect.reason;
    const said = away === undefined ? told : (expect.stringMatching(away) as unknown);
    expect(came).toEqual({ told: said, log: away === undefined ? [defect.reason] : [] });
  });
});

describe('an order', () => {
  test.each(ORDER_CELLS)('by %s: %s', async (road, _name, defect) => {
    const runId = house.runOf(road);
    const message = defect.make(...(await orderAt(road, runId)));
    const came = await unchanged(() => house.order(road, runId, message));
    const told = road.includes('signal') ? NOTHING : defect.reason;
    expect(came).toEqual({ told, log: [defect.reason] });
  });
});

describe('what a workflow of nobody’s schedules, or somebody starts', () => {
  test.each(CALL_CELLS)('%s: %s', async (_road, _name, { go, told: reason }) => {
    const { log, told } = await unchanged(() => house.call(go));
    // Across Temporal goes the code; the reason is the record’s.
    expect({ log, passed: told === 'answered' }).toEqual({ log: [reason], passed: false });
  });

  test.each(ACTIVITY_CELLS)('%s: %s', async (activity, _name, { queue, reason, run }) => {
    const { paid, table, waiting } = house;
    const { runId } = run({ paid, table, teardown: waiting.teardown });
    const { log, told } = await unchanged(() =>
      house.call(async () => verdictOf(await house.ways.call(activity, { runId }, queue))),
    );
    expect({ log, passed: told === 'accepted' }).toEqual({ log: [reason], passed: false });
  });
});

describe('a repair that somebody has started', () => {
  test.each(REPAIR_CELLS)('of a run %s, as if it were %s', async (_state, end, gate) => {
    const { runId } = gate();
    const came = await unchanged(() => house.repair(runId, end));
    expect(came).toEqual({ told: 'stuck', log: ['NO_CAUSE'] });
  });
});

test('nothing of it has moved a workflow that waits for a word', async () => {
  expect(await house.phases()).toEqual(PHASES);
});

test('what is good passes on each road: it was the defect that was refused', async () => {
  const { db } = house.table.house;
  for (const road of TEMPORAL_DECISION_ROADS) {
    const gate = await house.half(road);
    const told = await decideBy(house.ways, road, gate.runId, good(await sceneAt(gate)));
    const away = turnedAway(road, {});
    if (away !== undefined) expect(told).toMatch(away);
    else
      await eventually(`a decision by ${road}`, () =>
        db
          .selectFrom('decisions')
          .select('digest')
          .where('gate_id', '=', gate.gateId)
          .where('person_id', '=', 'p_fay')
          .where('accepted', '=', true)
          .executeTakeFirst(),
      );
  }
}, 300_000);

test('and so does an order: a stuck run goes on, and a held one', async () => {
  const { cast, house: parts } = house.table;
  const { ways } = house;
  const wordBy = async (road: TemporalOrderRoad): Promise<object> =>
    signedBy(cast.fay.key, orderOf(...(await orderAt(road, house.runOf(road)))));
  const send = async (road: TemporalOrderRoad, word: object): Promise<void> => {
    const told = await orderBy(ways, road, house.runOf(road), word);
    expect([road, told]).toEqual([road, road.includes('signal') ? NOTHING : 'accepted']);
  };
  const words = async (): Promise<number> =>
    (await parts.db.selectFrom('resolutions').select('digest').execute()).length;
  for (const road of ORDER_ROADS.filter((one) => TEMPORAL_ORDER_ROADS[one] === 'resolve')) {
    const before = await words();
    await send(road, await wordBy(road));
    await eventually(`an order by ${road}`, async () => (await words()) > before || undefined);
  }
  // One word lifts the stop, and may be sent again to whoever has not heard it.
  const word = await wordBy('resumeRun');
  await send('resumeRun', word);
  await send('provision: signal resume', word);
  await send('teardown: signal resume', await wordBy('teardown: signal resume'));
  await eventually('all of them go on', async () => {
    const { heldProvision, heldTeardown, stuckProvision } = await house.phases();
    const waits = [heldProvision, heldTeardown].includes('held') || stuckProvision === 'stuck';
    return waits ? undefined : true;
  });
}, 300_000);

const ROWS = new Set<string>([
  ...[...DECISION_CELLS, ...ORDER_CELLS, ...CALL_CELLS, ...ACTIVITY_CELLS].map(([road]) => road),
  ...REPAIR_CELLS.map(() => 'repair'),
]);

test('a road through Temporal that has no rows here is found', () => {
  const { messages = [], workflows = [], activities = [] } = productRoads(house.table.gateway);
  const where = { ...COVERED['messages'], ...COVERED['workflows'], ...COVERED['activities'] };
  const without = [...messages, ...workflows, ...activities].filter((road) => {
    const at = where[road];
    return at === undefined || !('none' in at || ('temporal' in at && ROWS.has(at.temporal)));
  });
  expect(without).toEqual([]);
});

test('each kind of workflow listens to what is listed, and to nothing else', async () => {
  const { messages = [] } = productRoads(house.table.gateway);
  const { client, repairs } = house.ways;
  const { provision, teardown } = house.waiting;
  const heard = [
    ...(await listens(workflowOf(client, provision.runId))),
    ...(await listens(workflowOf(client, teardown.runId))),
    ...(await listens(await repairs.of(house.table.places.open.runId))),
  ];
  expect(heard.sort()).toEqual([...messages].sort());
});

const leftOf = <Road extends string>(
  roads: readonly Road[],
  defects: readonly { readonly name: string; readonly not?: Partial<Record<Road, string>> }[],
): readonly LeftOut[] =>
  roads.flatMap((road) =>
    defects.flatMap(({ name, not }): LeftOut[] => {
      const why = not?.[road];
      return why === undefined ? [] : [[road, name, why]];
    }),
  );

test('what is no cell is left out by name, with its reason, and is not counted', () => {
  const left = [
    ...leftOf(TEMPORAL_DECISION_ROADS, DEFECTS),
    ...leftOf(ORDER_ROADS, ORDER_DEFECTS),
    ...ACTIVITIES_LEFT,
  ];
  expect(left.filter(([, , why]) => why.length <= 20)).toEqual([]);
  const away = DECISION_CELLS.filter(([road, , defect]) => turnedAway(road, defect) !== undefined);
  const heard = DECISION_CELLS.length - away.length;
  const counted =
    heard + ORDER_CELLS.length + CALL_CELLS.length + ACTIVITY_CELLS.length + REPAIR_CELLS.length;
  // What is left out, and what is turned away without a trace, is as much as this and no more.
  expect({ left: left.length, away: away.length }).toEqual({ left: 37, away: 61 });
  expect(counted).toBeGreaterThanOrEqual(600);
});
