import { domainToASCII } from 'node:url';
import type { CloudflareState } from './state.js';

/** Prices in cents a year. */
export interface Price {
  registrationMinor: number;
  renewalMinor: number;
}
export interface Extension {
  readonly tld: string;
  readonly price: Price;
  readonly minYears: number;
}

const extension = (tld: string, cents: number, minYears = 1): Extension => ({
  tld,
  price: { registrationMinor: cents, renewalMinor: cents },
  minYears,
});

/** What can be registered by API. */
export const EXTENSIONS: readonly Extension[] = [
  extension('ai', 7000, 2),
  extension('club', 1120),
  extension('com', 1046),
  extension('dev', 1218),
  extension('net', 1186),
  extension('org', 1013),
];
/** Sold in the dashboard, refused by the API. */
const DASHBOARD_ONLY = new Set(['giving', 'mom', 'inc', 'lol', 'sh', 'link', 'cc', 'new']);

export type Reason =
  | 'extension_not_supported_via_api'
  | 'extension_not_supported'
  | 'domain_premium'
  | 'domain_unavailable';

export interface Availability {
  registrable: boolean;
  tier: 'standard' | 'premium';
  price: Price | null;
  reason: Reason | null;
}

/** The name as the registrar writes it (lower case, punycode), or null if it is no registrable name. */
export function domainName(text: string): string | null {
  const ascii = domainToASCII(text.trim().toLowerCase());
  const labels = ascii.split('.');
  const wellFormed = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;
  if (labels.length !== 2 || !labels.every((label) => wellFormed.test(label))) return null;
  return /^\d+$/.test(labels[1] ?? '') ? null : ascii;
}

const tldOf = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

export const extensionOf = (name: string): Extension | undefined =>
  EXTENSIONS.find(({ tld }) => tld === tldOf(name));

/** Somebody else's, by what a person did or by its very name. */
export const takenByOthers = (state: CloudflareState, name: string): boolean =>
  state.taken.includes(name) || /-taken\.[^.]+$/.test(name);

const priceOf = (state: CloudflareState, name: string, known: Extension): Price =>
  state.prices[name] ?? state.prices[known.tld] ?? known.price;

/** Cents for one more year of a name that is held. */
export function renewalMinor(state: CloudflareState, name: string): number {
  const known = extensionOf(name);
  return known === undefined ? 0 : priceOf(state, name, known).renewalMinor;
}

/** Live availability and price of a well-formed name. */
export function availability(state: CloudflareState, name: string): Availability {
  const known = extensionOf(name);
  const none = { registrable: false, tier: 'standard', price: null } as const;
  if (DASHBOARD_ONLY.has(tldOf(name))) {
    return { ...none, reason: 'extension_not_supported_via_api' };
  }
  if (known === undefined) return { ...none, reason: 'extension_not_supported' };
  if (takenByOthers(state, name) || Object.hasOwn(state.registrations, name) || held(state, name)) {
    return { ...none, reason: 'domain_unavailable' };
  }
  const price = priceOf(state, name, known);
  if (name.startsWith('premium-')) {
    return { registrable: false, tier: 'premium', price, reason: 'domain_premium' };
  }
  return { registrable: true, tier: 'standard', price, reason: null };
}

/** Being registered just now, or held by a failed try whose money has not been given back. */
const held = (state: CloudflareState, name: string): boolean =>
  Object.values(state.workflows).some(({ domain, applied }) => domain === name && !applied) ||
  state.charges.some(({ object, voidAt }) => object === name && voidAt !== null);

/** Cents for `years`: the first at the registration price, the others at the renewal price. */
export const costOf = (price: Price, years: number): number =>
  price.registrationMinor + (years - 1) * price.renewalMinor;
