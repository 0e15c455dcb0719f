import type { Call } from './call.js';
import { invalid } from './problem.js';
import type { Collections } from './state.js';

type Plain = Record<string, unknown>;

/** Which collection an id's prefix names. */
const BY_PREFIX: readonly (readonly [string, keyof Collections])[] = [
  ['cus_', 'customers'],
  ['pm_', 'paymentMethods'],
  ['seti_', 'setupIntents'],
  ['prod_', 'products'],
  ['price_', 'prices'],
  ['sub_', 'subscriptions'],
  ['in_', 'invoices'],
  ['inpay_', 'invoicePayments'],
  ['pi_', 'paymentIntents'],
  ['ch_', 'charges'],
  ['re_', 'refunds'],
  ['cn_', 'creditNotes'],
  ['txn_', 'balanceTransactions'],
  ['dp_', 'disputes'],
];

const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function objectOf(call: Call, id: string): Plain | undefined {
  const collection = BY_PREFIX.find(([prefix]) => id.startsWith(prefix))?.[1];
  if (collection === undefined) return undefined;
  const held: Record<string, object> = call.state[collection];
  const found = held[id];
  return found === undefined ? undefined : { ...structuredClone(found) };
}

/** Members that an invoice shows only when asked to. */
function includable(call: Call, owner: Plain, member: string): Plain | undefined {
  if (owner['object'] !== 'invoice') return undefined;
  const payments = Object.values(call.state.invoicePayments).filter(
    ({ invoice }) => invoice === owner['id'],
  );
  if (member === 'payments') {
    return {
      object: 'list',
      data: structuredClone(payments),
      has_more: false,
      url: `/v1/invoice_payments?invoice=${String(owner['id'])}`,
    };
  }
  if (member !== 'confirmation_secret') return undefined;
  const intent = payments[0]?.payment.payment_intent;
  const secret = intent === undefined ? undefined : call.state.paymentIntents[intent];
  return secret === undefined
    ? undefined
    : { client_secret: secret.client_secret, type: 'payment_intent' };
}

function expandAt(call: Call, owner: Plain, [member = '', ...rest]: string[], path: string): void {
  if (owner[member] === undefined) {
    const included = includable(call, owner, member);
    if (included === undefined && !(owner['object'] === 'invoice' && member.startsWith('conf'))) {
      throw invalid(`This property cannot be expanded (${path}).`, 'expand');
    }
    owner[member] = included ?? null;
  }
  const value = owner[member];
  if (typeof value === 'string') {
    const object = objectOf(call, value);
    if (object === undefined) {
      throw invalid(`This property cannot be expanded (${path}).`, 'expand');
    }
    owner[member] = object;
  }
  if (rest.length === 0) return;
  const next = owner[member];
  const nexts: unknown[] = Array.isArray(next) ? next : [next];
  for (const one of nexts) if (isPlain(one)) expandAt(call, one, rest, path);
}

/** A copy of `object` with the wanted members put in place of their ids, at most four deep. */
export function expanded(call: Call, object: object, paths: readonly string[]): Plain {
  const copy: Plain = { ...structuredClone(object) };
  for (const path of paths) {
    const parts = path.split('.');
    if (parts.filter((part) => part !== 'data').length > 4) {
      throw invalid('You cannot expand more than 4 levels of a property.', 'expand');
    }
    expandAt(call, copy, parts, path);
  }
  return copy;
}
