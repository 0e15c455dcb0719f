import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { FileRefused } from '../../client/errors.js';
import { parsePolicyFile } from '../../client/policy-file.js';
import { canonicalize, parseCanonical } from '../../domain/canonical.js';
import { closestOf } from '../../domain/edit-distance.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { parsePolicy, POLICY_BYTES_MAX, policyDigestOf } from '../../domain/policy/schema.js';
import {
  CPU_MAX_MS,
  cpuMsOf,
  expectBoth,
  feed,
  type Outcome,
  PATIENCE_MS,
  TEN_MB,
} from '../fuzz/harness.js';
import { flood, mutatedText, rawText, soup } from '../fuzz/inputs.js';
import { ROOT } from '../helpers/build.js';

/** The parser of policies against inputs that nobody would write: it refuses or parses, never crashes, never stalls. */
const texts = [
  stringify(builtInPolicy()),
  ...['one-person', 'startup', 'enterprise'].map((name) =>
    readFileSync(path.join(ROOT, `examples/policies/${name}.policy.yaml`), 'utf8'),
  ),
];

const mutated = mutatedText(texts);
const values = fc.anything({ withNullPrototype: false }).map((value) => {
  try {
    return JSON.stringify({ ...builtInPolicy(), name: value });
  } catch {
    return '[]';
  }
});
const input = fc.oneof(
  { weight: 6, arbitrary: mutated },
  { weight: 2, arbitrary: soup },
  { weight: 1, arbitrary: flood },
  { weight: 1, arbitrary: values },
  { weight: 1, arbitrary: rawText },
);

/** Parses or refuses; anything else is thrown on. */
function attempt(text: string): Outcome {
  try {
    const { policy } = parsePolicyFile(text, 'p.yaml');
    // What is accepted has a digest, within the subset that can be signed, and is the same when it is read again.
    const again = parsePolicy(parseCanonical(canonicalize(policy), POLICY_BYTES_MAX));
    expect(policyDigestOf(again)).toBe(policyDigestOf(policy));
    return 'parsed';
  } catch (error) {
    if (!(error instanceof FileRefused)) throw error;
    expect(error.message).toMatch(/^p\.yaml(:\d+:\d+)?: .{3,}\.$/su);
    expect(error.message.length).toBeLessThan(1_000);
    return 'refused';
  }
}

test(
  'whatever is fed to the parser is parsed or refused, within 100 ms',
  async () => {
    for (const text of texts) expect(attempt(text)).toBe('parsed');
    expectBoth(await feed('a policy file', input, attempt));
  },
  PATIENCE_MS,
);

test('a key of a thousand letters is compared with no other', () => {
  const took = cpuMsOf(() => {
    for (let round = 0; round < 100; round += 1) closestOf('#'.repeat(1_000), ['format', 'name']);
  });
  expect(took).toBeLessThanOrEqual(CPU_MAX_MS);
});

test('10 MB are refused without being parsed', () => {
  for (const piece of ['a: 1\n', '[', '- ', '"', '#', '\\', '\u{1f600}', '&a ']) {
    const text = piece.repeat(Math.ceil(TEN_MB / piece.length));
    const took = cpuMsOf(() => {
      expect(attempt(text)).toBe('refused');
    });
    expect(took).toBeLessThanOrEqual(CPU_MAX_MS);
  }
});
