import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { inventory } from '../../activities/inventory.js';
import { caseKind } from '../../domain/cases.js';
import { shortForm } from '../../domain/reconcile/records.js';
import { reconcile, reconcileWhenDue, type Reconciled } from '../../gateway/reconcile.js';
import { planned, registered } from '../faults/done-run.js';
import {
  openSandbox,
  performed,
  takenBack,
  upTo,
  type AtSandbox,
  type Sandboxed,
} from './at-sandbox.js';

const DAY = 86_400_000;
let sandbox: Sandboxed;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());

async function inWorld(world: string, body: (at: AtSandbox) => Promise<void>): Promise<void> {
  const at = await sandbox.open(world);
  try {
    const runId = await planned(at);
    await upTo(at, runId, 'deploy-site', []);
    await performed(at, runId, 'attach-domain');
    await at.wait(20_000);
    await body(at);
  } finally {
    await at.close();
  }
}

/** A pass, and what it sent: nothing that changes anything. */
async function passed(at: AtSandbox): Promise<Reconciled> {
  const before = (await at.control.truth(at.world)).requests.at(-1)?.seq ?? 0;
  const outcome = await reconcile(at.parts, inventory);
  const sent = (await at.control.truth(at.world)).requests.filter(({ seq }) => seq > before);
  expect(sent.length).toBe(outcome.requests);
  expect(sent.filter(({ method }) => method !== 'GET')).toEqual([]);
  expect(sent.filter(({ path }) => path.includes('search'))).toEqual([]);
  return outcome;
}

const names = ({ found }: Reconciled): string[] => found.map(({ name }) => name).sort();
const openCases = (at: AtSandbox) =>
  at.db.selectFrom('cases').selectAll().where('closed_at', 'is', null).orderBy('finding').execute();
const objectOf = async (at: AtSandbox, step: string): Promise<string> => {
  const row = await at.db
    .selectFrom('effects')
    .select('object')
    .where('step', '=', step)
    .executeTakeFirstOrThrow();
  return row.object ?? '';
};
const markOf = (at: AtSandbox, run: string, step: string): string =>
  `${at.instance}/${run}/${step}/act`;
const idOf = (answer: unknown): string => {
  const { id, result } = answer as { id?: string; result?: { id: string } };
  return id ?? result?.id ?? '';
};

test('a clean world gives nothing, and what was made outside is listed and left alone', async () => {
  await inWorld('clean', async (at) => {
    const clean = await passed(at);
    expect(clean).toMatchObject({ found: [], unread: [], opened: 0 });
    // The account of our own credential is nobody's here.
    expect(clean.unmanaged.map(({ kind }) => kind)).toEqual(['account']);
    const customer = idOf(await at.byHand('POST', '/v1/customers', { name: 'by hand' }));
    const { domain } = await registered(at);
    await at.control.people(at.world, {
      do: 'foreign-record',
      zone: domain,
      record: { type: 'TXT', name: 'elsewhere', content: 'theirs', ttl: 300 },
    });
    await at.byHand('POST', '/v1/customers', {
      'metadata[countersign_effect]': `${'0'.repeat(32)}/launch/create-customer/act`,
    });
    const truth = await at.control.truth(at.world);
    const outcome = await passed(at);
    expect(outcome.found).toEqual([]);
    expect(outcome.unmanaged.map(({ kind }) => kind).sort()).toEqual([
      'account',
      'customer',
      'customer',
      'dns-record',
    ]);
    expect(outcome.unmanaged.map(({ object }) => object)).toContain(customer);
    expect(await openCases(at)).toEqual([]);
    expect((await at.control.truth(at.world)).living).toEqual(truth.living);
  });
}, 120_000);

