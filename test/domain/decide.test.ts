import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { evaluateRule } from '../../domain/approval-rule.js';
import { acceptDecision, type AcceptFacts, readDecision } from '../../domain/decide.js';
import { gateSchema } from '../../domain/documents.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import type { Policy } from '../../domain/policy/schema.js';
import { ProtocolError, REFUSAL_REASONS } from '../../domain/reasons.js';
import { type KeyRecord, type PersonRecord, registerOf } from '../../domain/register.js';
import { vectors } from './decision-vectors.js';

const file = new URL('../vectors/decisions.json', import.meta.url);
if (process.env['WRITE_VECTORS'] === '1')
  writeFileSync(file, `${JSON.stringify(vectors, null, 1)}\n`);
const read = JSON.parse(readFileSync(file, 'utf8')) as typeof vectors;
const { facts } = read;
const policy = builtInPolicy({ override: facts.policy });
const register = registerOf(facts.persons as PersonRecord[], facts.keys as unknown as KeyRecord[]);

function judge(one: (typeof read.cases)[number], changes: Partial<AcceptFacts> = {}) {
  const named = /"gateId":"([^"]*)"/.exec(one.message)?.[1];
  const gate = facts.gates.find(
    ({ document }) => (document as { gateId?: string }).gateId === named,
  );
  return acceptDecision(one.message, {
    instance: facts.instance,
    gate:
      gate === undefined
        ? undefined
        : {
            document: gateSchema.parse(gate.document),
            digest: gate.digest,
            state: (one.state ?? 'open') as 'open',
          },
    register,
    policy: { ...policy, ...(one as { policy?: Partial<Policy> }).policy },
    roles: facts.roles,
    counted: one.counted ?? [],
    used: one.used === true,
    withdrawnAtMs: one.withdrawnAtMs,
    relyingParty: facts.relyingParty,
    nowMs: one.nowMs ?? facts.nowMs,
    ...changes,
  });
}

describe('the decision vectors', () => {
  test('the file is what its builder builds (WRITE_VECTORS=1 writes it anew)', () => {
    expect(read).toEqual(JSON.parse(JSON.stringify(vectors)));
  });

  test.each(read.cases.map((one) => [one.name, one.expect, one] as const))(
    '%s: %s',
    (_, expected, one) => {
      const verdict = judge(one);
      expect(verdict.accepted ? 'accepted' : verdict.reason).toBe(expected);
    },
  );

  test('a second verifier, in Python, says the same of every case', () => {
    const verify = new URL('../vectors/verify.py', import.meta.url).pathname;
    const said = execFileSync('python3', [verify, file.pathname], { encoding: 'utf8' });
    expect(JSON.parse(said)).toEqual(
      Object.fromEntries(read.cases.map((one) => [one.name, one.expect])),
    );
  });

  test('every reason is met by a case, but those named here', () => {
    const met = new Set(read.cases.map(({ expect: reason }) => reason));
    const missing = REFUSAL_REASONS.filter((reason) => !met.has(reason));
    // An agent holds no person id in these facts; the principal is excluded only where a policy says so: tests below.
    expect(missing).toEqual(['excluded-agent', 'excluded-principal']);
  });
});

