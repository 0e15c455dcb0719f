// Ratios in one run on one server: the governed saga beside a plain one. Absolute times prove nothing about another machine.
// node bench/bench.mjs [--runs 5] [--many 50] [--effects 200] [--stop 200] [--only effects|stop|sagas]
import { cpus, loadavg, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { Runtime } from '@temporalio/worker';
import { openContext } from '../dist/cli/context.js';
import { eventually, openStage } from '../dist/cli/demo/stage.js';
import { processIo } from '../dist/cli/io.js';
import { compileFolders } from '../scripts/compile-folders.mjs';
import { at, measure, ms, now, Report } from './measure.mjs';
import { memoryOf } from './memory.mjs';
import { plainSide } from './plain-side.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    many: { type: 'string', default: '50' },
    effects: { type: 'string', default: '200' },
    stop: { type: 'string', default: '200' },
    stops: { type: 'string', default: '10' },
    only: { type: 'string' },
  },
});
const RUNS = Number(values.runs);
const MANY = Number(values.many);
const EFFECTS = Number(values.effects);
const RUNS_STOPPED = Number(values.stop);
const STOPS = Number(values.stops);
async function governed(stage, name) {
  const run = { runId: name, domain: `${name}.club` };
  const handle = await stage.start(run);
  await stage.approve(name, 'plan');
  await stage.approve(name, 'register-domain');
  const state = await stage.ended(handle);
  if (state.phase !== 'completed') throw new Error(`${name} ended ${state.phase}: ${state.why}`);
}

/** From the signed approval to the next request that a provider got, in ms of wall time. */
async function approvalToCall(stage, name) {
  const handle = await stage.start({ runId: name, domain: `${name}.club` });
  await stage.card(name, 'plan');
  const before = (await stage.truth()).requests.at(-1)?.seq ?? 0;
  const began = Date.now();
  await stage.approve(name, 'plan');
  await stage.card(name, 'register-domain');
  const truth = await stage.truth();
  const skew = truth.now - Date.now();
  const first = truth.requests.find(({ seq, method }) => seq > before && method !== 'GET');
  await stage.approve(name, 'register-domain');
  await stage.ended(handle);
  return first.at - skew - began;
}

async function signalToActivity(side, name) {
  const handle = await side.start(name, true);
  const began = now();
  await handle.signal('approved');
  await handle.result();
  return side.seen.get(name) - began;
}

/** Compiles what measures the gateway by itself, without a workflow around it. */
const compiled = () =>
  compileFolders([
    ...['activities', 'bench', 'cli', 'client', 'config', 'domain', 'embedded', 'gateway'],
    ...['sandbox', 'store', 'workers', 'workflows'],
    ...['test/gateway', 'test/helpers'],
  ]);

/** One paid effect with and without the gateway, turn by turn. */
async function effectCost(report, folder) {
  const { measureEffects } = await import(pathToFileURL(`${folder}/bench/effect-cost.js`).href);
  const cost = await measureEffects(EFFECTS);
  const added = (than, what) => {
    const more = cost.governed.map((time, i) => time - than[i]);
    report.row(`added to it by ${what}, p50`, ms(at(more, 0.5)));
    report.row(`added to it by ${what}, p99`, ms(at(more, 0.99)));
  };
  report.times(
    'one paid effect against a gateway that judges nothing',
    cost.governed,
    cost.unjudged,
  );
  added(cost.unjudged, 'policy, grant and ledger');
  report.times('one paid effect against the bare package', cost.governed, cost.bare);
  added(cost.bare, 'the whole gateway');
  const door = cost.authorize.map((time, i) => time + cost.settle[i]);
  report.times(
    'authorize and settle against two empty queries',
    door,
    cost.roundTrip.map((time) => 2 * time),
  );
}

/** Everything is stopped while many runs are live and send from several processes, again and again. */
async function stopLive(report, folder) {
  const file = (name) => `${folder}/bench/${name}.js`;
  const { measureStopsAlone } = await import(pathToFileURL(file('stop-live')).href);
  const times = await measureStopsAlone({
    runs: RUNS_STOPPED,
    stops: STOPS,
    senderFile: file('stop-sender'),
  });
  const both = (title, of) => {
    const all = times.map(of);
    report.row(`stop of ${RUNS_STOPPED} live runs, ${title}, p50`, ms(at(all, 0.5)));
    report.row(`stop of ${RUNS_STOPPED} live runs, ${title}, p99`, ms(at(all, 0.99)));
  };
  both('fenced', ({ fenced }) => fenced);
  both('drained', ({ drained }) => drained);
  for (const layer of ['gateway', 'runtime', 'identity', 'payment'])
    both(`${layer} confirmed`, ({ confirmed }) => confirmed[layer]);
  const sum = (of) => String(times.map(of).reduce((all, one) => all + one, 0));
  report.row(
    'requests on the wire at those stops',
    sum(({ onTheWire }) => onTheWire),
  );
  report.row(
    'sends let through before them',
    sum(({ before }) => before),
  );
  report.row(
    'sends let through after one of them',
    sum(({ after }) => after),
  );
  report.row(
    'made after one by what was not on the wire',
    sum(({ strangers }) => strangers.length),
  );
}