async function plant(at: AtSandbox): Promise<string[]> {
  const marked = (run: string, step: string) => ({
    'metadata[countersign_effect]': markOf(at, run, step),
  });
  const orphan = idOf(await at.byHand('POST', '/v1/customers', marked('ghost', 'create-customer')));
  const second = idOf(
    await at.byHand('POST', '/v1/customers', marked('launch', 'create-customer')),
  );
  const sub = idOf(
    await at.byHand('POST', '/v1/subscriptions', {
      customer: orphan,
      'items[0][price]': 'price_starter_monthly',
      ...marked('ghost', 'start-subscription'),
    }),
  );
  const { account, domain } = await registered(at);
  const truth = await at.control.truth(at.world);
  const zone = (truth.cloudflare['zones'] as { id: string; name: string }[]).find(
    ({ name }) => name === domain,
  );
  const cloudflare = `/client/v4/accounts/${account}`;
  const mark = shortForm(markOf(at, 'ghost', 'configure-dns'));
  const foreign = (await at.control.people(at.world, {
    do: 'foreign-record',
    zone: domain,
    record: { type: 'TXT', name: 'ghost', content: 'x', ttl: 300, comment: `countersign ${mark}` },
  })) as { record: string };
  const records = truth.cloudflare['records'] as { id: string; type: string; content: string }[];
  const ours = records.find(({ content }) => content.includes('hello'));
  await at.byHand('PATCH', `/client/v4/zones/${zone?.id ?? ''}/dns_records/${ours?.id ?? ''}`, {
    content: '"changed by somebody"',
  });
  await at.byHand('PATCH', `${cloudflare}/registrar/registrations/${domain}`, {
    auto_renew: true,
  });
  const [attached] = truth.cloudflare['customDomains'] as { id: string }[];
  await at.byHand('DELETE', `${cloudflare}/workers/domains/${attached?.id ?? ''}`);
  const script = 'countersign-superseal-club';
  const { result: scripts } = (await at.byHand('GET', `${cloudflare}/workers/scripts`)) as {
    result: { id: string }[];
  };
  const name = scripts[0]?.id ?? script;
  await at.byHand('DELETE', `${cloudflare}/workers/scripts/${name}?force=true`);
  const [charge] = truth.charges.filter(({ provider }) => provider === 'stripe');
  const dispute = idOf(
    await at.control.people(at.world, { do: 'dispute', charge: charge?.object ?? '' }),
  );
  const ourSub = await objectOf(at, 'start-subscription');
  await at.control.people(at.world, {
    do: 'change-subscription',
    subscription: ourSub,
    price: 'price_growth_monthly',
  });
  await at.wait(32 * DAY);
  const invoices = (await at.control.truth(at.world)).stripe['invoices'] as {
    id: string;
    billing_reason: string;
    parent: { subscription_details: { subscription: string } } | null;
  }[];
  const renewal = invoices.find(
    (one) =>
      one.parent?.subscription_details.subscription === ourSub &&
      one.billing_reason === 'subscription_cycle',
  );
  return [
    `orphan/stripe/customer/${orphan}`,
    `double/stripe/customer/${second}`,
    `orphan/stripe/subscription/${sub}`,
    `orphan/cloudflare/dns-record/${foreign.record}`,
    `dns-changed/cloudflare/${zone?.id ?? ''}/TXT ${domain}`,
    `domain-renews/cloudflare/${domain}`,
    `domain-detached/cloudflare/${domain}`,
    `thing-missing/cloudflare/worker/${account}/${name}`,
    `dispute/stripe/${dispute}`,
    `subscription-changed/stripe/${ourSub}`,
    `amount-differs/stripe/${renewal?.id ?? ''}`,
  ].sort();
}

test('every planted orphan, double, drift and mismatch is found by name, once, with a way out', async () => {
  await inWorld('planted', async (at) => {
    const wanted = await plant(at);
    const first = await passed(at);
    expect(names(first)).toEqual(wanted);
    expect(first.opened).toBe(wanted.length);
    const cases = await openCases(at);
    expect(cases.map(({ finding }) => finding)).toEqual(wanted);
    for (const one of cases) {
      expect(caseKind(one.kind)?.propose).toBeDefined();
      expect(`${one.text} ${one.proposal ?? ''}`).not.toMatch(/@|owner|changed by somebody/i);
    }
    // Found again, it stays the same case; a person who closed it is not asked again while it stands.
    const second = await passed(at);
    expect(second).toMatchObject({ opened: 0, resolved: 0 });
    expect(names(second)).toEqual(wanted);
    const { account, domain } = await registered(at);
    await at.byHand('PATCH', `/client/v4/accounts/${account}/registrar/registrations/${domain}`, {
      auto_renew: false,
    });
    await at.wait(5_000);
    const third = await passed(at);
    expect(third).toMatchObject({ opened: 0, resolved: 1 });
    const closed = await at.db
      .selectFrom('cases')
      .select(['kind', 'closed_as', 'closed_by'])
      .where('closed_at', 'is not', null)
      .execute();
    expect(closed).toEqual([
      { kind: 'domain-renews', closed_as: 'seen-resolved', closed_by: 'reconcile' },
    ]);
  });
}, 120_000);

