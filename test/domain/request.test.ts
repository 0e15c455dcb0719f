import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { parseCanonical } from '../../domain/canonical.js';
import { Failure } from '../../domain/errors.js';
import {
  canonicalRequest,
  parseRequest,
  parseRequestFile,
  requestDigestOf,
  requestJsonSchema,
  requestOfFile,
  REQUEST_BYTES_MAX,
} from '../../domain/request.js';

const bundle = `sha256:${'a'.repeat(64)}`;
const good = {
  goal: 'Put the Superseal landing page online',
  principal: 'owner@example.com',
  agent: 'launch-agent',
  environment: 'production',
  subscription: { plan: 'starter' },
  hosting: { plan: 'free' },
  domain: { name: 'superseal.club', years: 1 },
  dns: [],
  bundle,
  budget: '60.00 USD',
};

function refusalOf(value: unknown): string {
  try {
    parseRequest(value);
  } catch (error) {
    if (error instanceof Failure && error.code === 'REQUEST_INVALID') return error.message;
    throw error;
  }
  return 'accepted';
}

describe('a request', () => {
  test('is read as it stands, and its canonical form parses to the same request', () => {
    const request = parseRequest(good);
    expect(request).toEqual(good);
    const text = canonicalRequest(request);
    expect(parseRequest(parseCanonical(text, REQUEST_BYTES_MAX))).toEqual(request);
  });

  test('says with and without its defaults the same thing, by one digest', () => {
    const terse = {
      ...good,
      hosting: undefined,
      dns: undefined,
      domain: { name: 'SUPERSEAL.club' },
    };
    expect(requestDigestOf(parseRequest(terse))).toBe(requestDigestOf(parseRequest(good)));
  });

  test('one changed cent is another request', () => {
    expect(requestDigestOf(parseRequest({ ...good, budget: '60.01 USD' }))).not.toBe(
      requestDigestOf(parseRequest(good)),
    );
  });

  test('may name an account to link and records within the domain', () => {
    const request = parseRequest({
      ...good,
      hosting: { plan: 'free', account: '0'.repeat(32) },
      dns: [
        { type: 'TXT', name: '@', content: 'v=spf1 -all' },
        { type: 'A', name: 'api', content: '192.0.2.1', ttl: 300 },
        { type: 'AAAA', name: 'api.superseal.club', content: '2001:db8::1' },
        { type: 'CNAME', name: '_x.mail', content: 'mail.example.com' },
      ],
    });
    expect(request.dns).toHaveLength(4);
  });

  test.each([
    ['an unknown member', { ...good, goals: 'x' }, /"goals".*did you mean goal/],
    [
      'an unknown inner member',
      { ...good, domain: { name: 'a.club', tld: 'x' } },
      /domain: unknown/,
    ],
    ['a folder on the wire', { ...good, site: './site' }, /unknown member "site"/],
    ['no goal', { ...good, goal: undefined }, /^goal: is missing/],
    ['an empty goal', { ...good, goal: '  ' }, /goal.*say in words/],
    ['a goal of 501 characters', { ...good, goal: 'x'.repeat(501) }, /goal.*500 characters/],
    ['a goal of 11 lines', { ...good, goal: Array(11).fill('x').join('\n') }, /goal.*10 lines/],
    ['an escape sequence', { ...good, goal: 'a\u001b[2Jb' }, /goal.*U\+001B/],
    ['a bidirectional override', { ...good, goal: 'a\u202Eb' }, /goal.*U\+202E/],
    ['a zero-width space', { ...good, goal: 'a\u200Bb' }, /goal.*U\+200B/],
    ['a tag character', { ...good, goal: 'a\u{E0041}b' }, /goal.*U\+E0041/],
    ['decomposed text', { ...good, goal: 'Zu\u0308rich' }, /goal.*normal form C/],
    ['a number for the goal', { ...good, goal: 1 }, /goal: 1 is a number, text is needed/],
    ['a bad e-mail address', { ...good, principal: 'owner' }, /principal.*e-mail/],
    ['an agent with a space', { ...good, agent: 'a b' }, /agent.*launch-agent/],
    ['another environment', { ...good, environment: 'live' }, /environment.*development, staging/],
    ['a number for the budget', { ...good, budget: 60 }, /budget: 60 is a number, text/],
    ['a budget without cents', { ...good, budget: '60 USD' }, /budget.*60\.00 USD/],
    ['a negative budget', { ...good, budget: '-60.00 USD' }, /budget/],
    ['fractional cents', { ...good, budget: '60.001 USD' }, /budget/],
    ['yen', { ...good, budget: '60.00 JPY' }, /budget.*hundredths/],
    ['a Cyrillic letter', { ...good, domain: { name: 'supersеal.club' } }, /domain\.name.*ASCII/],
    ['full-width letters', { ...good, domain: { name: 'ｓuperseal.club' } }, /domain\.name.*ASCII/],
    ['a dot at the end', { ...good, domain: { name: 'superseal.club.' } }, /domain\.name.*dot/],
    ['one label', { ...good, domain: { name: 'superseal' } }, /domain\.name.*two parts/],
    ['a URL', { ...good, domain: { name: 'https://superseal.club' } }, /domain\.name/],
    ['a hyphen at an edge', { ...good, domain: { name: '-superseal.club' } }, /domain\.name/],
    ['the Kelvin sign', { ...good, domain: { name: '\u212Aelvin.club' } }, /domain\.name/],
    ['254 characters', { ...good, domain: { name: `${'a.'.repeat(126)}club` } }, /253/],
    ['no years', { ...good, domain: { name: 'a.club', years: 0 } }, /domain\.years.*at least 1/],
    ['11 years', { ...good, domain: { name: 'a.club', years: 11 } }, /domain\.years.*at most 10/],
    ['half a year', { ...good, domain: { name: 'a.club', years: 0.5 } }, /domain\.years/],
    ['a short digest', { ...good, bundle: 'sha256:ab' }, /bundle.*64/],
    ['no bundle', { ...good, bundle: undefined }, /bundle: is missing/],
    ['a foreign account id', { ...good, hosting: { plan: 'free', account: 'x' } }, /account.*32/],
    ['an unknown hosting plan', { ...good, hosting: { plan: 'pro' } }, /hosting\.plan.*free/],
    [
      'a record elsewhere',
      { ...good, dns: [{ type: 'A', name: 'a..b', content: '192.0.2.1' }] },
      /dns\[0\]\.name/,
    ],
    [
      'the apex for another host',
      { ...good, dns: [{ type: 'A', name: '@', content: '192.0.2.1' }] },
      /dns\[0\]\.name.*only TXT/,
    ],
    [
      'octal in an address',
      { ...good, dns: [{ type: 'A', name: 'a', content: '192.0.2.01' }] },
      /dns\[0\]\.content.*IPv4/,
    ],
    [
      'a record twice',
      {
        ...good,
        dns: [
          { type: 'TXT', name: 'a', content: 'x' },
          { type: 'TXT', name: 'A', content: 'x' },
        ],
      },
      /dns\[1\].*twice/,
    ],
    [
      'a record type that is not offered',
      { ...good, dns: [{ type: 'NS', name: 'a', content: 'x' }] },
      /dns\[0\]\.type.*A, AAAA, CNAME, TXT/,
    ],
    [
      'a control character in a TXT record',
      { ...good, dns: [{ type: 'TXT', name: 'a', content: 'x\u0007' }] },
      /dns\[0\]\.content.*printable/,
    ],
    ['a list', [], /the request: is a list, a group of members is needed/],
    ['nothing', null, /the request/],
    ['text', 'x', /the request/],
  ])('%s is refused in one sentence that names the member', (_, value, message) => {
    const refusal = refusalOf(value);
    expect(refusal).toMatch(message);
    expect(refusal.split('\n')).toHaveLength(1);
    expect(refusal.length).toBeLessThan(400);
  });

  test('no value whatever makes the parser crash', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(typeof refusalOf(value)).toBe('string');
      }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(good) as (keyof typeof good)[])),
        fc.anything(),
        (member, value) => {
          expect(typeof refusalOf({ ...good, [member]: value })).toBe('string');
        },
      ),
    );
  });
});

