import type Stripe from 'stripe';
import { Failure } from '../domain/errors.js';
import type { EffectId } from '../domain/ids.js';
import { databaseNow } from '../store/clock.js';
import { disputeRead, findingAtStripe, refundFailed } from '../store/money-back.js';
import { markWebhookEventsHandled, takeWebhookEvents } from '../store/webhook-events.js';
import type { WebhookEvent } from '../store/webhook-events.js';
import type { EffectRow } from './door-contract.js';
import { parseMarker } from './marker.js';
import type { Parts } from './parts.js';
import { reading } from './reading.js';

/** What a bank takes or sends back, as read at Stripe. Amounts in minor units, currencies in upper case. */
export interface DisputeSeen {
  readonly disputeId: string;
  readonly charge: string;
  readonly paymentIntent: string | undefined;
  readonly status: string;
  readonly amountMinor: number;
  /** What its movements on the balance come to by now. */
  readonly withheldMinor: number;
  readonly feeMinor: number;
}

export interface RefundSeen {
  readonly refundId: string;
  readonly amountMinor: number;
  readonly failed: boolean;
  /** The effect whose reversal made it. */
  readonly marker: string | undefined;
}

export interface UnpaidSeen {
  readonly subscriptionId: string;
  readonly status: string;
  readonly unpaid: boolean;
  readonly marker: string | undefined;
}

/** Reads by get and list, never by search. Written in activities/stripe/money-back.ts. */
export interface MoneyBackReaders {
  dispute(client: Stripe, id: string): Promise<DisputeSeen | undefined>;
  disputesSince(client: Stripe, sinceS: number): Promise<readonly DisputeSeen[]>;
  refund(client: Stripe, id: string): Promise<RefundSeen | undefined>;
  refundsSince(client: Stripe, sinceS: number): Promise<readonly RefundSeen[]>;
  /** The effect that made the subscription for which a payment was taken. */
  markerOfPayment(client: Stripe, paymentIntent: string): Promise<string | undefined>;
  /** The subscription that an invoice is of. */
  subscriptionOfInvoice(client: Stripe, invoice: string): Promise<UnpaidSeen | undefined>;
}

const DISPUTE_EVENTS = [
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.dispute.closed',
  'charge.dispute.funds_withdrawn',
  'charge.dispute.funds_reinstated',
] as const;
const REFUND_EVENTS = ['refund.updated', 'refund.failed', 'charge.refund.updated'] as const;
const INVOICE_EVENTS = ['invoice.payment_failed'] as const;
const TYPES: readonly string[] = [...DISPUTE_EVENTS, ...REFUND_EVENTS, ...INVOICE_EVENTS];

const EVENTS_AT_ONCE = 100;
/** How far back lists go: a bank may dispute for 120 days, and a refund fails within some. In s. */
const LOOK_BACK_S = 130 * 86_400;

/** How many things were new on record. */
export interface MoneyBack {
  readonly news: number;
  /** Could not be read this time; looked at again. */
  readonly unread: number;
}

/**
 * What providers called out: each names an object, which is read at the provider and booked as it stands there; nothing
 * of the call itself is believed. Twice, late and in any order come to the same. An object that cannot be read stays
 * unhandled, and has its turn again.
 */
export async function handleWakeups(parts: Parts, readers: MoneyBackReaders): Promise<MoneyBack> {
  const events = await takeWebhookEvents(parts.db, { types: TYPES, limit: EVENTS_AT_ONCE });
  const client = parts.providers.forReading('reads').stripe;
  let news = 0;
  let unread = 0;
  for (const event of events) {
    try {
      if (await woken(parts, { readers, client }, event)) news += 1;
      await markWebhookEventsHandled(parts.db, [event.event_id]);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      unread += 1;
    }
  }
  return { news, unread };
}

