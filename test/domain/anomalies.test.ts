import { expect, test } from '@jest/globals';
import {
  type Act,
  type AgentHistory,
  consequenceOf,
  type FormerRun,
  hastyDecision,
  planAnomalies,
} from '../../domain/anomalies.js';
import {
  ANOMALIES,
  type AnomalyKind,
  anomalyRules,
  USUAL,
} from '../../domain/policy/anomaly-rules.js';

const customer: Act = { step: 'create-customer', provider: 'stripe' };
const subscription: Act = { step: 'start-subscription', provider: 'stripe' };
const dns: Act = { step: 'configure-dns', provider: 'cloudflare' };
const site: Act = { step: 'deploy-site', provider: 'cloudflare' };
const MINUTE = 60_000;

const run = (acts: readonly Act[], over: Partial<FormerRun> = {}): FormerRun => ({
  environment: 'staging',
  acts,
  totalMinor: 1_000,
  ...over,
});
const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);
const history = (over: Partial<AgentHistory> = {}): AgentHistory => ({
  former: times(3, run([customer, subscription])),
  admittedAgoMs: [0],
  refusedAgoMs: [],
  ...over,
});

interface Fixture {
  readonly kind: AnomalyKind;
  readonly hit: () => readonly AnomalyKind[];
  /** As near as can be without being it. */
  readonly miss: () => readonly AnomalyKind[];
}

const seen = (planned: FormerRun, of: Partial<AgentHistory> = {}): AnomalyKind[] =>
  planAnomalies(planned, history(of), USUAL).map(({ kind }) => kind);
const hasty = (afterMs: number): AnomalyKind[] => {
  const anomaly = hastyDecision(afterMs, USUAL);
  return anomaly === undefined ? [] : [anomaly.kind];
};
const usual = run([customer, subscription]);

const FIXTURES: readonly Fixture[] = [
  {
    kind: 'new-provider',
    hit: () => seen(run([customer, dns])),
    miss: () => seen(run([customer, dns]), { former: [...times(2, usual), run([dns])] }),
  },
  {
    kind: 'new-service',
    hit: () => seen(run([site]), { former: times(3, run([dns])) }),
    miss: () => seen(run([site]), { former: [...times(2, run([dns])), run([site])] }),
  },
  {
    kind: 'new-environment',
    hit: () => seen(run(usual.acts, { environment: 'production' })),
    miss: () =>
      seen(run(usual.acts, { environment: 'production' }), {
        former: [...times(2, usual), run(usual.acts, { environment: 'production' })],
      }),
  },
  {
    kind: 'new-order',
    hit: () => seen(run([subscription])),
    miss: () => seen(run([subscription]), { former: [...times(2, usual), run([subscription])] }),
  },
  {
    kind: 'burst',
    hit: () => seen(usual, { admittedAgoMs: times(6, 10 * MINUTE - 1) }),
    miss: () => seen(usual, { admittedAgoMs: [...times(5, 10 * MINUTE - 1), 10 * MINUTE] }),
  },
  {
    kind: 'spending-spike',
    hit: () => seen(run(usual.acts, { totalMinor: 5_001 })),
    miss: () => seen(run(usual.acts, { totalMinor: 5_000 })),
  },
  {
    kind: 'repeated-denials',
    hit: () => seen(usual, { refusedAgoMs: times(3, 60 * MINUTE - 1) }),
    miss: () => seen(usual, { refusedAgoMs: [...times(2, 60 * MINUTE - 1), 60 * MINUTE] }),
  },
  { kind: 'hasty-decision', hit: () => hasty(2_999), miss: () => hasty(3_000) },
];

test.each(FIXTURES)('$kind: one that hits, and one that nearly does', ({ kind, hit, miss }) => {
  expect(hit()).toContain(kind);
  expect(miss()).not.toContain(kind);
});

test('each kind has its fixtures', () => {
  expect(FIXTURES.map(({ kind }) => kind).sort()).toEqual([...ANOMALIES].sort());
});

test('nothing is unusual for an agent that does what it always did, nor for a new one', () => {
  expect(seen(usual)).toEqual([]);
  expect(seen(run([customer, dns]), { former: times(2, usual) })).toEqual([]);
});

test('of what a policy has follow the stricter counts', () => {
  const rules = anomalyRules.parse({ gate: ['burst', 'new-order'], stop: ['burst'] });
  expect(consequenceOf('burst', rules)).toBe('stop');
  expect(consequenceOf('new-order', rules)).toBe('gate');
  expect(consequenceOf('new-service', rules)).toBe('note');
});
