import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { databaseNow } from '../../store/clock.js';
import { callCells } from './call-cells.js';
import { DEFECTS, good } from './defects.js';
import { ORDER_DEFECTS } from './order-defects.js';
import { sqlCells } from './sql-cells.js';
import {
  CALL_ROADS,
  COVERED,
  DECISION_ROADS,
  ORDER_ROADS,
  productRoads,
  SQL_ROADS,
} from './roads-of.js';
import { openTableHouse, type TableHouse } from './table-house.js';

/**
 * Roads times defects. Every road on which a decision, an order or a claim can arrive, with everything that can be wrong
 * with it: no cell passes, and each leaves its reason on record. What comes through Temporal: temporal-table.test.ts.
 */
let table: TableHouse;
beforeAll(async () => {
  table = await openTableHouse();
}, 300_000);
afterAll(() => table.close());

const HERE = DECISION_ROADS;
const DECISION_CELLS = HERE.flatMap((road) =>
  DEFECTS.filter((defect) => defect.not?.[road] === undefined).map(
    (defect) => [road, defect.name, defect] as const,
  ),
);
const ORDER_CELLS = ORDER_ROADS.flatMap((road) =>
  ORDER_DEFECTS.filter((defect) => defect.not?.[road] === undefined).map(
    (defect) => [road, defect.name, defect] as const,
  ),
);
const SQL_CELLS = sqlCells(() => table);
const CALL_CELLS = callCells(() => table);

/** What the record says of it that it did not say before. */
async function recorded(body: () => Promise<string>): Promise<{ told: string; log: string[] }> {
  const { db } = table.house;
  const { last } = await db
    .selectFrom('refusals')
    .select((eb) => eb.fn.coalesce(eb.fn.max('id'), eb.lit(0)).as('last'))
    .executeTakeFirstOrThrow();
  const told = await body();
  const log = await db.selectFrom('refusals').select('reason').where('id', '>', last).execute();
  return { told, log: log.map(({ reason }) => reason) };
}

let cells = 0;
const nextCell = (): string => `cell ${(cells += 1)}`;

describe('a decision', () => {
  test.each(DECISION_CELLS)('by %s: %s', async (road, _name, defect) => {
    const { cast, house, places } = table;
    const at = defect.at ?? 'open';
    const gate = road === 'sql' && at === 'open' ? await table.half() : places[at];
    const scene = { cast, gate, other: places.other, instance: house.instance };
    const message = defect.make({ ...scene, cell: nextCell(), now: await databaseNow(house.db) });
    const reason =
      defect.by?.[road] ?? (road === 'sql' && at === 'open' ? 'rule-not-met' : defect.reason);
    const { log, told } = await recorded(() => table.decide(road, gate, message));
    expect({ told, log }).toEqual({ told: reason, log: [reason] });
  });
});

describe('an order', () => {
  test.each(ORDER_CELLS)('by %s: %s', async (road, _name, defect) => {
    const { cast, house, places } = table;
    const { runId } = places.open;
    const scene = { cast, runId, otherRun: places.other.runId, instance: house.instance };
    const message = defect.make(road, {
      ...{ ...scene, cell: nextCell() },
      now: await databaseNow(house.db),
    });
    const { log, told } = await recorded(() => table.order(road, runId, message));
    expect({ told, log }).toEqual({ told: defect.reason, log: [defect.reason] });
  });
});

describe('a claim at the door of the database', () => {
  test.each(SQL_CELLS)('by %s: %s', async (_road, _name, { go, told: reason, logged }) => {
    const { log, told } = await recorded(go);
    // A raise takes back what its own statement has written: whoever calls is told, and nothing has changed.
    expect({ told, log }).toEqual({ told: reason, log: logged === false ? [] : [reason] });
  });
});

describe('a call of the gateway', () => {
  test.each(CALL_CELLS)('by %s: %s', async (_road, _name, { go, told: reason }) => {
    const { log, told } = await recorded(go);
    expect({ told, log }).toEqual({ told: reason, log: [reason] });
  });
});

test('none of it has sent, made or authorized anything', async () => {
  const { house } = table;
  const runs = await house.db.selectFrom('effects').select('run_id').distinct().execute();
  // Only what the set-up itself did, with good decisions.
  expect(runs.every(({ run_id: run }) => table.acted.has(run))).toBe(true);
  expect(house.stub.things.length).toBe(table.made());
});

test('what is good passes on each road: it was the defect that was refused', async () => {
  const { cast, house, places } = table;
  for (const road of HERE) {
    const gate = await table.half();
    const scene = { cast, gate, other: places.other, instance: house.instance };
    const message = good({ ...scene, cell: nextCell(), now: await databaseNow(house.db) });
    expect([road, await table.decide(road, gate, message)]).toEqual([
      road,
      road === 'sql' ? 'answered' : 'accepted',
    ]);
  }
});

test('the table has at least 150 cells, each with its reason on record', () => {
  const logged = SQL_CELLS.filter(([, , { logged: is }]) => is !== false);
  const count = DECISION_CELLS.length + ORDER_CELLS.length + logged.length + CALL_CELLS.length;
  expect(count).toBeGreaterThanOrEqual(150);
});

test('a road of the product that has no rows here is found', () => {
  const product = productRoads(table.gateway);
  const named = Object.fromEntries(
    Object.entries(COVERED).map(([list, roads]) => [list, Object.keys(roads).sort()]),
  );
  const listed = Object.fromEntries(
    Object.entries(product).map(([list, roads]) => [list, [...roads].sort()]),
  );
  expect(named).toEqual(listed);
});

test('every road that is said to have rows has some', () => {
  const here = new Set<string>(
    [...DECISION_CELLS, ...ORDER_CELLS, ...SQL_CELLS, ...CALL_CELLS].map(([road]) => road),
  );
  const said = Object.values(COVERED).flatMap((roads) =>
    Object.values(roads).flatMap((where) => ('rows' in where ? [where.rows] : [])),
  );
  for (const road of [...said, ...HERE, ...ORDER_ROADS, ...SQL_ROADS, ...CALL_ROADS])
    expect([...here]).toContain(road);
});

test('a combination that is left out says why', () => {
  const whys = [...DEFECTS, ...ORDER_DEFECTS].flatMap(({ not }) => Object.values(not ?? {}));
  expect(whys.every((why) => why.length > 20)).toBe(true);
});
