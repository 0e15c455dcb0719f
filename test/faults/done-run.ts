import type { RunId } from '../../domain/ids.js';
import type { EffectStep } from '../../domain/steps.js';
import type { Truth } from '../../sandbox/control-client.js';
import { performed, upTo, type AtSandbox } from '../gateway/at-sandbox.js';
import { admitted, approved } from '../gateway/house.js';

/** A run with every step planned, DNS records among them, its plan approved. */
export async function planned(at: AtSandbox, runId = 'launch'): Promise<RunId> {
  const dns = [{ type: 'TXT', name: '@', content: 'hello' }];
  const run = await admitted(at, runId, { dns });
  await approved(at, run, 'plan');
  return run;
}

/** Puts a failure on record and closes the run's door with it. */
export async function failed(at: AtSandbox, runId: RunId, step: EffectStep): Promise<void> {
  await at.gateway.recordFailure(runId, step, 'VERIFICATION_FAILED', 'for good');
  await at.gateway.closeDoor(runId, { kind: 'failure', step });
}

/** Everything is done, a person lets the domain renew by itself, and then the run fails for good. */
export async function doneAndFailed(at: AtSandbox): Promise<RunId> {
  const runId = await planned(at);
  await upTo(at, runId, 'deploy-site', []);
  await performed(at, runId, 'attach-domain');
  const { account, domain } = await registered(at);
  await at.byHand('PATCH', `/client/v4/accounts/${account}/registrar/registrations/${domain}`, {
    auto_renew: true,
  });
  await failed(at, runId, 'attach-domain');
  return runId;
}

export async function registered(at: AtSandbox): Promise<{ account: string; domain: string }> {
  const { cloudflare } = await at.control.truth(at.world);
  const [held] = cloudflare['registrations'] as { accountId: string; domain: string }[];
  if (held === undefined) throw new Error('no domain is registered');
  return { account: held.accountId, domain: held.domain };
}

/** How a step is reported that was taken back. */
export const BACK: Readonly<Record<EffectStep, string>> = {
  'create-customer': 'reversed',
  'link-account': 'mitigated',
  'start-subscription': 'reversed',
  'register-domain': 'mitigated',
  'configure-dns': 'reversed',
  'deploy-site': 'reversed',
  'attach-domain': 'reversed',
};

const KINDS = new Set(['customer', 'subscription', 'dns-record', 'worker', 'custom-domain']);

/** What is left in the world, and what was paid and given back, in cents. */
export function left({ charges, living, cloudflare, stripe }: Truth) {
  const refunds = stripe['refunds'] as readonly { readonly amount: number }[];
  return {
    living: living.filter(({ kind }) => KINDS.has(kind)).map(({ kind, name }) => `${kind} ${name}`),
    charges: charges.map(({ amountMinor, refundedMinor }) => [amountMinor, refundedMinor]),
    refunds: refunds.map(({ amount }) => amount),
    renews: (cloudflare['registrations'] as readonly { readonly autoRenew: boolean }[]).map(
      ({ autoRenew }) => autoRenew,
    ),
  };
}

/** Nothing but the domain, which does not renew; the one charge given back once and whole. */
export const NOTHING_LEFT = {
  living: [],
  charges: [
    [1900, 1900],
    [1120, 0],
  ],
  refunds: [1900],
  renews: [false],
};