/** Stops everything while requests are under way, which the sandbox answers half a second late. */
async function stopUnderWay(stage, report) {
  const names = Array.from({ length: 5 }, (_, i) => `harbour-stopped-${i}`);
  const slow = { provider: 'stripe', method: 'POST', path: '/v1/subscriptions', fault: 'slow' };
  await stage.sandbox.faults('main', [{ ...slow, ms: 500, times: names.length }]);
  await Promise.all(names.map((runId) => stage.start({ runId, domain: `${runId}.club` })));
  for (const name of names) await stage.approve(name, 'plan');
  await eventually('a request under way', async () => {
    const sending = await stage.db
      .selectFrom('effects')
      .select('effect_id')
      .where('step', '=', 'start-subscription')
      .where('state', '=', 'claimed')
      .execute();
    return sending.length > 0 ? sending : undefined;
  });
  const began = Date.now();
  const record = await stage.stopAll('measured');
  const fenced = Date.parse(record.fencedAt);
  report.row('stop of everything, from the command to fenced', ms(fenced - began));
  report.row(
    'from fenced to drained, requests of 500 ms being under way',
    ms(Date.parse(record.drainedAt) - fenced),
  );
}

/** Whole sagas, one after the other and many at once. */
async function sagas(stage, side, report) {
  await governed(stage, 'harbour-warm');
  await (await side.start('warm')).result();
  for (const [count, together] of [
    [RUNS, false],
    [MANY, true],
  ]) {
    const tag = together ? 'many' : 'one';
    const title = together ? `${count} at once` : 'one at a time';
    const ours = await measure(count, together, (i) => governed(stage, `harbour-${tag}-${i}`));
    const plain = await measure(count, together, async (i) =>
      (await side.start(`plain-${tag}-${i}`)).result(),
    );
    const ratio = (plain.perSecond / ours.perSecond).toFixed(1);
    const title1 = `sagas a second, ${title}`;
    report.row(title1, ours.perSecond.toFixed(2), plain.perSecond.toFixed(2), ratio);
    report.times(`saga, ${title}`, ours.times, plain.times);
  }
}

async function approvals(stage, side, report) {
  const calls = [];
  const signals = [];
  for (let i = 0; i < RUNS; i += 1) {
    calls.push(await approvalToCall(stage, `harbour-call-${i}`));
    signals.push(await signalToActivity(side, `plain-call-${i}`));
  }
  report.times('approval to the next change at a provider, against a bare signal', calls, signals);
}

async function wholeSagas(report) {
  const opened = now();
  const stage = await openStage(openContext(processIo(), {}));
  try {
    report.row('start to ready', `${((now() - opened) / 1000).toFixed(1)} s`);
    const counts = { operationsPerRun: 20, openRunsPerAgent: 500, runsPerHour: 1000 };
    await stage.policy({ counts });
    // The real limit, 1,200 requests in 5 minutes, would have fifty sagas at once wait for it, governed or not.
    await stage.sandbox.people('main', { do: 'set-choice', name: 'rate.limit', value: 1_000_000 });
    const side = await plainSide(stage);
    await sagas(stage, side, report);
    await approvals(stage, side, report);
    for (const name of stage.stack.names)
      report.row(`memory of ${name}`, `${memoryOf(stage.stack.pidOf(name))} MiB`);
    await stopUnderWay(stage, report);
    await side.close();
  } finally {
    await stage.close();
  }
}

Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } });
const wanted = (section) => values.only === undefined || values.only === section;
const report = new Report();
const { folder, remove } = await compiled();
try {
  if (wanted('effects')) await effectCost(report, folder);
  if (wanted('stop')) await stopLive(report, folder);
} finally {
  remove();
}
if (wanted('sagas')) await wholeSagas(report);
const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${release()}, node ${process.versions.node}`;
process.stdout.write(`${machine}; load average ${loadavg()[0].toFixed(1)} at the end\n`);
process.stdout.write(
  `${RUNS} one at a time, ${MANY} at once, ${EFFECTS} effects, ${STOPS} stops of ${RUNS_STOPPED} runs\n\n${report}\n`,
);
process.exit(0);
