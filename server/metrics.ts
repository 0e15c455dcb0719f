import { anomalyCounts } from '../store/anomalies.js';
import type { Executor } from '../store/connect.js';
import { noticesStanding } from '../store/deliveries.js';
import { openCasesByKind, openGateCount, refusalsByReason, runsByState } from '../store/metrics.js';
import type { Counted } from '../store/metrics.js';

interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly read: (db: Executor) => Promise<readonly Counted[]>;
}

const METRICS: readonly Metric[] = [
  {
    name: 'countersign_runs',
    type: 'gauge',
    help: 'Runs by how they ended, or by how their door stands',
    read: runsByState,
  },
  {
    name: 'countersign_open_gates',
    type: 'gauge',
    help: 'Gates that wait for people',
    read: openGateCount,
  },
  {
    name: 'countersign_open_cases',
    type: 'gauge',
    help: 'Cases that nobody has closed, by kind',
    read: openCasesByKind,
  },
  {
    name: 'countersign_anomalies_total',
    type: 'counter',
    help: 'What was unusual for an agent, by kind and by what followed',
    read: async (db) =>
      (await anomalyCounts(db)).map(({ consequence, count, kind }) => ({
        by: { kind, consequence },
        count,
      })),
  },
  {
    name: 'countersign_notices',
    type: 'gauge',
    help: 'Notices that wait to be sent, and those that were given up',
    read: async (db) => {
      const { failed, waiting } = await noticesStanding(db);
      return [
        { by: { state: 'waiting' }, count: waiting },
        { by: { state: 'failed' }, count: failed },
      ];
    },
  },
  {
    name: 'countersign_refusals_total',
    type: 'counter',
    help: 'What was asked for and not done, by reason',
    read: refusalsByReason,
  },
];

/** How much is going on, in the text format of Prometheus. Reasons and kinds, never a name, an address or an agent's words. */
export async function metricsText(db: Executor): Promise<string> {
  const lines: string[] = [];
  for (const { help, name, read, type } of METRICS) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const { by, count } of await read(db)) lines.push(`${name}${labelsOf(by)} ${count}`);
  }
  return `${lines.join('\n')}\n`;
}

function labelsOf(by: Counted['by']): string {
  const labels = Object.entries(by).map(([name, value]) => `${name}="${escaped(value)}"`);
  return labels.length === 0 ? '' : `{${labels.join(',')}}`;
}

const escaped = (value: string): string =>
  value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