test('renewals are captured once against what was reserved; one that fails or ends is told', async () => {
  await inWorld('renewals', async (at) => {
    const balance = async () =>
      at.db
        .selectFrom('balances')
        .select(['captured_minor', 'standing_minor'])
        .where('scope', '=', 'provider:stripe')
        .orderBy('month', 'desc')
        .executeTakeFirstOrThrow();
    await at.wait(32 * DAY);
    expect(await passed(at)).toMatchObject({ found: [], renewals: 1 });
    expect(await balance()).toEqual({ captured_minor: 1_900, standing_minor: 0 });
    expect(await passed(at)).toMatchObject({ found: [], renewals: 0 });
    const customer = await objectOf(at, 'create-customer');
    await at.control.people(at.world, { do: 'remove-payment-method', customer });
    await at.wait(31 * DAY);
    const failed = await passed(at);
    expect(names(failed)).toEqual([
      `payment-failed/stripe/subscription/${await objectOf(at, 'start-subscription')}`,
    ]);
    expect(await balance()).toEqual({ captured_minor: 0, standing_minor: 1_900 });
    const sub = await objectOf(at, 'start-subscription');
    await at.byHand('DELETE', `/v1/subscriptions/${sub}`);
    expect(names(await passed(at))).toEqual([`subscription-changed/stripe/${sub}`]);
    const { ended_month: ended } = await at.db
      .selectFrom('commitments')
      .select('ended_month')
      .executeTakeFirstOrThrow();
    expect(ended).not.toBeNull();
  });
}, 120_000);

test('what has gone is found: customer, domain, account', async () => {
  await inWorld('gone', async (at) => {
    const customer = await objectOf(at, 'create-customer');
    const { account, domain } = await registered(at);
    await at.byHand('DELETE', `/v1/customers/${customer}`);
    await at.control.people(at.world, { do: 'support-refund', domain });
    const outcome = await passed(at);
    expect(names(outcome)).toEqual(
      [
        `thing-missing/stripe/customer/${customer}`,
        `subscription-changed/stripe/${await objectOf(at, 'start-subscription')}`,
        `domain-gone/cloudflare/${domain}`,
      ].sort(),
    );
    await at.control.people(at.world, { do: 'revoke-consent', account });
    // Of an account that is seen no more nothing is concluded: what was found in it stands.
    const later = await passed(at);
    expect(names(later)).toContain(`thing-missing/cloudflare/account/${account}`);
    expect((await openCases(at)).map(({ finding }) => finding)).toContain(
      `domain-gone/cloudflare/${domain}`,
    );
  });
}, 120_000);

test('a refund on record that failed at the bank is found', async () => {
  const at = await sandbox.open('refund');
  try {
    const runId = await planned(at);
    await upTo(at, runId, 'start-subscription', []);
    await at.gateway.recordFailure(runId, 'start-subscription', 'VERIFICATION_FAILED', 'for good');
    await at.gateway.closeDoor(runId, { kind: 'failure', step: 'start-subscription' });
    expect(await takenBack(at, runId, 'start-subscription')).toBe('reversed');
    await at.wait(20_000);
    expect((await passed(at)).found).toEqual([]);
    const [refund] = (await at.control.truth(at.world)).stripe['refunds'] as { id: string }[];
    await at.control.people(at.world, {
      do: 'settle-refund',
      refund: refund?.id ?? '',
      status: 'failed',
    });
    expect(names(await passed(at))).toEqual([`refund-failed/stripe/${refund?.id ?? ''}`]);
  } finally {
    await at.close();
  }
}, 120_000);

test('an area that cannot be read concludes nothing, and is told after a day', async () => {
  await inWorld('blind', async (at) => {
    const { domain, account } = await registered(at);
    await at.byHand('PATCH', `/client/v4/accounts/${account}/registrar/registrations/${domain}`, {
      auto_renew: true,
    });
    await at.wait(5_000);
    expect((await passed(at)).opened).toBe(1);
    const rule = {
      provider: 'cloudflare',
      method: 'GET',
      path: '/client/v4/accounts/*/registrar/registrations',
      fault: '429',
      times: 100,
    } as const;
    await at.control.faults(at.world, [rule]);
    const blind = await reconcile(at.parts, inventory);
    expect(blind.unread.map(({ area }) => area)).toContain(`cloudflare/${account}`);
    expect(blind).toMatchObject({ opened: 0, resolved: 0 });
    await at.wait(DAY + 60_000);
    await reconcile(at.parts, inventory);
    expect((await openCases(at)).map(({ kind }) => kind)).toContain('reconcile-blind');
    await at.control.faults(at.world, []);
    await passed(at);
    expect((await openCases(at)).map(({ kind }) => kind)).toEqual(['domain-renews']);
  });
}, 120_000);

test('one pass an hour, however many workers ask', async () => {
  await inWorld('hourly', async (at) => {
    const together = await Promise.all([1, 2, 3].map(() => reconcileWhenDue(at.parts, inventory)));
    expect(together.filter((one) => one !== undefined)).toHaveLength(1);
    expect(await reconcileWhenDue(at.parts, inventory)).toBeUndefined();
    await at.wait(3_600_001);
    expect(await reconcileWhenDue(at.parts, inventory)).toMatchObject({ found: [] });
  });
}, 120_000);
