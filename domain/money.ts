import { Failure } from './errors.js';

/** An amount in minor units (cents) of an ISO 4217 currency. Never a float. */
export interface Money {
  readonly minor: number;
  readonly currency: string;
}

const AMOUNT = /^(\d{1,9})\.(\d{2}) ([A-Z]{3})$/;
const PRICE = /^(\d{1,9})\.(\d{2})$/;

/** Currencies whose minor unit is not a hundredth: two decimals would mean another amount at the provider. */
const OTHER_MINOR_UNITS = new Set(
  (
    'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF ' +
    'BHD IQD JOD KWD LYD OMR TND CLF UYW'
  ).split(' '),
);

/** What is wrong with an amount as text, or undefined. */
export function amountProblem(text: string): string | undefined {
  const currency = AMOUNT.exec(text)?.[3];
  if (currency === undefined)
    return `${JSON.stringify(text.slice(0, 80))} is no amount: write digits, a point, two digits, a space and the currency, like 60.00 USD`;
  return OTHER_MINOR_UNITS.has(currency)
    ? `${currency} has no hundredths: only currencies with two decimals are supported`
    : undefined;
}

/** `60.00 USD` -> 6000 USD, from its source text and nothing else. @throws REQUEST_INVALID */
export function parseAmount(text: string): Money {
  const problem = amountProblem(text);
  if (problem !== undefined) throw new Failure('REQUEST_INVALID', problem);
  const [, whole = '', cents = '', currency = ''] = AMOUNT.exec(text) ?? [];
  return { minor: Number(whole + cents), currency };
}

/** 6000 USD -> `60.00 USD`. */
export function formatAmount({ minor, currency }: Money): string {
  const digits = String(Math.abs(minor)).padStart(3, '0');
  return `${minor < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)} ${currency}`;
}

/** A provider's price text, `11.20` -> 1120 minor units; undefined for every other spelling. */
export function priceToMinor(text: string): number | undefined {
  const [, whole, cents] = PRICE.exec(text) ?? [];
  return whole === undefined || cents === undefined ? undefined : Number(whole + cents);
}
