import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { FileRefused } from '../../client/errors.js';
import { parseYamlDocument, YAML_LIMITS } from '../../client/yaml-document.js';
import { parseCanonical } from '../../domain/canonical.js';
import { Failure } from '../../domain/errors.js';
import { ProtocolError } from '../../domain/reasons.js';
import {
  canonicalRequest,
  parseRequest,
  parseRequestFile,
  REQUEST_BYTES_MAX,
} from '../../domain/request.js';
import { ROOT } from '../helpers/build.js';
import {
  CPU_MAX_MS,
  cpuMsOf,
  expectBoth,
  feed,
  type Outcome,
  PATIENCE_MS,
  TEN_MB,
} from './harness.js';
import { flood, mutatedJson, mutatedText, mutatedValue, rawText, soup } from './inputs.js';

/** Requests, as a file and as they travel, against inputs that nobody would write. */

const whole = {
  goal: 'Put the Superseal landing page online',
  principal: 'owner@example.com',
  agent: 'launch-agent',
  build: '1.4.0',
  session: 's-17',
  via: [{ agent: 'planner', session: 'a' }, { agent: 'helper' }],
  environment: 'production',
  data: 'public',
  subscription: { plan: 'starter' },
  hosting: { plan: 'free', account: 'b'.repeat(32) },
  domain: { name: 'superseal.club', years: 2 },
  dns: [
    { type: 'TXT', name: '@', content: 'v=spf1 -all', ttl: 300 },
    { type: 'A', name: 'www', content: '192.0.2.1' },
  ],
  bundle: `sha256:${'a'.repeat(64)}`,
  budget: '60.00 USD',
};
const small = {
  ...{ goal: 'A site', principal: 'pr_acme', agent: 'a1', budget: '1.00 USD' },
  ...{ domain: { name: 'xn--bcher-kva.club' }, bundle: whole.bundle },
};
const files = [
  readFileSync(path.join(ROOT, 'examples/superseal/request.yaml'), 'utf8'),
  stringify(whole),
  JSON.stringify(small),
];

function refusedBy(error: unknown): Outcome {
  if (error instanceof Failure) expect(error.code).toBe('REQUEST_INVALID');
  else if (!(error instanceof FileRefused) && !(error instanceof ProtocolError)) throw error;
  expect(error.message.length).toBeLessThan(1_500);
  return 'refused';
}

/** What is accepted has one form, and that form is the same request. */
function standsFor(value: unknown): void {
  const request = parseRequest(value);
  const text = canonicalRequest(request);
  const again = parseRequest(parseCanonical(text, REQUEST_BYTES_MAX));
  expect(canonicalRequest(again)).toBe(text);
}

function attemptFile(text: string): Outcome {
  try {
    const limits = { ...YAML_LIMITS, bytesMax: REQUEST_BYTES_MAX };
    const file = parseRequestFile(parseYamlDocument(text, 'r.yaml', limits).value);
    if (file.bundle !== undefined) standsFor(file);
    return 'parsed';
  } catch (error) {
    return refusedBy(error);
  }
}

function attemptWire(value: unknown): Outcome {
  try {
    standsFor(typeof value === 'string' ? parseCanonical(value, REQUEST_BYTES_MAX) : value);
    return 'parsed';
  } catch (error) {
    return refusedBy(error);
  }
}

test(
  'a request file is parsed or refused, within 100 ms',
  async () => {
    for (const text of files) expect(attemptFile(text)).toBe('parsed');
    const input = fc.oneof(
      { weight: 5, arbitrary: mutatedText(files) },
      { weight: 4, arbitrary: mutatedJson([whole, small]) },
      { weight: 1, arbitrary: soup },
      { weight: 1, arbitrary: flood },
      { weight: 1, arbitrary: rawText },
    );
    expectBoth(await feed('a request file', input, attemptFile));
  },
  PATIENCE_MS,
);

test(
  'a request as it travels is parsed or refused, within 100 ms',
  async () => {
    const canonical = canonicalRequest(parseRequest(whole));
    expect(attemptWire(canonical)).toBe('parsed');
    const input = fc.oneof(
      { weight: 4, arbitrary: mutatedValue([whole, small]) },
      { weight: 3, arbitrary: mutatedText([canonical]) },
      { weight: 1, arbitrary: mutatedJson([whole, small]) },
      { weight: 1, arbitrary: fc.anything() },
      { weight: 1, arbitrary: soup },
    );
    expectBoth(await feed('a request as it travels', input, attemptWire));
  },
  PATIENCE_MS,
);

test('10 MB of a request are refused unparsed', () => {
  // Whoever parsed them would have said what is wrong within, or nothing at all.
  for (const piece of ['{"goal":"', '[', 'a: 1\n', ' ']) {
    const text = piece.repeat(Math.ceil(TEN_MB / piece.length));
    const took = cpuMsOf(() => {
      expect(() => parseCanonical(text, REQUEST_BYTES_MAX)).toThrow(/^more than 65536 bytes$/);
      const limits = { ...YAML_LIMITS, bytesMax: REQUEST_BYTES_MAX };
      expect(() => parseYamlDocument(text, 'r.yaml', limits)).toThrow(/larger than 65536 bytes/);
    });
    expect(took).toBeLessThanOrEqual(CPU_MAX_MS);
  }
});
