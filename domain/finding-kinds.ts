import { closing, look, type CaseFacts, type CaseKind } from './case-words.js';

const OPERATOR = 'An operator.';
const MONEY = 'Whoever answers for the principal’s money.';
const OR_SIGNED = 'By `reconcile` when it is seen no more, or by a signed `cases close`.';

const kind = (
  of: Pick<CaseKind, 'severity' | 'means' | 'who'> & {
    readonly text: string;
    readonly command?: (facts: CaseFacts) => string;
  },
): CaseKind => ({
  severity: of.severity,
  means: of.means,
  who: of.who,
  closes: OR_SIGNED,
  propose: (facts) => ({ text: of.text, command: (of.command ?? closing)(facts) }),
});

/** What `reconcile` finds: each a difference between what exists at the providers and what is on record. */
export const FINDING_KINDS = {
  orphan: kind({
    severity: 'urgent',
    means:
      'A provider holds something that bears our marker, and no effect on record accounts for it.',
    who: OPERATOR,
    text: 'Find out who made it: the marker names run and step. If nobody needs it, remove it at the provider and refund what it took.',
  }),
  'orphan-money': kind({
    severity: 'urgent',
    means:
      'A customer of ours was charged, and no effect and no renewal on record accounts for the charge.',
    who: MONEY,
    text: 'Look at the charge at the provider. If nobody agreed to it, refund it there.',
  }),
  'amount-differs': kind({
    severity: 'urgent',
    means: 'What a provider took differs from what is booked for it.',
    who: MONEY,
    text: 'Compare the invoice at the provider with the booking; refund what is too much, and ask why it is less.',
    command: look,
  }),
  'refund-missing': kind({
    severity: 'urgent',
    means: 'A refund on record is not at the provider, or not in full.',
    who: MONEY,
    text: 'Give the rest back at the provider, to the same payment.',
  }),
  'refund-failed': kind({
    severity: 'urgent',
    means: 'A refund failed at the bank: the customer has not got the money.',
    who: MONEY,
    text: 'Give the money back another way (another card, a transfer), and say in the reason how.',
  }),
  dispute: kind({
    severity: 'urgent',
    means:
      'A customer disputes a charge with the bank. The provider has taken the amount and a fee until it is decided.',
    who: MONEY,
    text: 'Answer at the provider with the proof of who agreed, before its deadline, or accept it.',
    command: look,
  }),
  'payment-failed': kind({
    severity: 'urgent',
    means: 'A renewal could not be charged: the subscription will end if nobody pays.',
    who: MONEY,
    text: 'Let the customer replace the payment method; the provider tries again by itself. If it shall end, cancel it.',
  }),
  'renewal-over-cap': kind({
    severity: 'urgent',
    means:
      'What renews in a month does not fit a cap: it will be charged all the same, since it runs already.',
    who: MONEY,
    text: 'Raise the cap in the policy, or cancel what renews before its date.',
    command: () => 'countersign ledger',
  }),
  'renewal-missed': kind({
    severity: 'warning',
    means: 'Something that renews was not charged when it was due, and still runs.',
    who: MONEY,
    text: 'Look at the subscription at the provider: paused, in trial, or its date moved.',
  }),
  'thing-missing': kind({
    severity: 'urgent',
    means:
      'Something that an effect has made, and that nobody took back here, is not at the provider any more.',
    who: OPERATOR,
    text: 'Ask who removed it. If it shall be there, ask for it anew as a run; what depends on it does not work meanwhile.',
    command: look,
  }),
  'subscription-changed': kind({
    severity: 'warning',
    means: 'A subscription of ours has another price, quantity or state than was approved.',
    who: MONEY,
    text: 'Ask who changed it. Change it back at the provider, or cancel it there.',
    command: look,
  }),
  'dns-changed': kind({
    severity: 'warning',
    means: 'A DNS record of ours was changed or removed.',
    who: OPERATOR,
    text: 'If the change is right, close the case with its reason; if not, put the record back as the run’s plan has it.',
    command: look,
  }),
  'site-changed': kind({
    severity: 'urgent',
    means: 'A Worker of ours answers with another version than the one that was approved.',
    who: OPERATOR,
    text: 'Look who deployed it. Deploy the approved bundle again as a run, or close the case if the new one is right.',
    command: look,
  }),
  'domain-detached': kind({
    severity: 'urgent',
    means: 'A hostname of ours leads to another Worker, or to none.',
    who: OPERATOR,
    text: 'Attach it again, or close the case if it was moved on purpose.',
    command: look,
  }),
  'domain-renews': kind({
    severity: 'warning',
    means:
      'A domain of ours renews by itself, which nobody approved: it will be charged once a year.',
    who: MONEY,
    text: 'Switch automatic renewal off at the registrar, or close the case if it shall renew.',
    command: look,
  }),
  'domain-gone': kind({
    severity: 'urgent',
    means: 'A domain of ours is not registered to the account any more, or is about to be lost.',
    who: OPERATOR,
    text: 'Look at the registrar whether it was transferred or has expired; within its grace time it can be renewed.',
    command: look,
  }),
  'reconcile-blind': kind({
    severity: 'warning',
    means: 'A part of a provider could not be read for a day: nothing is known of it.',
    who: OPERATOR,
    text: 'Look at the credentials of the reading role and at the provider’s state.',
    command: () => 'countersign doctor',
  }),
} as const satisfies Record<string, CaseKind>;
