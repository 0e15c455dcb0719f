import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { FileRefused } from '../../client/errors.js';
import { parsePolicyFile } from '../../client/policy-file.js';
import { closestOf } from '../../domain/edit-distance.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import { ROOT } from '../helpers/build.js';

/**
 * The parser of policies against inputs that nobody would write: it refuses or parses, never crashes, never stalls.
 * COUNTERSIGN_FUZZ=100000 plays more of them.
 */
const RUNS = Number(process.env['COUNTERSIGN_FUZZ'] ?? 5_000);
/** Of one processor, in one of three tries: a machine that is busy with something else is no stall of ours. */
const CPU_MAX_MS = 100;

const texts = [
  stringify(builtInPolicy()),
  ...['one-person', 'startup', 'enterprise'].map((name) =>
    readFileSync(path.join(ROOT, `examples/policies/${name}.policy.yaml`), 'utf8'),
  ),
];

const NASTY = (
  '&a *a !!str !a %YAML --- ... ? : - [ ] { } , # | > |2- " \' \\ \\u0000 \\x \t << null ~ .inf .nan -0 0x10 1e999 ' +
  '9007199254740993 __proto__ constructor toString \u0000 \u0001 \u001f \u0085 \u2028 \u202e \ufeff \ud800 \u{1f600} ' +
  '- - - [[[[ {{{{ ]]]] }}}} "" \'\' :: ?? && ** !! %% \r \r\n @ ` = 1:2 2001-01-01 yes no on off'
).split(' ');
const nasty = fc.constantFrom(...NASTY, ' ', '\n', '\n  ', '\n    - ');

type Edit = (text: string) => string;
const place = fc.double({ min: 0, max: 1, noNaN: true });
const cut = (text: string, at: number): [string, string] => {
  const index = Math.floor(at * text.length);
  return [text.slice(0, index), text.slice(index)];
};
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(place, nasty).map(
    ([at, piece]): Edit =>
      (text) =>
        cut(text, at).join(piece),
  ),
  fc.tuple(place, fc.string({ unit: 'binary', maxLength: 20 })).map(
    ([at, piece]): Edit =>
      (text) =>
        cut(text, at).join(piece),
  ),
  fc.tuple(place, fc.nat(200)).map(([at, length]): Edit => (text) => {
    const [before, after] = cut(text, at);
    return before + after.slice(length);
  }),
  fc.tuple(place, place, fc.nat(400)).map(([from, to, length]): Edit => (text) => {
    const piece = cut(text, from)[1].slice(0, length);
    return cut(text, to).join(piece);
  }),
  fc.tuple(place, nasty, fc.nat(3_000)).map(
    ([at, piece, times]): Edit =>
      (text) =>
        cut(text, at).join(piece.repeat(times)),
  ),
);
const mutated = fc
  .tuple(fc.constantFrom(...texts), fc.array(edit, { minLength: 1, maxLength: 4 }))
  .map(([text, edits]) => edits.reduce((now, change) => change(now), text));
const soup = fc.array(nasty, { maxLength: 400 }).map((pieces) => pieces.join(''));
const flood = fc
  .tuple(fc.array(nasty, { minLength: 1, maxLength: 3 }), fc.nat(90_000))
  .map(([pieces, times]) => pieces.join('').repeat(times).slice(0, 300_000));
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
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) },
);

/** Parses or refuses; anything else is thrown on. */
function attempt(text: string): 'parsed' | 'refused' {
  try {
    const { policy } = parsePolicyFile(text, 'p.yaml');
    // What is accepted has a digest: it is within the subset that can be signed.
    expect(policyDigestOf(policy)).toMatch(/^sha256:/);
    return 'parsed';
  } catch (error) {
    if (!(error instanceof FileRefused)) throw error;
    expect(error.message).toMatch(/^p\.yaml(:\d+:\d+)?: .{3,}\.$/su);
    expect(error.message.length).toBeLessThan(1_000);
    return 'refused';
  }
}

function cpuMsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

test(
  'whatever is fed to the parser is parsed or refused, within 100 ms',
  () => {
    for (const text of texts) expect(attempt(text)).toBe('parsed');
    const seen = { parsed: 0, refused: 0 };
    let slowest = 0;
    fc.assert(
      fc.property(input, (text) => {
        let took = Number.POSITIVE_INFINITY;
        for (let left = 3; left > 0 && took > CPU_MAX_MS; left -= 1)
          took = Math.min(
            took,
            cpuMsOf(() => {
              seen[attempt(text)] += 1;
            }),
          );
        slowest = Math.max(slowest, took);
        expect(took).toBeLessThanOrEqual(CPU_MAX_MS);
      }),
      { numRuns: RUNS },
    );
    // A fuzz that is always refused at the door has tested the door alone.
    expect(seen.parsed).toBeGreaterThan(RUNS / 100);
    expect(seen.refused).toBeGreaterThan(RUNS / 4);
    expect(slowest).toBeGreaterThan(0);
  },
  Math.max(120_000, RUNS * 60),
);

test('a key of a thousand letters is compared with no other', () => {
  const took = cpuMsOf(() => {
    for (let round = 0; round < 100; round += 1) closestOf('#'.repeat(1_000), ['format', 'name']);
  });
  expect(took).toBeLessThanOrEqual(CPU_MAX_MS);
});

test('10 MB are refused without being parsed', () => {
  for (const piece of ['a: 1\n', '[', '- ', '"', '#', '\\', '\u{1f600}', '&a ']) {
    const text = piece.repeat(Math.ceil((10 * 1024 * 1024) / piece.length));
    const took = cpuMsOf(() => {
      expect(attempt(text)).toBe('refused');
    });
    expect(took).toBeLessThanOrEqual(CPU_MAX_MS);
  }
});
