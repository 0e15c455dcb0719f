import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { stringify } from 'yaml';
import { FileRefused } from '../../client/errors.js';
import { parsePolicyFile } from '../../client/policy-file.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { policyJsonSchema } from '../../domain/policy/json-schema.js';

const good = stringify(builtInPolicy());
const SCHEMA = new URL('../../docs/reference/policy.schema.json', import.meta.url);

/** The text of a policy with lines replaced, each by the first that begins with the key. */
function withLines(changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`no ${from} in the text`);
    return text.replace(from, to);
  }, good);
}

function refusalOf(text: string): string {
  try {
    parsePolicyFile(text, 'p.yaml');
  } catch (error) {
    if (error instanceof FileRefused) return error.message;
    throw error;
  }
  return 'accepted';
}

const lineOf = (text: string, piece: string): number =>
  text.slice(0, text.indexOf(piece)).split('\n').length;

test('the built-in policy, written as a file, is read as the very same document', () => {
  expect(parsePolicyFile(good, 'p.yaml').policy).toEqual(builtInPolicy());
});

describe('a fault is named with line and column, what is wrong and what to do', () => {
  test.each<[string, string, string, RegExp]>([
    [
      'an unknown key',
      withLines({ 'currency:': 'curency:' }),
      'curency',
      /unknown key "curency".*Did you mean currency/,
    ],
    [
      'an unknown key inside',
      withLines({ '  tlds:': '  tdls: []\n  tlds:' }),
      'tdls',
      /domains: unknown key "tdls".*Did you mean tlds/,
    ],
    [
      'an unknown key of a rule',
      withLines({ '  - step: create-customer': '  - stop: create-customer' }),
      'stop:',
      /tiers\[0\]: unknown key "stop".*known here: step/,
    ],
    [
      'an amount without cents',
      withLines({ '  run: 100.00 USD': '  run: 100 USD' }),
      '100 USD',
      /caps\.run: .*60\.00 USD/,
    ],
    [
      'an amount as a number',
      withLines({ '  run: 100.00 USD': '  run: 100.00' }),
      '100.00\n',
      /caps\.run: 100 is a number, text is needed/,
    ],
    [
      'another currency',
      withLines({ '  run: 100.00 USD': '  run: 100.00 EUR' }),
      '100.00 EUR',
      /policy's currency USD/,
    ],
    [
      'a step that is none',
      withLines({ '  - step: create-customer': '  - step: make-coffee' }),
      'make-coffee',
      /not one of create-customer/,
    ],
    ['an expiry in words', withLines({ 'expiry: 24h': 'expiry: a day' }), 'a day', /24h/],
    [
      'a day that does not exist',
      `${good}reviewBy: 2027-02-30\n`,
      '2027-02-30',
      /a day that exists/,
    ],
    [
      'a TLD with a dot before it',
      withLines({ '    - club': '    - .club' }),
      '.club',
      /without a dot/,
    ],
    [
      'a person by e-mail',
      withLines({ 'owners: []': 'owners: [ada@example.com]' }),
      'ada@',
      /p_ada/,
    ],
    [
      'a plan twice',
      withLines({ 'name: growth': 'name: starter' }),
      'starter\n      priceId: price_growth',
      /stands in this list already/,
    ],
    ['a key twice', `${good}solo: true\n`, 'solo: true', /stands twice/],
    [
      'an anchor',
      withLines({ 'name: built-in': 'name: &a built-in' }),
      '&a',
      /aliases, anchors and tags/,
    ],
    ['an alias', withLines({ 'name: built-in': 'name: *a' }), '*a', /aliases, anchors and tags/],
    [
      'a tag',
      withLines({ 'name: built-in': 'name: !!str built-in' }),
      '!!str',
      /aliases, anchors and tags/,
    ],
    [
      'a merge key',
      withLines({ 'name: built-in': 'name: built-in\n<<: { solo: true }' }),
      '<<',
      /unknown key "<<"/,
    ],
    ['a directive', `%YAML 1.1\n---\n${good}`, '%YAML', /not accepted/],
    ['a second document', `${good}---\n${good}`, '---', /second document/],
    ['a key that is a list', `${good}? [a]\n: b\n`, '[a]', /a key is not a word/],
    ['no YAML', withLines({ 'currency: USD': 'currency: "USD' }), '', /not valid YAML/],
    ['closed too often', `${good}x: ]\n`, 'x: ]', /closes what was never opened/],
    ['prototype pollution', `${good}__proto__: { solo: true }\n`, '__proto__', /unknown key/],
    [
      'hidden characters',
      withLines({ 'name: built-in': 'name: built\u202ein' }),
      'built\u202e',
      /name: /,
    ],
  ])('%s', (_, text, piece, says) => {
    const message = refusalOf(text);
    expect(message).toMatch(says);
    const [, line] = /^p\.yaml:(\d+):\d+: /.exec(message) ?? [];
    if (piece !== '') expect(Number(line)).toBe(lineOf(text, piece));
    expect(message.endsWith('.')).toBe(true);
  });

  test('a member that is missing is looked for where it should stand', () => {
    expect(refusalOf(withLines({ '  run: 100.00 USD\n': '' }))).toMatch(
      /^p\.yaml:\d+:\d+: caps\.run: is missing\. Add it/,
    );
  });

  test.each(['', '# nothing\n', 'a', '- a\n', '[]', 'null', '1', '{}'])(
    '%j is no policy',
    (text) => {
      expect(refusalOf(text)).toMatch(/^p\.yaml:1:1: /);
    },
  );

  test('what is too large, too deep or too much is refused before it is parsed', () => {
    expect(refusalOf('#'.repeat(10 * 1024 * 1024))).toMatch(/larger than 262144 bytes/);
    expect(refusalOf(`a: ${'['.repeat(5_000)}`)).toMatch(/nested deeper than 20/);
    expect(refusalOf('"'.repeat(8_000))).toMatch(/not valid YAML/);
    expect(refusalOf(': '.repeat(1_000))).toMatch(/not valid YAML/);
    expect(refusalOf(`a: [${','.repeat(1_000)}]`)).toMatch(/not valid YAML/);
    expect(refusalOf('- '.repeat(1_000))).toMatch(/nested deeper than 20/);
    expect(refusalOf('- 1\n'.repeat(50_000))).toMatch(/more than 6000 words/);
    expect(refusalOf(`a: "${'\\x41'.repeat(500)}"`)).toMatch(/escapes/);
    expect(refusalOf(`a: ${'x'.repeat(5_000)}`)).toMatch(/more than 4000 characters/);
  });
});

test('the published JSON Schema is the one of the code, and agrees with the parser', () => {
  const made = `${JSON.stringify(policyJsonSchema(), null, 2)}\n`;
  if (process.env['WRITE_DOCS'] === '1') writeFileSync(SCHEMA, made);
  expect(JSON.parse(readFileSync(SCHEMA, 'utf8'))).toEqual(policyJsonSchema());
  const validate = new Ajv2020({ strictTypes: false }).compile(policyJsonSchema());
  const document = builtInPolicy();
  expect(validate(document)).toBe(true);
  expect(validate({ ...document, extra: 1 })).toBe(false);
  expect(validate({ ...document, expiry: 'a day' })).toBe(false);
  expect(validate({ ...document, caps: { ...document.caps, run: '1 USD' } })).toBe(false);
});
