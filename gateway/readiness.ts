import type { RunId } from '../domain/ids.js';
import type { StepName } from '../domain/steps.js';
import type { Readiness } from './contract.js';
import type { Effect } from './effect.js';
import type { Parts } from './parts.js';
import { reading } from './reading.js';
import { loadStanding, plannedStep, resolvedEffect } from './record.js';
import type { PlannedRun } from './record.js';

/** What a person still has to do at a provider before this step can act. Reads only. */
export async function readiness(parts: Parts, runId: RunId, step: StepName): Promise<Readiness> {
  const standing = await loadStanding(parts, runId);
  const { run, rows } = standing;
  // What is torn down needs no card and no consent.
  if (run.request.tearsDown !== undefined) return READY;
  if (step === 'verify-site' || plannedStep(run.plan, step)?.kind !== 'act') return READY;
  if (rows.get(step)?.state === 'succeeded') return READY;
  const ask = ASKS[step];
  if (ask === undefined) return READY;
  return ask(parts, run, await resolvedEffect(parts, standing, step, { role: 'reads' }));
}

const READY: Readiness = { ready: true };

type Ask = (parts: Parts, run: PlannedRun, effect: Effect) => Promise<Readiness>;

const ASKS: Readonly<Partial<Record<StepName, Ask>>> = {
  'link-account': async (parts, run, { account, document, params }) => {
    if (document.operation !== 'accounts.link') return READY;
    const readers = asking(parts);
    const seen = await readers.cloudflare((client, cloudflare) =>
      cloudflare.account(client, account),
    );
    const owner = memberOf(params, 'owner').toLowerCase();
    const consented = seen?.acceptedMembers.includes(owner) === true;
    return consented
      ? READY
      : {
          ready: false,
          need: `consent to use the Cloudflare account ${account}: add us, and be an accepted member yourself`,
          who: run.row.principal,
        };
  },
  'start-subscription': async (parts, run, { params }) => {
    const customer = memberOf(params, 'customer');
    const readers = asking(parts);
    const ready = await readers.stripe((client, stripe) =>
      stripe.hasPaymentMethod(client, customer),
    );
    return ready
      ? READY
      : {
          ready: false,
          need: `a default payment method for the Stripe customer ${customer}`,
          who: run.row.principal,
        };
  },
  'register-domain': async (parts, run, { account }) => {
    const readers = asking(parts);
    const ready = await readers.cloudflare((client, cloudflare) =>
      cloudflare.hasBilling(client, account),
    );
    return ready
      ? READY
      : {
          ready: false,
          need: `a way to pay in the Cloudflare account ${account}`,
          who: run.row.principal,
        };
  },
};

function asking(parts: Parts) {
  const clients = parts.providers.forReading('reads');
  const { cloudflare, stripe } = parts.readers;
  return {
    cloudflare: <T>(
      read: (client: typeof clients.cloudflare, readers: typeof cloudflare) => Promise<T>,
    ) =>
      reading(
        'cloudflare',
        'what a person has to do',
        (error) => cloudflare.classify(error),
        () => read(clients.cloudflare, cloudflare),
      ),
    stripe: <T>(read: (client: typeof clients.stripe, readers: typeof stripe) => Promise<T>) =>
      reading(
        'stripe',
        'what a person has to do',
        (error) => stripe.classify(error),
        () => read(clients.stripe, stripe),
      ),
  };
}

function memberOf(params: unknown, name: string): string {
  const value = (params as Readonly<Record<string, unknown>>)[name];
  if (typeof value !== 'string') throw new Error(`invariant: the action names its ${name}`);
  return value;
}
