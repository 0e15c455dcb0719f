import type { ActionDocument, Params } from './documents.js';
import { formatAmount } from './money.js';
import type { Plan, PlanStep, Quote } from './plan.js';
import { isOverdue, overdueText } from './policy/review.js';
import type { Policy } from './policy/schema.js';
import type { Request } from './request.js';
import { PIVOT } from './steps.js';
import { quoteWord } from './untrusted.js';

/** The words of a card: title, the lines of each action, and what an approver must know besides. Never an e-mail address. */

/** The card's first line: what it is about, and the most it may cost. */
export function titleOf(
  covered: readonly PlanStep[],
  total: { minor: number; currency: string },
  { domain, tearsDown }: Request,
): string {
  if (tearsDown !== undefined)
    return `Tear down ${tearsDown} (${domain.name}): ${covered.length} action${covered.length === 1 ? '' : 's'} that cannot be undone`;
  const upTo = total.minor === 0 ? 'free of charge' : `up to ${formatAmount(total)}`;
  const [only] = covered;
  return covered.length === 1 && only !== undefined
    ? `${only.title}, ${upTo}`
    : `Set up ${domain.name}: ${covered.length} actions, ${upTo}`;
}

const DETAIL_CHARACTERS_MAX = 160;

/** One line for each parameter but who the customer is: cards are shown where e-mail addresses must not be. */
export function detailsOf({ params, operation }: ActionDocument): string[] {
  if (operation === 'customers.create') return [];
  return Object.entries(params).flatMap(([name, value]) =>
    name === 'records' && Array.isArray(value)
      ? value.map((record) => detail('record', record))
      : [detail(name, value)],
  );
}

type Param = Params[string];

function detail(name: string, value: Param): string {
  return `${name}: ${spelled(value)}`;
}

function spelled(value: Param): string {
  if (Array.isArray(value)) return value.map(spelled).join(', ');
  if (typeof value !== 'object') return typeof value === 'string' ? plain(value) : String(value);
  const { fromStep, field, ofPrincipal } = value;
  if (typeof fromStep === 'string' && typeof field === 'string')
    return `the ${field} that ${fromStep} will make`;
  if (typeof ofPrincipal === 'string' && typeof field === 'string')
    return `the ${field} of ${ofPrincipal}`;
  return ['type', 'name', 'content', 'ttl'].map((member) => spelled(value[member] ?? '')).join(' ');
}

/** Identifiers as they are; anything else quoted and shortened, with its length. */
function plain(text: string): string {
  if (/^[A-Za-z0-9._:@/-]{1,160}$/.test(text)) return text;
  const cut = quoteWord(text, DETAIL_CHARACTERS_MAX);
  return text.length > DETAIL_CHARACTERS_MAX ? `${cut} (${text.length} characters)` : cut;
}

/** Is a customer used that was found by e-mail alone? */
export const needsWord = ({ customer, subscription }: Quote): boolean =>
  subscription.kind !== 'none' && customer.kind === 'adopt' && customer.by === 'person';

export interface NotesInput {
  readonly plan: Plan;
  readonly gate: string;
  readonly quote: Quote;
  readonly policy: Policy;
  readonly request: Request;
  /** The database's clock, in ms. */
  readonly nowMs: number;
  /** Register id of the person who answers for the agent. */
  readonly owner: string;
  /** The agents that this one acts for, outermost first, each with its owner. */
  readonly via: readonly { readonly agent: string; readonly owner: string }[];
  /** Gates of this run that one person passed alone, and who. */
  readonly passedAlone?: readonly { readonly gateId: string; readonly person: string }[];
}

const answeredFor = ({ agent, owner }: NotesInput['via'][number]): string =>
  `${agent}, for which ${owner} answers`;

/** What an approver must know beyond the list of actions. */
export function notesOf(
  { quote, policy, plan, owner, via, gate, request, nowMs, passedAlone = [] }: NotesInput,
  covered: readonly PlanStep[],
): string[] {
  const covers = (name: string): boolean => covered.some(({ step }) => step === name);
  const notes: string[] = [];
  if (isOverdue(policy, nowMs)) notes.push(`Overdue: ${overdueText(policy)}.`);
  if (request.data !== undefined) notes.push(`The product is to hold ${request.data} data.`);
  for (const { text } of plan.anomalies ?? []) notes.push(`Unusual: ${text}.`);
  if (via.length > 0) notes.push(`Asked through ${via.map(answeredFor).join(', then ')}.`);
  for (const { gateId, person } of passedAlone)
    notes.push(`${person} passed the gate ${gateId} of this run alone, by break-glass.`);
  if (policy.solo)
    notes.push(`One person governs here: this may be approved by its owner, ${owner}.`);
  if (needsWord(quote) && quote.customer.kind === 'adopt' && plan.gates[0]?.gate === gate)
    notes.push(
      `The customer ${quote.customer.customerId} was found by e-mail and does not bear our marker. Approving says that it is the principal's own.`,
    );
  const linked = covered.find(({ action }) => action?.operation === 'accounts.link');
  if (linked !== undefined)
    notes.push(
      `${linked.title}: known as the principal's by an e-mail address that nobody here has verified. It is used only once its owner has let us in there; approving says that it is the principal's own.`,
    );
  if (request.tearsDown !== undefined)
    notes.push(
      'What is torn down is gone for good: no reversal makes it again, and stopping half-way leaves it half torn down.',
      'Nothing is refunded. What another run uses by then is left alone, and the teardown ends there.',
    );
  if (covers(PIVOT) && quote.domain.kind === 'register') {
    const renewal = formatAmount({
      minor: quote.domain.renewalMinor,
      currency: quote.domain.currency,
    });
    notes.push(
      'This cannot be undone: the name stays registered and paid for until it expires.',
      'The price is read again within 10 seconds before the purchase. The registrar takes no maximum price: a rise within these seconds would be charged, booked and reported.',
      `Automatic renewal is off. Keeping the name costs ${renewal} a year, which is a decision of its own.`,
    );
  }
  if (quote.site.kind === 'update' && covers('deploy-site'))
    notes.push(
      quote.site.liveBundle === undefined
        ? 'A site whose content we do not know is running there now.'
        : `The site ${quote.site.liveBundle} is running there now.`,
    );
  return notes;
}
