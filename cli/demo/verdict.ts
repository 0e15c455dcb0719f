import { request as httpRequest } from 'node:http';
import type { RunState } from '../../domain/plan.js';
import type { Truth } from '../../sandbox/control-client.js';
import { StoryFailed, type Stage } from './stage.js';

/** What really exists of one run, told by the sandbox alone. Amounts in cents. */
export interface Found {
  readonly customers: number;
  readonly subscriptions: number;
  readonly charges: readonly { readonly amountMinor: number; readonly refundedMinor: number }[];
  readonly domainCharges: readonly { readonly amountMinor: number }[];
  readonly registered: boolean;
  readonly renewsByItself: boolean;
  readonly workers: number;
  readonly customDomains: number;
  readonly records: number;
}

/** Filters the truth down to one run: by the marker it left, and by its domain. */
export function foundOf(
  truth: Truth,
  run: { readonly runId: string; readonly domain: string },
): Found {
  const ours = (marker: string | null | undefined): boolean => marker?.split('/')[1] === run.runId;
  const living = (kind: string, is: (one: Truth['living'][number]) => boolean): number =>
    truth.living.filter((one) => one.kind === kind && is(one)).length;
  const registrations = truth.cloudflare['registrations'] as readonly {
    readonly domain: string;
    readonly autoRenew: boolean;
  }[];
  const registration = registrations.find(({ domain }) => domain === run.domain);
  return {
    customers: living('customer', ({ marker }) => ours(marker)),
    subscriptions: truth.living.filter(
      ({ provider, kind, marker }) =>
        provider === 'stripe' && kind === 'subscription' && ours(marker),
    ).length,
    charges: truth.charges.filter(
      ({ provider, idempotencyKey }) => provider === 'stripe' && ours(idempotencyKey),
    ),
    domainCharges: truth.charges.filter(
      ({ provider, object }) => provider === 'cloudflare' && object === run.domain,
    ),
    registered: registration !== undefined,
    renewsByItself: registration?.autoRenew ?? false,
    workers: living('worker', ({ marker }) => ours(marker)),
    customDomains: living('custom-domain', ({ name }) => name === run.domain),
    records: living('dns-record', ({ name }) => name === `TXT ${run.domain}`),
  };
}

/** What exists, less the money: that is compared on its own. */
function thingsOf(found: Found): Omit<Found, 'charges' | 'domainCharges'> {
  const { customers, subscriptions, registered, renewsByItself, workers, customDomains, records } =
    found;
  return { customers, subscriptions, registered, renewsByItself, workers, customDomains, records };
}

/** @throws StoryFailed naming what was expected and what was seen */
export function expect<T>(what: string, seen: T, wanted: T): void {
  if (JSON.stringify(seen) === JSON.stringify(wanted)) return;
  throw new StoryFailed(
    `${what}: expected ${JSON.stringify(wanted)}, and the world shows ${JSON.stringify(seen)}`,
  );
}

/** @throws StoryFailed saying how it ended instead */
export function expectEnd(state: RunState, wanted: RunState['phase']): void {
  if (state.phase !== wanted)
    throw new StoryFailed(`run ${state.runId} ended ${state.phase}, not ${wanted}: ${state.why}`);
}

/** A page as a visitor gets it: by Host from the edge, which knows nothing of us. */
export function visit(
  edgeUrl: string,
  host: string,
  path = '/',
): Promise<{ status: number; body: Buffer }> {
  const { hostname, port } = new URL(edgeUrl);
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ hostname, port, path, headers: { host } }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts) });
      });
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** One of everything, and the approved bytes under the domain's own name. */
export async function expectLive(
  stage: Stage,
  run: { readonly runId: string; readonly domain: string },
  domainMinor = 1120,
): Promise<void> {
  const found = foundOf(await stage.truth(), run);
  expect(
    'charges for the subscription, in cents',
    found.charges.map(({ amountMinor, refundedMinor }) => [amountMinor, refundedMinor]),
    [[1900, 0]],
  );
  expect(
    'charges for the domain, in cents',
    found.domainCharges.map(({ amountMinor }) => amountMinor),
    [domainMinor],
  );
  expect('what exists', thingsOf(found), {
    customers: 1,
    subscriptions: 1,
    registered: true,
    renewsByItself: false,
    workers: 1,
    customDomains: 1,
    records: 1,
  });
  const edge = stage.stack.endpoints.sandbox?.edgeUrl ?? '';
  const page = await visit(edge, run.domain);
  expect('status of the page', page.status, 200);
  if (!page.body.equals(stage.page))
    throw new StoryFailed(`https://${run.domain}/ does not answer with the approved bytes`);
}

/** Nothing of the run but what its residue names: the domain, where it was bought, which does not renew. */
export async function expectTakenBack(
  stage: Stage,
  run: { readonly runId: string; readonly domain: string },
  of: { readonly charged: boolean; readonly domain: boolean },
): Promise<void> {
  const found = foundOf(await stage.truth(), run);
  expect(
    'the charge and what of it was given back, in cents',
    found.charges.map(({ amountMinor, refundedMinor }) => [amountMinor, refundedMinor]),
    of.charged ? [[1900, 1900]] : [],
  );
  expect('charges for the domain', found.domainCharges.length, of.domain ? 1 : 0);
  expect('what is left', thingsOf(found), {
    customers: 0,
    subscriptions: 0,
    registered: of.domain,
    renewsByItself: false,
    workers: 0,
    customDomains: 0,
    records: 0,
  });
}