describe('a request file', () => {
  const rest = { ...good, bundle: undefined };

  test('names a folder; with its bundle it is the same request', () => {
    const file = parseRequestFile({ ...rest, site: './site' });
    expect(requestDigestOf(requestOfFile(file, bundle))).toBe(requestDigestOf(parseRequest(good)));
  });

  test.each([
    ['both', { ...rest, site: './site', bundle }],
    ['neither', rest],
  ])('with %s of site and bundle is refused', (_, value) => {
    expect(() => parseRequestFile(value)).toThrow(/site.*exactly one/);
  });

  test('the published JSON Schema is the one of the code', () => {
    const published = readFileSync(
      new URL('../../docs/reference/request.schema.json', import.meta.url),
      'utf8',
    );
    expect(JSON.parse(published)).toEqual(requestJsonSchema());
  });

  test('JSON Schema and parser agree on what they both can say', () => {
    const validate = new Ajv2020({ strictTypes: false }).compile(requestJsonSchema());
    expect(validate({ ...good })).toBe(true);
    expect(validate({ ...good, budget: '60 USD' })).toBe(false);
    expect(validate({ ...good, extra: 1 })).toBe(false);
    expect(validate({ ...good, site: './site' })).toBe(false);
    expect(validate({ ...good, domain: { name: 'superseal.club.' } })).toBe(false);
  });
});