/** The same without any call: everything that a bank took or sent back lately. */
export async function readMoneyBack(parts: Parts, readers: MoneyBackReaders): Promise<MoneyBack> {
  const client = parts.providers.forReading('reads').stripe;
  const sinceS = Math.floor((await databaseNow(parts.db)).getTime() / 1_000) - LOOK_BACK_S;
  const read = <T>(what: string, body: () => Promise<T>): Promise<T> =>
    reading('stripe', what, (error) => parts.readers.stripe.classify(error), body);
  let news = 0;
  for (const seen of await read('disputes', () => readers.disputesSince(client, sinceS)))
    if (await bookDispute(parts, { readers, client }, seen)) news += 1;
  for (const seen of await read('refunds', () => readers.refundsSince(client, sinceS)))
    if (await bookRefund(parts, seen)) news += 1;
  return { news, unread: 0 };
}

interface At {
  readonly readers: MoneyBackReaders;
  readonly client: Stripe;
}

const among = (types: readonly string[], type: string): boolean => types.includes(type);

async function woken(
  parts: Parts,
  at: At,
  { object_id: id, type }: Pick<WebhookEvent, 'object_id' | 'type'>,
): Promise<boolean> {
  const { client, readers } = at;
  const read = <T>(what: string, body: () => Promise<T>): Promise<T> =>
    reading('stripe', what, (error) => parts.readers.stripe.classify(error), body);
  if (among(DISPUTE_EVENTS, type)) {
    const seen = await read('the dispute', () => readers.dispute(client, id));
    return seen !== undefined && bookDispute(parts, at, seen);
  }
  if (among(REFUND_EVENTS, type)) {
    const seen = await read('the refund', () => readers.refund(client, id));
    return seen !== undefined && bookRefund(parts, seen);
  }
  const seen = await read('the invoice', () => readers.subscriptionOfInvoice(client, id));
  return seen?.unpaid === true && noteUnpaid(parts, seen);
}

/** The row of the effect that a marker names, where it is one of this instance. */
async function ours(parts: Parts, marker: string | undefined): Promise<EffectRow | undefined> {
  if (marker === undefined || parseMarker(marker)?.instance !== parts.instance) return undefined;
  return parts.door.row(marker as EffectId);
}

const OVER: readonly string[] = ['won', 'warning_closed'];

async function bookDispute(
  parts: Parts,
  { client, readers }: At,
  seen: DisputeSeen,
): Promise<boolean> {
  const { charge, disputeId, feeMinor, paymentIntent, status, withheldMinor } = seen;
  if (paymentIntent === undefined) return false;
  const marker = await reading(
    'stripe',
    'the payment',
    (error) => parts.readers.stripe.classify(error),
    () => readers.markerOfPayment(client, paymentIntent),
  );
  const row = await ours(parts, marker);
  // Nobody's here: `reconcile` lists it.
  if (row === undefined) return false;
  const { effectId, runId } = row;
  const news = await disputeRead(parts.db, {
    disputeId,
    effectId,
    charge,
    status,
    withheldMinor,
    feeMinor,
  });
  if (!OVER.includes(status))
    await findingAtStripe(parts.db, {
      name: `dispute/stripe/${disputeId}`,
      kind: 'dispute',
      object: disputeId,
      runId,
      effectId,
      text: `the dispute ${disputeId} over the charge ${charge} holds ${seen.amountMinor} back: it is ${status}`,
    });
  return news;
}

async function bookRefund(parts: Parts, seen: RefundSeen): Promise<boolean> {
  const { amountMinor, failed, refundId } = seen;
  if (!failed) return false;
  const row = await ours(parts, seen.marker);
  if (row === undefined) return false;
  return refundFailed(parts.db, { refundId, effectId: row.effectId, amountMinor });
}

async function noteUnpaid(parts: Parts, seen: UnpaidSeen): Promise<boolean> {
  const row = await ours(parts, seen.marker);
  if (row === undefined) return false;
  const { status, subscriptionId } = seen;
  return findingAtStripe(parts.db, {
    name: `payment-failed/stripe/subscription/${subscriptionId}`,
    kind: 'payment-failed',
    object: subscriptionId,
    runId: row.runId,
    effectId: row.effectId,
    text: `the subscription ${subscriptionId} is ${status}: its last invoice could not be charged`,
  });
}
