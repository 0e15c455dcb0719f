import { ruleInWords } from '../approval-rule.js';
import { DATA_CLASSES } from '../data-class.js';
import { anomaliesExplained } from './anomaly-rules.js';
import { explainNotices } from './explain-notices.js';
import { marksOf } from './marks.js';
import { delegationsExplained } from './delegations.js';
import { keysExplained } from './keys.js';
import type { Policy } from './schema.js';

/**
 * The rules of a policy as text, for an agent's system prompt: the same document, nothing left out, no number rounded.
 * Whoever changes a number or a list changes this text.
 */
export function explainPolicy(policy: Policy): string {
  return [
    ...preamble(policy),
    '',
    ...allowed(policy),
    '',
    ...names(policy),
    '',
    ...money(policy),
    '',
    ...tiers(policy),
    '',
    ...people(policy),
  ].join('\n');
}

const list = (items: readonly string[], none = 'none'): string =>
  items.length === 0 ? none : items.join(', ');

function preamble(policy: Policy): string[] {
  const { name, format, owners, reviewBy, overdue, currency } = policy;
  return [
    `# Policy "${name}" (format ${format})`,
    'What no rule here allows is denied. Of several rules that fit, the strictest counts. You propose; you never approve.',
    `- Answering for this document: ${list(owners, 'nobody by name')}.`,
    reviewBy === undefined
      ? '- No day of review is set.'
      : `- To be reviewed before ${reviewBy}; after that ${overdue === 'note' ? 'every card says so (overdue: note)' : 'production is denied (overdue: deny-production)'}.`,
    `- All amounts are in ${currency}; anything charged in another currency is denied.`,
    '- A request that does not say what data the product will hold counts as restricted.',
  ];
}

function allowed(policy: Policy): string[] {
  const { services, subscriptions, hosting, dns } = policy;
  return [
    '## What may be asked for',
    `- Environments: ${list(policy.environments)}.`,
    ...services.map(
      ({ service, environments, data }) =>
        `- Service ${service}: in ${list(environments ?? ['every environment above'])}, with ${list(data ?? ['every class of data'])}.`,
    ),
    services.length === 0 ? '- No service at all.' : '- No other service.',
    ...subscriptions.plans.map(
      (plan) => `- Subscription ${plan.name}: ${plan.amount} a ${plan.interval} (${plan.priceId}).`,
    ),
    '- No other subscription plan.',
    `- Hosting plans: ${list(hosting.plans)}.`,
    `- DNS record types: ${list(dns.types)}; at most ${dns.recordsMax} records.`,
  ];
}

function names({ domains }: Policy): string[] {
  const verdict = { deny: 'denied', 'sign-off': 'shown to a person at sign-off' } as const;
  return [
    '## Domain names',
    `- Under these endings only: ${list(domains.tlds.map((tld) => `.${tld}`))}.`,
    `- Allowed letter by letter, whatever else is said: ${list(domains.names)}.`,
    `- A name other than the one that the goal spells out is ${verdict[domains.goal]} (goal: ${domains.goal}).`,
    `- A name that looks like a protected one is ${verdict[domains.nearNames]} (nearNames: ${domains.nearNames}).`,
    `- Protected: ${list(domains.protected)}.`,
    ...domains.protectedLists.map(
      (one) => `- Protected by the list ${one}: ${list(marksOf(one).map(({ name }) => name))}.`,
    ),
    `- At most ${domains.priceCeiling} for a registration, for at most ${domains.yearsMax} year(s).`,
  ];
}

function money({ caps, counts, unattended }: Policy): string[] {
  const limit = (text: string, value: number | undefined): string =>
    `- ${text}: ${value === undefined ? 'no limit' : `at most ${value}`}.`;
  return [
    '## Money and counts',
    `- Caps a calendar month (UTC): the whole organisation ${caps.organisation}; a principal ${caps.principal}; an agent ${caps.agent}; a provider ${caps.provider}; a principal at one provider ${caps.principalProvider}.`,
    `- A run may cost at most ${caps.run}, or its own budget if that is less.`,
    unattended === undefined
      ? '- Nothing limits what may be spent without a person but the tiers below.'
      : `- Without a person an agent may spend ${unattended.perDay} a day and ${unattended.perMonth} a month; above it: ${unattended.above}.`,
    limit('Operations a run, every send counted', counts.operationsPerRun),
    limit('Open runs of an agent', counts.openRunsPerAgent),
    limit('Runs of an agent an hour', counts.runsPerHour),
    limit('New domains a day', counts.newDomainsPerDay),
    limit('New domains a month', counts.newDomainsPerMonth),
    limit('New accounts a day', counts.newAccountsPerDay),
    limit('New accounts a month', counts.newAccountsPerMonth),
  ];
}

interface Fitting {
  readonly step?: string | undefined;
  readonly environment?: string | undefined;
  readonly data?: readonly string[] | undefined;
  readonly amountAbove?: string | undefined;
}

function fitting({ step, environment, data, amountAbove }: Fitting): string {
  return [
    step === undefined || step === '*' ? 'every step' : step,
    ...(environment === undefined ? [] : [`in ${environment}`]),
    ...(data === undefined ? [] : [`with ${data.join(' or ')} data`]),
    ...(amountAbove === undefined ? [] : [`above ${amountAbove}`]),
  ].join(' ');
}

function tiers(policy: Policy): string[] {
  return [
    '## Who must agree',
    'Reading, quoting and planning need nobody. Tiers: autonomous (nobody), approve, sign-off.',
    ...policy.tiers.map((rule) => `- ${fitting(rule)}: ${rule.tier}.`),
    '- A step that none of these rules fits is denied.',
    '- Linking an account that exists: at least approve, whatever the rules above say, and only with its owner’s consent at the provider.',
    '- Taking down what a completed run made: by the same rules, but at least approve, and sign-off in production; whether it may still be made is not asked.',
    ...policy.approvals.map((rule) => `- ${rule.tier} for ${fitting(rule)}: ${ruleInWords(rule)}.`),
    '- Approvals that fit add up; a tier that none fits is denied.',
    `- Terms of service are accepted at the tier ${policy.termsTier}.`,
    ...policy.terms.map(
      (terms) =>
        `- Terms of ${terms.provider}: ${terms.url}, version ${terms.version}, ${terms.digest}.`,
    ),
    `- A decision has to come within ${policy.expiry}; silence is a no.`,
    ...explainNotices(policy),
    ...anomaliesExplained(policy.anomalies),
    `- Irreversible steps that share the gate of the plan: ${list(policy.bundleIrreversible)}.`,
  ];
}

function people(policy: Policy): string[] {
  const { activation, groups, lifting, solo, excludePrincipal } = policy;
  return [
    '## People',
    `- Nobody approves their own request${solo ? ', but here one person governs and may (solo: true)' : ' (solo: false)'}.`,
    `- The principal may ${excludePrincipal ? 'not ' : ''}approve (excludePrincipal: ${String(excludePrincipal)}).`,
    activation === undefined
      ? '- Another policy is put in force by those who sign off the dearest action in production.'
      : `- Another policy is put in force by ${ruleInWords(activation)}.`,
    lifting === undefined
      ? '- A stop is lifted by one of those who are asked at a gate.'
      : `- A stop is lifted by ${ruleInWords(lifting)}, each by a word of their own.`,
    ...keysExplained(policy.keys),
    ...delegationsExplained(policy.delegations),
    ...groups.map(({ name, persons }) => `- Group ${name}: ${list(persons)}.`),
    `- Classes of data, from the harmless to the delicate: ${DATA_CLASSES.join(', ')}.`,
  ];
}
