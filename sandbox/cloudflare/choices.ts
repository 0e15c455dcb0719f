import type { CloudflareState } from './state.js';

/**
 * What the real service's documentation leaves open, and how long things take here. Each is
 * "our choice" and can be set per world, so that a caller can be tested against every answer.
 * Durations are milliseconds of the world's clock (which runs with the real one).
 */
export const CHOICES = {
  /** The answer to a second POST for a name that is registered or being registered by us. */
  'registrar.duplicate': ['same-workflow', 'conflict-409'],
  /** What becomes of new registrations. */
  'registrar.outcome': [
    'succeed',
    'fail',
    'fail-captured',
    'action-required',
    'blocked',
    'fraud-block',
  ],
  /** No card, no address book, agreement not accepted, name taken: how that is told. */
  'registrar.refusal': ['fail-workflow', 'refuse-400'],
  /** Whether a registration under way can be read as `registration_pending`. */
  'registrar.pending-visible': ['no', 'yes'],
  'registrar.pending-ms': 20,
  'registrar.duration-ms': 100,
  /** How long a POST waits for the end before it answers 202. */
  'registrar.window-ms': 300,
  'registrar.status-lag-ms': 0,
  'registrar.blocked-ms': 24 * 3_600_000,
  'registrar.fraud-block-ms': 20 * 60_000,
  'registrar.void-after-ms': 5 * 86_400_000,
  'registrar.update-ms': 20,
  /** How many names an account may hold. */
  'registrar.limit': 500,
  'registrar.zone-delay-ms': 20,
  'zones.activation-ms': 20,
  /** Whether the caller may make standalone accounts at all. */
  'accounts.standalone': ['allowed', 'forbidden'],
  /** Whether new accounts come with card, address book and accepted agreement. */
  'accounts.new-billing': ['yes', 'no'],
  'accounts.key-life-ms': 24 * 3_600_000,
  /** How a new paid subscription starts. */
  'subscriptions.payment': ['Paid', 'AwaitingPayment', 'Failed'],
  'tokens.spread-ms': 0,
  'dns.duplicate-code': [81058, 81057],
  'assets.bucket-size': 50,
  'certificates.issue-ms': 20,
  'edge.spread-ms': 0,
  'workers.delete-ms': 0,
  'rate.limit': 1200,
  /** What the answer to a list says of errors when there are none. */
  'lists.errors': ['empty', 'null'],
} as const satisfies Record<string, number | readonly (string | number)[]>;

export type ChoiceName = keyof typeof CHOICES;

type ValueOf<N extends ChoiceName> = (typeof CHOICES)[N] extends readonly (infer V)[] ? V : number;

export const isChoice = (name: string): name is ChoiceName => Object.hasOwn(CHOICES, name);

/** The value in force in this world. The first of a list is the default. */
export function choice<N extends ChoiceName>(state: CloudflareState, name: N): ValueOf<N> {
  const set = state.choices[name];
  const known: number | readonly (string | number)[] = CHOICES[name];
  const value = set ?? (typeof known === 'number' ? known : known[0]);
  return value as ValueOf<N>;
}

/** Sets a choice. Returns a sentence saying what is wrong, or null. */
export function setChoice(state: CloudflareState, name: string, value: unknown): string | null {
  if (!isChoice(name)) {
    return `no choice is called "${name}"; known: ${Object.keys(CHOICES).join(', ')}`;
  }
  const known: number | readonly (string | number)[] = CHOICES[name];
  if (typeof known === 'number') {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
      return `"${name}" takes a whole number of at least 0`;
    }
    state.choices[name] = value;
    return null;
  }
  const match = known.find((option) => option === value);
  if (match === undefined) return `"${name}" is one of ${known.join(', ')}`;
  state.choices[name] = match;
  return null;
}
