import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { type KeyRecord, type PersonRecord, registerOf } from '../../domain/register.js';
import { judgeRevocation, readRevocation } from '../../gateway/revoke-key.js';
import { vectors } from './revocation-vectors.js';

const file = new URL('../vectors/revocations.json', import.meta.url);
if (process.env['WRITE_VECTORS'] === '1')
  writeFileSync(file, `${JSON.stringify(vectors, null, 1)}\n`);
const read = JSON.parse(readFileSync(file, 'utf8')) as typeof vectors;
const { facts } = read;
const register = registerOf(facts.persons as PersonRecord[], facts.keys as unknown as KeyRecord[]);

const endOf = ({ revoked, retiredAtMs }: KeyRecord) =>
  revoked ? (retiredAtMs === undefined ? 'compromised' : 'retired') : undefined;

function judged(text: string): string {
  const message = readRevocation(text);
  if (typeof message === 'string') return message;
  const key = register.key(message.revokes);
  const verdict = judgeRevocation(message, {
    instance: facts.instance,
    register,
    policy: builtInPolicy({ override: facts.policy }),
    groups: facts.administrators,
    rootKeys: facts.rootKeys,
    relyingParty: facts.relyingParty,
    nowMs: facts.nowMs,
    key: key === undefined ? undefined : { person: key.person, revokedAs: endOf(key) },
  });
  return verdict.good ? 'accepted' : verdict.reason;
}

test('the file is what its builder builds (WRITE_VECTORS=1 writes it anew)', () => {
  expect(read).toEqual(JSON.parse(JSON.stringify(vectors)));
});

test.each(read.cases.map((one) => [one.name, one.expect, one.message] as const))(
  '%s: %s',
  (_, expected, message) => {
    expect(judged(message)).toBe(expected);
  },
);

test('a second verifier, in Python, says the same of every revocation', () => {
  const verify = new URL('../vectors/verify.py', import.meta.url).pathname;
  const said = execFileSync('python3', [verify, file.pathname], { encoding: 'utf8' });
  expect(JSON.parse(said)).toEqual(
    Object.fromEntries(read.cases.map((one) => [one.name, one.expect])),
  );
});
