import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { RunId } from '../domain/ids.js';
import type { LayerName } from '../gateway/door-contract.js';
import { layersOf } from '../gateway/stop-layers.js';
import { stop } from '../gateway/stop.js';
import { databaseNow } from '../store/clock.js';
import { liftedBySignature } from '../test/gateway/ceremony.js';
import { admitted } from '../test/gateway/house.js';
import type { House } from '../test/gateway/house.js';
import { inMeasuredHouse, newPrincipal, roomyPolicy } from './measured-house.js';
import type { SenderSettings } from './stop-sender.js';

/** One stop of everything, from the moment it was asked for. In ms. */
export interface StopTimes {
  /** The stop's transaction had committed. */
  readonly fenced: number;
  /** The last request on the wire had ended with a known outcome, or could do nothing more. */
  readonly drained: number;
  /** Each layer was confirmed; `runtime`: every live run had been refused. */
  readonly confirmed: Readonly<Record<LayerName, number>>;
  /** Requests on the wire when it committed. */
  readonly onTheWire: number;
  /** Sends let through before it, since the stop before. */
  readonly before: number;
  /** Sends let through after its commit and before it was lifted, by the log's own order: must be none. */
  readonly after: number;
  /** What was made at the provider after the commit by anything but what was on the wire: must be none. */
  readonly strangers: readonly string[];
}

interface Measured {
  /** Live runs. */
  readonly runs: number;
  readonly stops: number;
  /** The compiled stop-sender.js. */
  readonly senderFile: string;
}

const PROCESSES = 4;
/** How long the provider takes to answer, so that requests are on the wire. In ms. */
const LATENCY_MS = 50;

/** The same on a database of its own, durable. */
export const measureStopsAlone = (of: Measured): Promise<StopTimes[]> =>
  inMeasuredHouse(LIVE_POLICY, (house) => measureStops(house, of));

/** Nobody is asked, so that the runs go on by themselves. */
export const LIVE_POLICY = roomyPolicy({
  tiers: [{ step: '*', tier: 'autonomous' }],
  terms: [],
  bundleIrreversible: ['register-domain'],
});

/** Stops everything, several times, while senders in several processes take live runs forward; lifts it in between. */
export async function measureStops(house: House, of: Measured): Promise<StopTimes[]> {
  const runs: RunId[] = [];
  for (let i = 0; i < of.runs; i += 1) {
    const principal = await newPrincipal(house, i);
    const domain = { name: `stopped-${i}.club`, years: 1 };
    const runId = await admitted(house, `stopped-${i}`, { goal: 'A site', principal, domain });
    await house.gateway.openGate(runId, 'plan');
    runs.push(runId);
  }
  house.stub.answersAfter(LATENCY_MS);
  const senders = Array.from({ length: PROCESSES }, (_, at) =>
    startSender(of.senderFile, {
      databaseUrl: house.url,
      instance: house.instance,
      origin: house.stub.origin,
      runs: runs.filter((_run, index) => index % PROCESSES === at),
    }),
  );
  try {
    const times: StopTimes[] = [];
    for (let i = 0; i < of.stops; i += 1) {
      times.push(await stopped(house, senders, runs.length / 5));
      await liftedBySignature(house);
    }
    return times;
  } finally {
    await Promise.all(senders.map((sender) => sender.end()));
  }
}

interface SenderProcess {
  /** Takes its runs forward; resolved once each of them was refused. */
  go(): Promise<void>;
  end(): Promise<void>;
}

function startSender(file: string, settings: SenderSettings): SenderProcess {
  const child = spawn(process.execPath, [file, JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // One that has died says so by its silence.
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve();
    });
  });
  return {
    go: async () => {
      child.stdin.write('go\n');
      const { done } = await lines.next();
      if (done === true) throw new Error('a sender ended before it was stopped');
    },
    end: async () => {
      child.stdin.end();
      await closed;
    },
  };
}

