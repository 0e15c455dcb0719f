import type { Call } from './call.js';
import type {
  BalanceTransaction,
  Charge,
  Dispute,
  PaymentIntent,
  Refund,
  RefundReason,
  RefundStatus,
} from './payment-objects.js';
import { newCharge } from './payment-objects.js';
import { invalid } from './problem.js';

/** What the provider keeps of a charge: 2.9 % and 30 cents. A refund does not bring it back. */
const FEE_PER_MILLE = 29;
const FEE_FIXED_MINOR = 30;
const DISPUTE_FEE_MINOR = 1_500;

export function feeOf(amountMinor: number): number {
  return Math.round((amountMinor * FEE_PER_MILLE) / 1_000) + FEE_FIXED_MINOR;
}

/** Books a movement on the balance. Amounts in cents; `amount` is signed. */
function book(
  call: Call,
  move: Pick<BalanceTransaction, 'amount' | 'currency' | 'source' | 'type'> & { fee?: number },
): BalanceTransaction {
  const { fee = 0, ...given } = move;
  const transaction: BalanceTransaction = {
    id: call.id('txn'),
    object: 'balance_transaction',
    available_on: call.now,
    balance_type: 'payments',
    created: call.now,
    description: null,
    exchange_rate: null,
    fee,
    fee_details:
      fee === 0
        ? []
        : [
            {
              amount: fee,
              application: null,
              currency: given.currency,
              description: 'Processing fees',
              type: 'stripe_fee',
            },
          ],
    net: given.amount - fee,
    reporting_category: given.type,
    status: 'available',
    ...given,
  };
  call.state.balanceTransactions[transaction.id] = transaction;
  return transaction;
}

/** Takes the money of an intent, or notes the failed try. */
export function charge(
  call: Call,
  intent: PaymentIntent,
  { paymentMethod, succeeded, at }: { paymentMethod: string; succeeded: boolean; at: number },
): Charge {
  const made = newCharge(call.id('ch'), intent, { created: at, paymentMethod, succeeded });
  call.state.charges[made.id] = made;
  intent.latest_charge = made.id;
  if (!succeeded) return made;
  const { id, amount, currency } = made;
  const fee = feeOf(amount);
  made.balance_transaction = book(call, { amount, currency, fee, source: id, type: 'charge' }).id;
  if (call.key !== undefined) call.state.chargeKeys[id] = call.key;
  return made;
}

interface GivenRefund {
  readonly amountMinor: number | undefined;
  readonly reason: RefundReason | null;
  readonly metadata: Record<string, string>;
  readonly status: RefundStatus;
}

/** Gives money of a charge back. @throws StripeProblem 400 beyond what is left of it. */
export function refund(call: Call, from: Charge, given: GivenRefund): Refund {
  const left = from.amount - from.amount_refunded;
  if (from.status !== 'succeeded') {
    throw invalid(`Charge ${from.id} has not succeeded and can't be refunded.`, 'charge');
  }
  if (from.disputed) {
    throw invalid(
      `Charge ${from.id} has been charged back; cannot issue a refund.`,
      'charge',
      'charge_disputed',
    );
  }
  if (left === 0) {
    throw invalid(
      `Charge ${from.id} has already been refunded.`,
      'charge',
      'charge_already_refunded',
    );
  }
  const amount = given.amountMinor ?? left;
  if (amount < 1) throw invalid('Invalid positive integer', 'amount', 'parameter_invalid_integer');
  if (amount > left) {
    throw invalid(
      `Refund amount (${dollars(amount)}) is greater than unrefunded amount on charge ` +
        `(${dollars(left)})`,
      'amount',
    );
  }
  const { id, currency, customer, payment_intent: intent, payment_method: method } = from;
  const made: Refund = {
    id: call.id('re'),
    object: 'refund',
    amount,
    balance_transaction: null,
    charge: id,
    created: call.now,
    currency,
    customer,
    customer_account: null,
    destination_details: { card: { type: 'refund' }, type: 'card' },
    metadata: given.metadata,
    payment_intent: intent,
    payment_method: method,
    ...(given.status === 'pending' ? { pending_reason: 'processing' as const } : {}),
    reason: given.reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status: given.status,
    transfer_reversal: null,
  };
  call.state.refunds[made.id] = made;
  const out = book(call, { amount: -amount, currency, source: made.id, type: 'refund' });
  made.balance_transaction = out.id;
  from.amount_refunded += amount;
  from.refunded = from.amount_refunded === from.amount;
  if (given.status === 'failed') failRefund(call, made);
  return made;
}

/** A refund that the bank sent back: the money is on the balance again, the charge unrefunded. */
export function failRefund(call: Call, made: Refund): void {
  made.status = 'failed';
  made.failure_reason = 'lost_or_stolen_card';
  delete made.pending_reason;
  const { amount, currency, id: source } = made;
  made.failure_balance_transaction = book(call, {
    amount,
    currency,
    source,
    type: 'refund_failure',
  }).id;
  const from = call.find('charges', 'charge', made.charge);
  from.amount_refunded -= amount;
  from.refunded = false;
}

/** The cardholder's bank takes the money back, with a fee. */
export function dispute(call: Call, from: Charge): Dispute {
  if (from.disputed) throw invalid(`Charge ${from.id} is disputed already.`, 'charge');
  const amount = from.amount - from.amount_refunded;
  const { id: charged, currency, payment_intent: intent } = from;
  from.disputed = true;
  const id = call.id('dp');
  const made: Dispute = {
    id,
    object: 'dispute',
    amount,
    balance_transactions: [
      book(call, {
        amount: -amount,
        currency,
        fee: DISPUTE_FEE_MINOR,
        source: id,
        type: 'adjustment',
      }),
    ],
    charge: charged,
    created: call.now,
    currency,
    enhanced_eligibility_types: [],
    evidence: {},
    evidence_details: {},
    intended_submission_method: null,
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: intent,
    reason: 'fraudulent',
    status: 'needs_response',
  };
  call.state.disputes[id] = made;
  return made;
}

function dollars(minor: number): string {
  return `$${Math.floor(minor / 100)}.${String(minor % 100).padStart(2, '0')}`;
}
