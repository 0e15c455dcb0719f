import { canonicalize } from './canonical.js';
import type { ActionDocument, CardDocument } from './documents.js';
import { formatAmount } from './money.js';

interface Side {
  readonly card: CardDocument;
  readonly actions: readonly ActionDocument[];
}

type Change = CardDocument['changes'][number];
const CHANGES_MAX = 50;
const WORDS_MAX = 300;

/** What differs between two revisions of a gate, in the approver's words: each fact before and after. */
export function cardChanges(before: Side, after: Side): Change[] {
  const steps = new Set([...before.actions, ...after.actions].map(({ step }) => step));
  const changes = [
    ...[...steps].flatMap((step) =>
      actionChanges(
        step,
        before.actions.find((action) => action.step === step),
        after.actions.find((action) => action.step === step),
      ),
    ),
    ...changed('total', amounts(before.card).total, amounts(after.card).total),
    ...changed('each month', amounts(before.card).monthly, amounts(after.card).monthly),
    ...changed('each year', amounts(before.card).yearly, amounts(after.card).yearly),
    ...changed('policy', policyOf(before.card), policyOf(after.card)),
    ...changed('terms to accept', termsOf(before.card), termsOf(after.card)),
    ...changed('environment', before.card.environment, after.card.environment),
  ];
  return changes.slice(0, CHANGES_MAX);
}

function changed(what: string, before: string, after: string): Change[] {
  return before === after ? [] : [{ what, before: cut(before), after: cut(after) }];
}

const cut = (text: string): string => {
  const characters = Array.from(text);
  return characters.length > WORDS_MAX ? `${characters.slice(0, WORDS_MAX).join('')}…` : text;
};

function amounts({ totalMaxMinor, monthlyMinor, yearlyMinor, currency }: CardDocument) {
  const text = (minor: number): string => formatAmount({ minor, currency });
  return { total: text(totalMaxMinor), monthly: text(monthlyMinor), yearly: text(yearlyMinor) };
}

const policyOf = ({ policyVersion, policyDigest }: CardDocument): string =>
  `version ${policyVersion}, ${policyDigest}`;
const termsOf = ({ terms }: CardDocument): string =>
  terms.map(({ provider, version }) => `${provider} ${version}`).join(', ');

function actionChanges(
  step: string,
  before: ActionDocument | undefined,
  after: ActionDocument | undefined,
): Change[] {
  if (before === undefined || after === undefined)
    return changed(
      step,
      before === undefined ? 'not asked' : 'asked',
      after === undefined ? 'not asked' : 'asked',
    );
  const names = new Set([...Object.keys(before.params), ...Object.keys(after.params)]);
  return [
    ...changed(`${step}: most it may cost`, cost(before), cost(after)),
    ...changed(`${step}: operation`, before.operation, after.operation),
    ...changed(`${step}: account`, canonicalize(before.account), canonicalize(after.account)),
    ...[...names].flatMap((name) => paramChange(step, name, before, after)),
    ...changed(`${step}: what stays`, before.residue.text, after.residue.text),
  ];
}

const cost = ({ costMaxMinor, currency }: ActionDocument): string =>
  formatAmount({ minor: costMaxMinor, currency });

function paramChange(
  step: string,
  name: string,
  before: ActionDocument,
  after: ActionDocument,
): Change[] {
  const [was, is] = [member(before, name), member(after, name)];
  // Who the customer is stays out of cards; that it has changed does not.
  return after.operation === 'customers.create' && was !== is
    ? [{ what: `${step}: ${name}`, before: 'another value', after: 'changed (not shown here)' }]
    : changed(`${step}: ${name}`, was, is);
}

function member({ params }: ActionDocument, name: string): string {
  const value = params[name];
  if (value === undefined) return '';
  return typeof value === 'string' ? value : canonicalize(value);
}
