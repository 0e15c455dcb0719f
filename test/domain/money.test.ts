import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { instantToMs } from '../../domain/instant.js';
import { formatAmount, parseAmount, priceToMinor } from '../../domain/money.js';

describe('amounts', () => {
  test('an amount survives formatting and parsing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99_999_999_999 }), (minor) => {
        expect(parseAmount(formatAmount({ minor, currency: 'USD' }))).toEqual({
          minor,
          currency: 'USD',
        });
      }),
    );
  });

  test.each([
    '60',
    '60 USD',
    '60.0 USD',
    '60.000 USD',
    '-60.00 USD',
    '6e1.00 USD',
    '60.00 usd',
    '60.00USD',
    ' 60.00 USD',
    '60.00 USD\n',
    '1234567890.00 USD',
    '６０.00 USD',
    '60,00 USD',
    '500.00 JPY',
    '',
  ])('%j is refused', (text) => {
    expect(() => parseAmount(text)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });

  test.each([
    ['11.20', 1120],
    ['0.00', 0],
    ['11.2', undefined],
    ['11', undefined],
    ['11.201', undefined],
    ['-1.00', undefined],
    ['1,100.00', undefined],
    ['1e2.00', undefined],
  ])("a provider's price %j is %p", (text, minor) => {
    expect(priceToMinor(text)).toBe(minor);
  });
});

describe('instants', () => {
  test('agree with the calendar of the platform', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('1600-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (date) => {
          expect(instantToMs(date.toISOString())).toBe(date.getTime());
        },
      ),
    );
  });

  test.each([
    '2026-11-21T09:00:00Z',
    '2026-02-30T09:00:00.000Z',
    '2100-02-29T09:00:00.000Z',
    '2026-11-21T24:00:00.000Z',
    '2026-11-21T09:00:60.000Z',
    '2026-11-21 09:00:00.000Z',
    '2026-11-21T09:00:00.000+00:00',
    '2026-13-01T09:00:00.000Z',
  ])('%s is none', (text) => {
    expect(instantToMs(text)).toBeUndefined();
  });
});