async function stopped(
  house: House,
  senders: readonly SenderProcess[],
  enough: number,
): Promise<StopTimes> {
  const { parts, stub } = house;
  const from = await logged(house);
  let obeyedAt: string | undefined;
  let obeyedMs = 0;
  let asked = 0;
  const obeying = Promise.all(senders.map((sender) => sender.go())).then(async () => {
    obeyedMs = performance.now() - asked;
    obeyedAt = (await databaseNow(house.db)).toISOString();
  });
  let broken: Error | undefined;
  obeying.catch((error: unknown) => {
    broken = error instanceof Error ? error : new Error(String(error));
  });
  const lives = (): void => {
    if (broken !== undefined) throw broken;
  };
  while ((await sent(house, from)) < enough) {
    lives();
    await pause(20);
  }
  const made = new Set(stub.things.map(({ id }) => id));
  asked = performance.now();
  const first = await stop(parts, { scope: 'all', reason: 'measured', by: 'p_ada', proven: true });
  const fenced = performance.now() - asked;
  const confirmed: Partial<Record<LayerName, number>> = {};
  for (;;) {
    const record = await parts.door.drained('all');
    const runtime = { at: obeyedAt, runs: senders.length, silent: obeyedAt === undefined ? 1 : 0 };
    const layers = layersOf(await parts.door.layers('all'), record, runtime);
    for (const { layer, confirmedAt } of layers)
      if (confirmedAt !== undefined)
        confirmed[layer] ??= layer === 'runtime' ? obeyedMs : performance.now() - asked;
    if (layers.every(({ confirmedAt }) => confirmedAt !== undefined)) break;
    lives();
    await pause(5);
  }
  await obeying;
  const stopAt = await logged(house, 'stopped');
  // What had settled before the stop, by the log's order, was made before it, however long the stop itself took.
  const wire = await wireOf(house);
  const known = new Set([...wire, ...(await settledBetween(house, from, stopAt))]);
  const strange = stub.things.filter(({ id, marker }) => !made.has(id) && !known.has(marker));
  const record = await parts.door.drained('all');
  return {
    fenced,
    drained: Date.parse(record.drainedAt ?? '') - Date.parse(first.fencedAt) + fenced,
    confirmed: confirmed as Record<LayerName, number>,
    onTheWire: wire.size,
    before: (await sent(house, from)) - (await sent(house, stopAt)),
    after: await sent(house, stopAt),
    strangers: strange.filter(({ marker }) => MARKED.test(marker)).map(({ marker }) => marker),
  };
}

/** A registration bears no marker; its row says the same by the log. */
const MARKED = /\/act$/;

/** The last entry of the log, or the last of a kind. */
async function logged({ db }: House, kind?: string): Promise<number> {
  const last = await db
    .selectFrom('log')
    .select(({ fn }) => fn.max('idx').as('idx'))
    .$if(kind !== undefined, (all) => all.where('kind', '=', kind ?? ''))
    .executeTakeFirst();
  return last?.idx ?? 0;
}

/** Sends let through after an entry of the log. */
async function sent({ db }: House, after: number): Promise<number> {
  const rows = await db
    .selectFrom('log')
    .select('idx')
    .where('kind', 'in', ['authorized', 'claimed'])
    .where('idx', '>', after)
    .execute();
  return rows.length;
}

/** Effects whose outcome came on record between two entries of the log. */
async function settledBetween({ db }: House, from: number, to: number): Promise<string[]> {
  const rows = await db
    .selectFrom('log')
    .innerJoin('log_payloads', 'log_payloads.idx', 'log.idx')
    .select('payload')
    .where('kind', '=', 'settled')
    .where('log.idx', '>', from)
    .where('log.idx', '<', to)
    .execute();
  return rows.map(({ payload }) => (JSON.parse(payload) as { readonly effect: string }).effect);
}

/** The effects that the last stop listed as on the wire. */
async function wireOf({ db }: House): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('stop_wire')
    .select('effect_id')
    .where('stop_id', '=', (of) =>
      of.selectFrom('stops').select(({ fn }) => fn.max('stop_id').as('last')),
    )
    .execute();
  return new Set(rows.map(({ effect_id: id }) => id));
}
