import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { explainPolicy } from '../../domain/policy/explain.js';
import { parsePolicy, type Policy } from '../../domain/policy/schema.js';

/** A policy that says something everywhere. */
const full = parsePolicy({
  ...builtInPolicy(),
  owners: ['p_ada'],
  reviewBy: '2027-05-31',
  domains: { ...builtInPolicy().domains, names: ['own.club'] },
  services: [
    ...builtInPolicy().services,
    { service: 'stripe.billing', environments: ['staging'], data: ['public'] },
  ],
  counts: {
    ...builtInPolicy().counts,
    newDomainsPerDay: 3,
    newDomainsPerMonth: 31,
    newAccountsPerDay: 5,
    newAccountsPerMonth: 51,
  },
  unattended: { perDay: '7.00 USD', perMonth: '70.00 USD' },
  tiers: [
    ...builtInPolicy().tiers,
    { step: '*', environment: 'staging', data: ['personal'], tier: 'approve' },
  ],
  approvals: [
    ...builtInPolicy().approvals,
    {
      tier: 'sign-off',
      step: 'register-domain',
      amountAbove: '50.00 USD',
      allOf: [{ group: 'finance', count: 2 }],
    },
  ],
  activation: { allOf: [{ group: 'admins', count: 2 }] },
  lifting: { allOf: [{ group: 'lifters', count: 2 }] },
  keys: { administrators: 'key-admins', delay: '36h', deviceBound: 'several-persons' },
  delegations: [{ environment: 'staging' }, { tier: 'sign-off' }],
  bundleIrreversible: ['register-domain'],
  reminders: { atPercent: 40 },
  escalation: { atPercent: 80, to: ['directors', 'p_cy'], note: 'call the hotline' },
  notices: [
    {
      name: 'ops',
      to: 'https://hooks.example.com/countersign',
      format: 'webhook',
      kinds: ['gate-opened', 'gate-escalated'],
      secret: 'opsKey',
      pathSecret: 'opsPath',
    },
    { name: 'chat', to: 'https://chat.example.com', format: 'slack', kinds: ['*'], secret: 'k' },
  ],
  breakGlass: [
    { person: 'p_dan', maxMinutes: 30, environments: ['staging'], steps: ['deploy-site', '*'] },
  ],
  anomalies: {
    baselineRuns: 4,
    burstRuns: 6,
    burstMinutes: 11,
    spikeFactor: 7,
    denials: 8,
    denialMinutes: 61,
    hastySeconds: 9,
    gate: ['new-provider', 'burst'],
    stop: ['spending-spike'],
  },
  groups: [{ name: 'admins', persons: ['p_ada', 'p_bob'] }],
});

type Path = readonly (string | number)[];

/** Every path to a number, a text or a list of the document. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (Array.isArray(value))
    return [path, ...value.flatMap((item, index) => pathsOf(item, [...path, index]))];
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, member]) => pathsOf(member, [...path, name]));
  return typeof value === 'boolean' || value === 1 ? [] : [path];
}

function changed(value: unknown, path: Path, to: (old: unknown) => unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return to(value);
  if (Array.isArray(value))
    return (value as unknown[]).map((item, index) =>
      index === first ? changed(item, rest, to) : item,
    );
  const members = value as Record<string, unknown>;
  return { ...members, [first]: changed(members[String(first)], rest, to) };
}

const amount = fc
  .tuple(fc.integer({ min: 100_000, max: 999_999 }), fc.integer({ min: 10, max: 99 }))
  .map(([whole, cents]) => `${whole}.${cents} USD`);

test('any amount, number or text that is changed stands in the text as it is now', () => {
  const leaves = pathsOf(full).filter((path) => !Array.isArray(at(full, path)));
  expect(leaves.length).toBeGreaterThan(80);
  fc.assert(
    fc.property(
      fc.constantFrom(...leaves),
      amount,
      fc.integer({ min: 2, max: 9 }),
      (path, money, n) => {
        const old = at(full, path);
        const value =
          typeof old === 'number' ? old + n : / USD$/.test(String(old)) ? money : undefined;
        const candidate = value === undefined ? undefined : changed(full, path, () => value);
        if (candidate === undefined) {
          // A word: it stands in the text, and the text differs once it is another.
          expect(explainPolicy(full)).toContain(old === '*' ? 'every' : String(old));
          return;
        }
        const text = explainPolicy(candidate as Policy);
        expect(text).toContain(String(value));
        expect(text).not.toBe(explainPolicy(full));
      },
    ),
    { numRuns: 1_000 },
  );
});

test('any list that loses a member, or gets one, changes the text', () => {
  const lists = pathsOf(full).filter((path) => Array.isArray(at(full, path)));
  expect(lists.length).toBeGreaterThan(20);
  const before = explainPolicy(full);
  for (const path of lists) {
    const list = at(full, path) as unknown[];
    if (list.length === 0) continue;
    const shorter = changed(full, path, () => list.slice(1)) as Policy;
    expect([path, explainPolicy(shorter) === before]).toEqual([path, false]);
    if (typeof list[0] !== 'string') continue;
    const longer = changed(full, path, () => [...list, 'zzz-new']) as Policy;
    expect(explainPolicy(longer)).toContain('zzz-new');
  }
});

test('each switch changes the text', () => {
  const before = explainPolicy(full);
  const switches: Partial<Policy>[] = [
    { solo: true },
    { excludePrincipal: true },
    { overdue: 'deny-production' },
    { reviewBy: undefined },
    { unattended: undefined },
    { activation: undefined },
    { lifting: undefined },
    { keys: undefined },
    { keys: { deviceBound: 'nowhere' } },
    { termsTier: 'approve' },
    { format: 1, domains: { ...full.domains, goal: 'sign-off' } },
    { domains: { ...full.domains, nearNames: 'sign-off' } },
  ];
  for (const change of switches) expect(explainPolicy({ ...full, ...change })).not.toBe(before);
});

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (here, part) => (here as Record<string | number, unknown>)[part],
    value,
  );
}