describe('accepting', () => {
  const [first] = read.cases;

  test('a value that a data converter has parsed is judged as its bytes are', () => {
    const parsed = JSON.parse(first!.message) as object;
    expect(readDecision(parsed)).toEqual(readDecision(first!.message));
    expect(judge({ ...first!, message: first!.message }).accepted).toBe(true);
  });

  test('the agent is no approver, and the principal only if the policy lets them', () => {
    const roles = { ...facts.roles, agent: 'p_alice' };
    expect(judge(first!, { roles })).toMatchObject({ reason: 'excluded-agent' });
    const principal = { ...facts.roles, principalPerson: 'p_alice' };
    expect(judge(first!, { roles: principal }).accepted).toBe(true);
    expect(
      judge(first!, { roles: principal, policy: { ...policy, excludePrincipal: true } }),
    ).toMatchObject({ reason: 'excluded-principal' });
  });

  test('a new owner of the agent is excluded though the gate does not list them, unless one person governs', () => {
    const roles = { ...facts.roles, owner: 'p_alice' };
    expect(judge(first!, { roles })).toMatchObject({ reason: 'excluded-owner' });
    expect(judge(first!, { roles, policy: { ...policy, solo: true } }).accepted).toBe(true);
  });

  test('whatever arrives is refused by a name, never answered by a crash', () => {
    fc.assert(
      fc.property(fc.anything(), (message) => {
        let reason = 'read';
        try {
          readDecision(message);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          ({ reason } = error);
        }
        expect(REFUSAL_REASONS).toContain(reason);
      }),
    );
  });

  test('one changed character of a good message is never accepted as another decision', () => {
    const text = first!.message;
    fc.assert(
      fc.property(fc.nat({ max: text.length - 1 }), fc.stringMatching(/^[ -~]$/), (at, other) => {
        fc.pre(text[at] !== other);
        const bent = text.slice(0, at) + other + text.slice(at + 1);
        expect(judge({ ...first!, message: bent }).accepted).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a rule', () => {
  const rule = (text: string) => ({
    allOf: text.split(' ').map((part) => {
      const [group = '', count = ''] = part.split(':');
      return { group, count: Number(count) };
    }),
  });
  const approvals = (text: string) =>
    text === ''
      ? []
      : text.split(' ').map((part) => {
          const [person = '', groups = ''] = part.split('=');
          return { person, groups: groups.split(',') };
        });

  test.each([
    ['a:1', '', '1 more of a'],
    ['a:1', 'p=a', ''],
    ['a:1', 'p=b', '1 more of a'],
    ['a:2', 'p=a', '1 more of a'],
    ['a:2', 'p=a p=a', '1 more of a'],
    ['a:2', 'p=a q=a', ''],
    ['a:1 b:1', 'p=a,b', '1 more of b'],
    ['a:1 b:1', 'p=a,b q=a', ''],
    ['a:1 b:1', 'q=a p=a,b', ''],
    ['a:1 b:1', 'p=a,b q=a,b', ''],
    ['a:2 b:1', 'p=a,b q=a,b r=a', ''],
    ['a:2 b:1', 'p=b,a q=b,a r=b', ''],
    ['a:1 b:1 c:1', 'p=a,b,c q=a,b r=a', ''],
    ['a:1 b:1 c:1', 'p=a,b q=a,b r=a,b', '1 more of c'],
  ])('%s with %s misses: %s', (wanted, given, missing) => {
    expect(evaluateRule(rule(wanted), approvals(given))).toEqual({
      satisfied: missing === '',
      missing,
    });
  });

  test('the order of approvals does not matter, and one more never hurts', () => {
    const approval = fc.record({
      person: fc.constantFrom('p', 'q', 'r', 's', 't'),
      groups: fc.subarray(['a', 'b', 'c']),
    });
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            group: fc.constantFrom('a', 'b', 'c'),
            count: fc.integer({ min: 1, max: 3 }),
          }),
          { minLength: 1, maxLength: 3 },
        ),
        fc.uniqueArray(approval, { selector: ({ person }) => person, maxLength: 5 }),
        (allOf, given) => {
          const { satisfied } = evaluateRule({ allOf }, given);
          expect(evaluateRule({ allOf }, [...given].reverse()).satisfied).toBe(satisfied);
          if (satisfied) {
            expect(given.length).toBeGreaterThanOrEqual(
              allOf.reduce((sum, { count }) => sum + count, 0),
            );
            expect(
              evaluateRule({ allOf }, [...given, { person: 'u', groups: ['a'] }]).satisfied,
            ).toBe(true);
          }
        },
      ),
    );
  });
});
