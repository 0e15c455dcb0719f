// Ratios in one run on one server: the governed saga beside a plain one. Absolute times prove nothing about another machine.
// node bench/bench.mjs [--runs 5] [--many 50]
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import Cloudflare from 'cloudflare';
import Stripe from 'stripe';
import { openContext } from '../dist/cli/context.js';
import { openStage } from '../dist/cli/demo/stage.js';
import { processIo } from '../dist/cli/io.js';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '5' }, many: { type: 'string', default: '50' } },
});
const RUNS = Number(values.runs);
const MANY = Number(values.many);
const now = () => performance.now();
const at = (times, share) =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))];
const ms = (value) => `${Math.round(value)} ms`;

/** Runs `count` sagas, all at once or one after the other; answers what each took and all together, in ms. */
async function measure(count, together, one) {
  const began = now();
  const timed = async (i) => {
    const start = now();
    await one(i);
    return now() - start;
  };
  const times = [];
  if (together)
    times.push(...(await Promise.all(Array.from({ length: count }, (_, i) => timed(i)))));
  else for (let i = 0; i < count; i += 1) times.push(await timed(i));
  return { times, perSecond: count / ((now() - began) / 1000) };
}

/** Memory of a process and of all that it started, in MiB; Linux only. */
function memoryOf(pid) {
  const parents = new Map();
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
      parents.set(Number(id), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const family = new Set([pid]);
  for (let grew = true; grew;) {
    const before = family.size;
    for (const [id, parent] of parents) if (family.has(parent)) family.add(id);
    grew = family.size > before;
  }
  let kib = 0;
  for (const id of family) {
    try {
      // Pss: what several processes share is counted once.
      kib += Number(
        /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'))?.[1] ?? 0,
      );
    } catch {
      // As above.
    }
  }
  return Math.round(kib / 1024);
}

async function plainSide(stage) {
  const { endpoints } = stage.stack;
  const credentials = await stage.sandbox.credentials('main');
  const origin = new URL(endpoints.sandbox.apiUrl);
  const stripe = new Stripe(credentials.stripe.actions, {
    host: origin.hostname,
    port: Number(origin.port),
    protocol: 'http',
  });
  const cloudflare = new Cloudflare({
    apiToken: credentials.cloudflare.actions,
    baseURL: `${endpoints.sandbox.apiUrl}/client/v4`,
  });
  const seen = new Map();
  const activities = {
    makeCustomer: async (name) => {
      seen.set(name, now());
      return (await stripe.customers.create({ email: `${name}@example.com` })).id;
    },
    makeSubscription: async (customer) => {
      await stripe.subscriptions.create({ customer, items: [{ price: 'price_starter_monthly' }] });
    },
    makeAccount: async (name) =>
      (await cloudflare.accounts.create({ name, standalone: true, 'Idempotency-Key': name })).id,
    makeDomain: async ({ account, name }) => {
      await stage.sandbox.people('main', { do: 'add-billing', account });
      await cloudflare.registrar.registrations.create({
        account_id: account,
        domain_name: `${name}.club`,
      });
    },
  };
  const connection = await NativeConnection.connect({ address: endpoints.temporalAddress });
  const worker = await Worker.create({
    connection,
    namespace: endpoints.namespace,
    taskQueue: 'plain',
    workflowsPath: fileURLToPath(new URL('./plain-workflow.mjs', import.meta.url)),
    activities,
  });
  const running = worker.run();
  const client = new Client({
    connection: await Connection.connect({ address: endpoints.temporalAddress }),
    namespace: endpoints.namespace,
  });
  const start = (name, waits = false) =>
    client.workflow.start('plain', {
      taskQueue: 'plain',
      workflowId: `plain/${name}`,
      args: [{ name, waits }],
    });
  const close = async () => {
    worker.shutdown();
    await running;
    await client.connection.close();
    await connection.close();
  };
  return { start, seen, close };
}

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

Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } });
const opened = now();
const stage = await openStage(openContext(processIo(), {}));
const ready = now() - opened;
const rows = [];
const row = (what, ours, plain, ratio) => rows.push([what, ours, plain, ratio]);
try {
  await stage.policy({
    counts: { operationsPerRun: 20, openRunsPerAgent: 500, runsPerHour: 1000 },
  });
  const side = await plainSide(stage);
  await governed(stage, 'harbour-warm');
  await (await side.start('warm')).result();
  for (const [count, together] of [
    [RUNS, false],
    [MANY, true],
  ]) {
    const tag = together ? 'many' : 'one';
    const title = together ? `${count} at once` : 'one at a time';
    const a = await measure(count, together, (i) => governed(stage, `harbour-${tag}-${i}`));
    const b = await measure(count, together, async (i) =>
      (await side.start(`plain-${tag}-${i}`)).result(),
    );
    row(
      `sagas a second, ${title}`,
      a.perSecond.toFixed(2),
      b.perSecond.toFixed(2),
      (b.perSecond / a.perSecond).toFixed(1),
    );
    for (const [name, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ]) {
      const [ours, plain] = [at(a.times, share), at(b.times, share)];
      row(`${name}, ${title}`, ms(ours), ms(plain), (ours / plain).toFixed(1));
    }
  }
  const calls = [];
  const signals = [];
  for (let i = 0; i < RUNS; i += 1) {
    calls.push(await approvalToCall(stage, `harbour-call-${i}`));
    signals.push(await signalToActivity(side, `plain-call-${i}`));
  }
  const [call, signal] = [at(calls, 0.5), at(signals, 0.5)];
  row(
    'approval to the next change at a provider, p50',
    ms(call),
    `${ms(signal)} (bare signal to activity)`,
    (call / signal).toFixed(1),
  );
  await stage.start({ runId: 'harbour-stopped', domain: 'harbour-stopped.club' });
  await stage.approve('harbour-stopped', 'plan');
  const stopping = now();
  const record = await stage.stopAll('measured');
  row('stop of everything to drained', ms(now() - stopping), '', '');
  row(
    'of it, fenced to drained by the database',
    ms(Date.parse(record.drainedAt) - Date.parse(record.fencedAt)),
    '',
    '',
  );
  row('start to ready', `${(ready / 1000).toFixed(1)} s`, '', '');
  for (const name of stage.stack.names)
    row(`memory of ${name}`, `${memoryOf(stage.stack.pidOf(name))} MiB`, '', '');
  await side.close();
} finally {
  await stage.close();
}
const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${release()}, node ${process.versions.node}`;
process.stdout.write(
  [
    `${machine}; ${RUNS} one at a time, ${MANY} at once`,
    '',
    '| what | governed | plain | ratio |',
    '|---|---|---|---|',
  ]
    .concat(rows.map((cells) => `| ${cells.join(' | ')} |`))
    .join('\n') + '\n',
);
process.exit(0);
