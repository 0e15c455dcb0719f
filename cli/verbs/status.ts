import { stat } from 'node:fs/promises';
import type { TemporalHealth } from '../../client/health.js';
import { readSecrets } from '../../config/secrets.js';
import { openBreakers } from '../../store/calls.js';
import { verifyLog } from '../../store/log.js';
import { listStops, readCounts, type Counts } from '../../store/overview.js';
import { countPauses } from '../../store/pauses.js';
import type { Row } from '../../store/schema.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { credentialFileChecks, productionChecks, tokenChecks } from '../doctor-credentials.js';
import type { Check } from '../doctor-credentials.js';
import { policyLine, policyState, type PolicyState } from '../policy-state.js';
import { EXIT, explain, type ExitCode } from '../explain.js';
import { duration, fields, pad, wrap } from '../style.js';
import { TEMPORAL_VERBS } from '../temporal-verbs.js';

/** `status` says how things stand; `doctor` checks everything a run leans on and names the remedy. */
export const registerStatus: Register = (verbs) => {
  verbs.add('status', TEMPORAL_VERBS.status, 'countersign status').action(verbs.run(status));
  verbs
    .add('doctor', TEMPORAL_VERBS.doctor, 'countersign doctor --production')
    .option('--production', 'also what production asks for')
    .action(verbs.run(doctor));
};

type Answer<T> = { readonly value: T } | { readonly fault: string };

async function asked<T>(ask: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { fault: explain(error).message };
  }
}

async function status(context: Context): Promise<ExitCode> {
  const { style, config } = context;
  const database = await asked(async () => {
    const db = await context.database();
    return {
      ...(await readCounts(db)),
      stops: await listStops(db),
      breakers: await openBreakers(db),
      pauses: await countPauses(db),
      policy: await policyState(context),
    };
  });
  const instance = await asked(() => context.instance());
  const temporal = await asked(async () => (await context.client()).health());
  const urls = await asked(() => Promise.resolve(context.endpoints()));
  const embedded = 'value' in urls ? urls.value : undefined;
  const answer = {
    mode: config.mode,
    providers: config.providers,
    dataDir: config.dataDir,
    instance: 'value' in instance ? instance.value : null,
    database,
    temporal,
    urls:
      embedded === undefined
        ? null
        : { temporalUi: embedded.temporalUi, sandbox: embedded.sandbox },
  };
  const down = (fault: string): string => style.bad(`down: ${fault}`);
  context.print(answer, [
    ...fields(style, [
      ['mode', `${config.mode}, providers: ${config.providers}`],
      ['data', config.dataDir],
      ['instance', 'value' in instance ? instance.value : style.dim('unknown')],
      ['database', 'value' in database ? style.good('answers') : down(database.fault)],
      [
        'Temporal',
        'value' in temporal ? temporalLine(context, temporal.value) : down(temporal.fault),
      ],
      ...(embedded?.temporalUi === undefined
        ? []
        : [['Temporal UI', embedded.temporalUi] as const]),
      ...(embedded?.sandbox === undefined
        ? []
        : ([
            ['sandbox', embedded.sandbox.apiUrl],
            ['edge', embedded.sandbox.edgeUrl],
            ['issuer', embedded.sandbox.issuerUrl],
          ] as const)),
    ]),
    ...('value' in database ? ['', ...countLines(context, database.value)] : []),
  ]);
  return 'fault' in database || 'fault' in temporal ? EXIT.unreachable : EXIT.done;
}

function temporalLine({ style }: Context, health: TemporalHealth): string {
  const { workflows, actions, compensations } = health.pollers;
  const counts = `workers: ${workflows} for workflows, ${actions} for actions, ${compensations} for compensations`;
  return `${style.good('answers')} (${health.serverVersion}); ${counts}`;
}

function countLines(
  { style }: Context,
  counts: Counts & {
    readonly stops: readonly Row<'stops'>[];
    readonly breakers: readonly Row<'breakers'>[];
    readonly pauses: { readonly paused: number; readonly moving: number };
    readonly policy: PolicyState;
  },
): readonly string[] {
  return [
    ...fields(style, [
      ['runs', `${counts.openRuns} open`],
      ['gates', `${counts.openGates} open`],
      ['cases', counts.openCases === 0 ? 'none' : style.warn(`${counts.openCases} open`)],
      [
        'policy',
        counts.policy.fault === undefined
          ? policyLine(counts.policy)
          : style.bad(policyLine(counts.policy)),
      ],
      ...(counts.advancedMs === 0
        ? []
        : [['clock', style.warn(`moved ahead by ${duration(counts.advancedMs)}`)] as const]),
    ]),
    ...counts.stops.map((stop) =>
      style.bad(`stopped: ${stop.scope} since ${stop.fenced_at.toISOString()}: ${stop.reason}`),
    ),
    ...(counts.pauses.paused + counts.pauses.moving === 0
      ? []
      : [
          style.warn(
            `subscriptions: ${counts.pauses.paused} paused by a stop, ${counts.pauses.moving} on the way`,
          ),
        ]),
    ...counts.breakers.map(({ provider, opened_at: since, probe_at: next }) =>
      style.bad(
        `${provider} does not answer since ${since?.toISOString() ?? ''}: runs wait; tried again at ${next?.toISOString() ?? ''}`,
      ),
    ),
  ];
}

