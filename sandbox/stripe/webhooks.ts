import { setTimeout as delay } from 'node:timers/promises';
import Stripe from 'stripe';
import { z } from 'zod';
import { readMembers } from '../core/provider.js';
import type { PersonAction } from '../core/provider.js';
import type { World, Worlds } from '../core/world.js';
import { calledOut } from './events.js';
import type { Seen, StripeEvent } from './events.js';

/** How long after a failed try the next one comes, by the world's clock, in ms; after the last nobody tries again. */
const RETRY_MS = [1_000, 5_000, 30_000, 300_000, 3_600_000, 6 * 3_600_000, 24 * 3_600_000];
const LOOK_EVERY_MS = 200;
const ANSWER_MS = 10_000;
/** A world that lives for long forgets what was delivered first. */
const KEPT_MAX = 2_000;

interface Delivery {
  readonly event: StripeEvent;
  /** In ms of the world's clock; null: delivered, or given up. */
  nextAt: number | null;
  /** What was answered to each try; 0: nothing was. */
  readonly answers: number[];
}

interface Webhooks {
  endpoint: { url: string; secret: string } | null;
  /** How often each event is sent: more than once shows who counts them. */
  copies: number;
  order: 'made' | 'reversed';
  /** Nothing leaves until it is let go. */
  held: boolean;
  seen: Record<string, Seen>;
  deliveries: Delivery[];
}

const SLOT = 'stripe-webhooks';

const webhooksOf = (world: World): Webhooks =>
  world.slot(SLOT, () => ({
    endpoint: null,
    copies: 1,
    order: 'made',
    held: false,
    seen: {},
    deliveries: [],
  }));

/** The same of a world that has an endpoint, or had; looking makes none. */
const peekAt = (world: World): Webhooks | undefined => world.peek(SLOT) as Webhooks | undefined;

const endpointSchema = z.strictObject({
  do: z.string(),
  url: z.url({ protocol: /^https?$/ }),
  secret: z.string().regex(/^whsec_\S{16,}$/, 'a secret is whsec_ and at least 16 characters'),
});
const knobsSchema = z.strictObject({
  do: z.string(),
  copies: z.int().min(1).max(5).optional(),
  order: z.enum(['made', 'reversed']).optional(),
  held: z.boolean().optional(),
});

/** What a person does in Stripe's pages about webhooks, and what a test does about their delivery. */
export const webhookPeople: Readonly<Record<string, PersonAction>> = {
  'add-webhook-endpoint': (world, body) => {
    const { secret, url } = readMembers(endpointSchema, body);
    const webhooks = webhooksOf(world);
    // What is there already is not called out: an endpoint hears of what happens from now on.
    if (webhooks.endpoint === null) calledOut(world, webhooks.seen);
    webhooks.endpoint = { url, secret };
    return { url };
  },
  webhooks: (world, body) => {
    const { copies, held, order } = readMembers(knobsSchema, body);
    const webhooks = webhooksOf(world);
    // What changed before a knob was turned is sent as it was turned before.
    if (webhooks.endpoint !== null) note(world, webhooks);
    webhooks.copies = copies ?? webhooks.copies;
    webhooks.order = order ?? webhooks.order;
    webhooks.held = held ?? webhooks.held;
    return { copies: webhooks.copies, order: webhooks.order, held: webhooks.held };
  },
};

/** What was called out in a world, and what was answered: shown in its truth, without the secret. */
export function webhookTruth(world: World): { readonly webhooks?: readonly unknown[] } {
  const webhooks = peekAt(world);
  if (webhooks === undefined) return {};
  return {
    webhooks: webhooks.deliveries.map(({ answers, event, nextAt }) => ({
      id: event.id,
      type: event.type,
      object: (event.data.object as { id: string }).id,
      answers,
      due: nextAt,
    })),
  };
}

function note(world: World, webhooks: Webhooks): void {
  const created = Math.floor(world.now() / 1_000);
  for (const { object, type } of calledOut(world, webhooks.seen)) {
    const event: StripeEvent = {
      ...{ id: world.id('evt_'), object: 'event', api_version: '2026-10-28.endive', created, type },
      ...{ livemode: false, pending_webhooks: 1, request: null, data: { object } },
    };
    webhooks.deliveries.push({ event, nextAt: world.now(), answers: [] });
  }
  const over = webhooks.deliveries.length - KEPT_MAX;
  if (over > 0) webhooks.deliveries.splice(0, over);
}

/** Sends what the worlds call out to their endpoints, again and again until it is taken. Answers what stops it. */
export function startWebhooks(worlds: Worlds): () => Promise<void> {
  const stopping = new AbortController();
  const looked = new Map<string, number>();
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      for (const world of worlds.all()) await look(world, looked, stopping.signal);
      await delay(LOOK_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = loop();
  return async () => {
    stopping.abort();
    await running;
  };
}

async function look(world: World, looked: Map<string, number>, signal: AbortSignal): Promise<void> {
  const webhooks = peekAt(world);
  if (webhooks?.endpoint == null) return;
  const { revision } = world;
  if (looked.get(world.name) !== revision) {
    note(world, webhooks);
    looked.set(world.name, revision);
  }
  if (webhooks.held) return;
  const due = webhooks.deliveries.filter(({ nextAt }) => nextAt !== null && nextAt <= world.now());
  if (webhooks.order === 'reversed') due.reverse();
  for (let copy = 0; copy < webhooks.copies; copy += 1)
    for (const delivery of due) await send(world, webhooks.endpoint, delivery, signal);
  if (due.length > 0) await world.save();
}

async function send(
  world: World,
  { secret, url }: { readonly secret: string; readonly url: string },
  delivery: Delivery,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const payload = JSON.stringify(delivery.event);
  const status = await fetch(url, {
    method: 'POST',
    redirect: 'manual',
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload, secret }),
      connection: 'close',
    },
    body: payload,
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
  }).then(
    async (answer) => {
      await answer.body?.cancel();
      return answer.status;
    },
    () => 0,
  );
  const tried = delivery.answers.push(status);
  const taken = status >= 200 && status < 300;
  const wait = RETRY_MS[tried - 1];
  delivery.nextAt = taken || wait === undefined ? null : world.now() + wait;
}
