import { createHash } from 'node:crypto';
import type { World } from '../core/world.js';
import { stripeState } from './state.js';

/** What Stripe calls out about an object, as it was when it changed. */
export interface StripeEvent {
  readonly id: string;
  readonly object: 'event';
  readonly api_version: string;
  /** Seconds of the world's clock. */
  readonly created: number;
  readonly type: string;
  readonly livemode: false;
  readonly pending_webhooks: number;
  readonly request: null;
  readonly data: { readonly object: unknown };
}

/** What is remembered of an object, to find out that it changed, and how. */
export interface Seen {
  readonly digest: string;
  readonly status: string;
  /** Refunded so far in cents, tries to pay: whatever grows. */
  readonly grown: number;
}

interface Watched {
  readonly id: string;
  readonly status?: string;
}

type TypesOf<T> = (now: T, before: Seen | undefined) => readonly string[];

interface Kind<T extends Watched> {
  readonly objects: (world: World) => Readonly<Record<string, T>>;
  readonly grown?: (object: T) => number;
  readonly types: TypesOf<T>;
}

const ended = (status: string | undefined): boolean =>
  status === 'canceled' || status === 'incomplete_expired';

const kind = <T extends Watched>(of: Kind<T>): ((world: World, seen: SeenById) => Called[]) => {
  return (world, seen) =>
    Object.values(of.objects(world)).flatMap((object) => {
      const digest = createHash('sha256').update(JSON.stringify(object)).digest('base64url');
      const before = seen[object.id];
      if (before?.digest === digest) return [];
      const grown = of.grown?.(object) ?? 0;
      const types = of.types(object, before);
      seen[object.id] = { digest, status: object.status ?? '', grown };
      return types.map((type) => ({ type, object: structuredClone(object) }));
    });
};

type SeenById = Record<string, Seen>;

/** An event that has not got its id yet. */
export interface Called {
  readonly type: string;
  readonly object: unknown;
}

/** What changed calls out; the order is that of a real endpoint's log: money last. */
const KINDS: readonly ((world: World, seen: SeenById) => Called[])[] = [
  kind({
    objects: (world) => stripeState(world).subscriptions,
    types: ({ status }, before) => {
      if (before === undefined) return ['customer.subscription.created'];
      return ended(status) && !ended(before.status)
        ? ['customer.subscription.deleted']
        : ['customer.subscription.updated'];
    },
  }),
  kind({
    objects: (world) => stripeState(world).invoices,
    grown: ({ attempt_count: attempts }) => attempts,
    types: ({ attempt_count: attempts, status }, before) => [
      ...(before === undefined ? ['invoice.created'] : []),
      ...(status === 'paid' && before?.status !== 'paid' ? ['invoice.paid'] : []),
      ...(status === 'void' && before?.status !== 'void' ? ['invoice.voided'] : []),
      ...(status === 'open' && attempts > (before?.grown ?? 0) ? ['invoice.payment_failed'] : []),
    ],
  }),
  kind({
    objects: (world) => stripeState(world).charges,
    grown: ({ amount_refunded: refunded }) => refunded,
    types: ({ amount_refunded: refunded }, before) =>
      refunded > (before?.grown ?? 0) ? ['charge.refunded'] : [],
  }),
  kind({
    objects: (world) => stripeState(world).refunds,
    types: ({ status }, before) => [
      ...(before === undefined ? ['refund.created'] : ['refund.updated', 'charge.refund.updated']),
      ...(status === 'failed' && before?.status !== 'failed' ? ['refund.failed'] : []),
    ],
  }),
  kind({
    objects: (world) => stripeState(world).disputes,
    types: (_dispute, before) =>
      before === undefined
        ? ['charge.dispute.created', 'charge.dispute.funds_withdrawn']
        : ['charge.dispute.updated'],
  }),
];

/** Everything that changed in a world since it was last looked at; `seen` is brought up to date. */
export const calledOut = (world: World, seen: SeenById): Called[] =>
  KINDS.flatMap((look) => look(world, seen));
