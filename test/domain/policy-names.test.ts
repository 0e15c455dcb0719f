import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { domainsNamedIn, looksLike, nameFindings } from '../../domain/policy/names.js';
import { policy } from './fixtures.js';

describe('names', () => {
  test.each<[string, string, string | undefined]>([
    ['superseal.club', 'Put superseal.club online', undefined],
    ['superseal.cc', 'Put superseal.club online', 'domains.goal'],
    ['supersea1.club', 'Put superseal.club online', 'domains.goal'],
    ['superseal.club', 'Put WWW.Superseal.Club/ online', undefined],
    ['superseal.club', 'see https://superseal.club/about.', undefined],
    ['superseal.club', 'superseal.club, not superseal.cc', 'domains.goal'],
    ['superseal.club', 'Mail to ann@example.com about Superseal', undefined],
    ['superseal.club', 'Deploy worker.mjs and index.html of Superseal', undefined],
    ['superseal.club', 'Put the Superseal landing page online', undefined],
    ['super-seal.club', 'Put the Superseal landing page online', undefined],
    ['superseal.club', 'Put the Super Seal landing page online', undefined],
    ['supersea1.club', 'Put the Superseal landing page online', 'domains.nearNames'],
    ['supesreal.club', 'Put the Superseal landing page online', 'domains.nearNames'],
    ['superseals.club', 'Put the Superseal landing page online', 'domains.nearNames'],
    ['otherthing.club', 'Put the landing page online', undefined],
    ['stripe.club', 'A shop', 'domains.nearNames'],
    ['str1pe.club', 'A shop', 'domains.nearNames'],
    ['cloudfiare.com', 'A shop', 'domains.nearNames'],
    ['superseal.md', 'Deploy superseal.md', undefined],
    ['superseal.club', 'Deploy superseal.md', 'domains.goal'],
  ])('%s for the goal %j: %p', (name, goal, rule) => {
    expect(nameFindings({ name, goal }, policy.domains)[0]?.rule).toBe(rule);
  });

  test('a listed name needs no other leave, but must still be the one that the goal names', () => {
    const domains = { ...policy.domains, names: ['stripe.club'] };
    expect(nameFindings({ name: 'stripe.club', goal: 'A shop' }, domains)).toEqual([]);
    expect(nameFindings({ name: 'stripe.club', goal: 'stripe.com' }, domains)).toHaveLength(1);
  });

  test('likeness is mutual, and nothing looks like itself', () => {
    const label = fc.stringMatching(/^[a-z0-9]{1,12}$/);
    fc.assert(
      fc.property(label, label, (one, other) => {
        expect(looksLike(one, other)).toBe(looksLike(other, one));
        expect(looksLike(one, one)).toBe(false);
      }),
    );
  });

  test('no goal makes the search for names crash or stall', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 500 }), (goal) => {
        expect(Array.isArray(domainsNamedIn(goal, 'superseal.club'))).toBe(true);
      }),
    );
    expect(domainsNamedIn(`${'a-'.repeat(249)}a`, 'superseal.club')).toEqual([]);
  });
});
