import { closing, look, type CaseFacts, type CaseKind, type Proposal } from './case-words.js';
import { FINDING_KINDS } from './finding-kinds.js';

export type { CaseFacts, CaseKind, CaseSeverity, Proposal } from './case-words.js';

const OPERATOR = 'An operator.';
const MONEY = 'Whoever answers for the principal’s money.';
const BY_PERSON = 'By a signed `cases close`.';

const OF_EFFECTS = {
  overshoot: {
    severity: 'urgent',
    means:
      'A provider charged more than was reserved. It is booked in full, and a stop over the run keeps it from going on.',
    who: MONEY,
    closes: BY_PERSON,
    propose: (facts) => ({
      text: 'Compare the charge at the provider with the plan. The run unwinds under its stop, which gives back what was captured; ask the provider for the rest.',
      command: look(facts),
    }),
  },
  'key-compromised': {
    severity: 'urgent',
    means: 'An effect was done on the word of a key that has been revoked as compromised since.',
    who: OPERATOR,
    closes: 'By a signed `cases close`, once a person has looked at what was done.',
    propose: (facts) => ({
      text: 'Ask the person whether they signed this themselves. If not, take the run down or stop it, and look for what else the key has signed; then close the case.',
      command: closing(facts),
    }),
  },
  double: {
    severity: 'urgent',
    means: 'A second object turned up beside the one on record of the same effect.',
    who: OPERATOR,
    closes:
      'By `reconcile` when the second object is gone, where it found it; else by a signed `cases close`.',
    propose: (facts) => ({
      text: 'Leave the object on record alone. Cancel the second one at the provider, refund what it took, then close the case.',
      command: closing(facts),
    }),
  },
  'late-success': {
    severity: 'urgent',
    means:
      'An object turned up on an effect that was known to have done nothing, or was being taken back.',
    who: OPERATOR,
    closes: BY_PERSON,
    propose: (facts) => ({
      text: 'Look whether the run is taking it back. Where its row is failed or closed nothing will: remove the object at the provider, refund what it took, then close the case.',
      command: look(facts),
    }),
  },
  residue: {
    severity: 'warning',
    means: 'A reversal has left something behind that somebody may still get back by hand.',
    who: MONEY,
    closes: BY_PERSON,
    propose: (facts) => ({
      text: 'Do what the case says at the provider if it is worth it, then close the case.',
      command: closing(facts),
    }),
  },
  unreadable: {
    severity: 'warning',
    means: 'An effect cannot be read back, and not because a provider is down.',
    who: OPERATOR,
    closes: BY_PERSON,
    propose: (facts) => ({
      text: 'Look at the object at the provider with its own pages; the sweep tries again by itself.',
      command: look(facts),
    }),
  },
  'perhaps-ours': {
    severity: 'warning',
    means:
      'A provider holds something of the name that an effect asked for and surely did not get.',
    who: OPERATOR,
    closes: BY_PERSON,
    propose: (facts) => ({
      text: 'It bears no mark of ours: ask its owner before you touch it. Then close the case.',
      command: closing(facts),
    }),
  },
} as const satisfies Record<string, CaseKind>;

const OF_RUNS = {
  'temporal-identity': {
    severity: 'urgent',
    means:
      'A worker came from another Temporal namespace or cluster than the one this database belongs to.',
    who: OPERATOR,
    closes: BY_PERSON,
    propose: (facts) => ({
      text: 'Point the worker at the right Temporal or the right database. Nothing is swept or reconciled from the wrong one.',
      command: closing(facts),
    }),
  },
  'run-lost': {
    severity: 'urgent',
    means: 'Temporal knows no open workflow for a run that has not ended on record.',
    who: OPERATOR,
    closes: BY_PERSON,
    propose: (facts) => ({
      text: 'Look whether the workflow exists under another namespace. If it is gone, say so, signed: the next sweep takes the run back.',
      command: `countersign resolve ${facts.runId ?? 'RUN'} --step create-customer --retry --reason "its workflow is gone" --key FILE`,
    }),
  },
  'many-repairs': {
    severity: 'urgent',
    means:
      'Temporal ended more runs at once than is ordinary: none is taken back before a person has looked.',
    who: OPERATOR,
    closes: BY_PERSON,
    propose: (facts) => ({
      text: 'Find out who ended them. Then order each of them back by a signed resolve, as the case says.',
      command: `countersign cases show ${facts.caseId}`,
    }),
  },
  'notice-failed': {
    severity: 'warning',
    means: 'A place that the policy names takes no notices: whoever reads there is told nothing.',
    who: OPERATOR,
    closes: BY_PERSON,
    propose: (facts) => ({
      text: 'Look at the place and at its secret, or take it out of the policy. What was given up is not sent again; what comes next is.',
      command: closing(facts),
    }),
  },
  'break-glass-review': {
    severity: 'urgent',
    means:
      'Somebody used break-glass. No other break-glass opens until another person has looked at it.',
    who: 'Another person than the one who used it.',
    closes: 'By a signed `cases close` of another person than the one who used it.',
    propose: (facts) => ({
      text: 'Read what was done under it, and say in the reason whether it was right.',
      command: `countersign cases close ${facts.caseId} --reason "what you found" --key FILE`,
    }),
  },
} as const satisfies Record<string, CaseKind>;

/** Every kind of case that this version opens. A kind that code uses and that has no row here fails a test. */
export const CASE_KINDS = {
  ...OF_EFFECTS,
  ...OF_RUNS,
  ...FINDING_KINDS,
} as const satisfies Record<string, CaseKind>;
export type CaseKindName = keyof typeof CASE_KINDS;

const KINDS: Readonly<Record<string, CaseKind>> = CASE_KINDS;

/** The row of a kind, or undefined for one that another version opened. */
export const caseKind = (kind: string): CaseKind | undefined =>
  Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;

/** The way out of a case: its own words where it has some, and the command of its kind. */
export function proposalOf(kind: string, facts: CaseFacts, own?: string): Proposal {
  const proposed = caseKind(kind)?.propose(facts) ?? {
    text: 'Read the case, do what it asks for, then close it.',
    command: closing(facts),
  };
  return own === undefined ? proposed : { ...proposed, text: own };
}

/**
 * May this person close it? Not whoever it is about: a break-glass is looked at by somebody else than the person who
 * used it. Groups and signatures are checked elsewhere.
 */
export function mayClose(of: { readonly personId: string | null }, person: string): boolean {
  return of.personId !== person;
}