async function doctor(
  context: Context,
  options: { readonly production?: boolean },
): Promise<ExitCode> {
  const checks = [
    nodeVersion(),
    await dataFolder(context),
    ...(await databaseChecks(context)),
    ...(await temporalChecks(context)),
    ...credentialFileChecks(context.config),
    ...(await credentialChecks(context, options.production === true)),
  ];
  const { style } = context;
  const healthy = checks.every(({ ok }) => ok);
  context.print({ healthy, checks }, [
    ...checks.flatMap(({ name, ok, says }) =>
      wrap(says, style.columns - 24).map((line, i) =>
        i === 0
          ? `${ok ? style.good('✓') : style.bad('✗')} ${pad(name, 20)} ${line}`
          : `${' '.repeat(23)}${line}`,
      ),
    ),
    '',
    healthy
      ? style.good('All is well.')
      : style.bad('Something needs mending: see the lines with ✗.'),
  ]);
  return healthy ? EXIT.done : EXIT.otherwise;
}

async function credentialChecks(context: Context, production: boolean): Promise<readonly Check[]> {
  const opened = await asked(() => context.database());
  const db = 'value' in opened ? opened.value : undefined;
  return [
    ...(db === undefined ? [] : await tokenChecks(db)),
    ...(production ? await productionChecks(context.config, db) : []),
  ];
}

const passed = (name: string, says: string): Check => ({ name, ok: true, says });
const failed = (name: string, says: string): Check => ({ name, ok: false, says });

function nodeVersion(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fine = major > 20 || (major === 20 && minor >= 19);
  return fine
    ? passed('node', process.versions.node)
    : failed('node', `${process.versions.node} is too old: install node 20.19 or later`);
}

async function dataFolder(context: Context): Promise<Check> {
  const { dataDir } = context.config;
  try {
    const { mode } = await stat(dataDir);
    return (mode & 0o077) === 0
      ? passed('data folder', dataDir)
      : failed('data folder', `others may enter ${dataDir}: run chmod 700 on it`);
  } catch {
    return context.config.databaseUrl === undefined
      ? failed('data folder', `${dataDir} does not exist: start a stack with countersign up`)
      : passed('data folder', 'none; the database is given by COUNTERSIGN_DATABASE_URL');
  }
}

const CLOCKS_APART_MS = 2_000;

async function databaseChecks(context: Context): Promise<Check[]> {
  const opened = await asked(() => context.database());
  if ('fault' in opened) return [failed('database', opened.fault)];
  const db = opened.value;
  const before = Date.now();
  const counts = await readCounts(db);
  const apart = Math.abs(counts.now.getTime() - counts.advancedMs - (before + Date.now()) / 2);
  const policy = await policyState(context);
  const log = await verifyLog(db);
  return [
    passed('database', 'answers, and its schema is there'),
    apart <= CLOCKS_APART_MS
      ? passed('clocks', `this machine and the database differ by ${Math.round(apart)} ms`)
      : failed('clocks', `the database differs by ${duration(apart)}: set both by NTP`),
    policy.fault === undefined && policy.overdue === undefined
      ? passed('policy', policyLine(policy))
      : failed('policy', policyLine(policy)),
    counts.persons > 0
      ? passed('people', `${counts.persons} enrolled`)
      : failed('people', 'nobody can approve: countersign keys new FILE, then keys enrol FILE'),
    'entries' in log
      ? passed('log', `${log.entries} entries, the chain holds`)
      : failed('log', `the chain is broken at entry ${log.brokenAt}: stop everything and look`),
    counts.openCases === 0
      ? passed('cases', 'none open')
      : failed('cases', `${counts.openCases} open: countersign cases`),
  ];
}

async function temporalChecks(context: Context): Promise<Check[]> {
  const health = await asked(async () => (await context.client()).health());
  if ('fault' in health) return [failed('Temporal', health.fault)];
  const { serverVersion, missingAttributes, pollers } = health.value;
  const idle = Object.entries(pollers).flatMap(([role, count]) => (count === 0 ? [role] : []));
  const serviceKey = await asked(() =>
    Promise.resolve(readSecrets(context.config.dataDir).serviceKey),
  );
  return [
    passed('Temporal', `answers, server ${serverVersion}`),
    missingAttributes.length === 0
      ? passed('search attributes', 'all registered')
      : failed(
          'search attributes',
          `missing: ${missingAttributes.join(', ')}. Register each with: temporal operator search-attribute create --name NAME --type TYPE`,
        ),
    idle.length === 0
      ? passed('workers', 'every queue is polled')
      : failed(
          'workers',
          `nobody polls for ${idle.join(', ')}: countersign worker --role ${idle[0] ?? 'all'}`,
        ),
    'value' in serviceKey
      ? passed('service key', 'present')
      : context.config.databaseUrl === undefined
        ? failed('service key', serviceKey.fault)
        : passed('service key', 'none in a data folder; pass --service-key to provision'),
  ];
}
