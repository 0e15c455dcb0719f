import { askDoor } from '../../store/door-ask.js';
import { digestOf } from '../../domain/canonical.js';
import { formatAmount } from '../../domain/money.js';
import type { RunState } from '../../domain/plan.js';
import { eventually, StoryFailed, WORLD, type Stage } from './stage.js';
import { expect, expectEnd, expectLive, expectTakenBack, foundOf } from './verdict.js';

export interface Story {
  readonly letter: string;
  readonly title: string;
  /** Tells what it does, line by line; throws StoryFailed when the world is not as told. */
  play(stage: Stage, tell: (line: string) => void): Promise<void>;
}

const usd = (minor: number): string => formatAmount({ minor, currency: 'USD' });
const residueOf = (state: RunState): string =>
  state.residue
    .filter(({ minor }) => minor > 0)
    .map(({ minor, text }) => `${usd(minor)}: ${text}`)
    .join('; ');

const live: Story = {
  letter: 'a',
  title: 'approved and live',
  play: async (stage, tell) => {
    const run = { runId: 'demo-a', domain: 'superseal.club' };
    const handle = await stage.start(run);
    const plan = await stage.approve(run.runId, 'plan');
    tell(`a person read the plan (up to ${usd(plan.totalMaxMinor)}) and signed its digest`);
    const domain = await stage.approve(run.runId, 'register-domain');
    tell(`a person typed ${domain.typeToConfirm ?? ''} and signed its purchase apart`);
    const state = await stage.ended(handle);
    expectEnd(state, 'completed');
    await expectLive(stage, run);
    tell(
      `https://${run.domain}/ answers with the approved ${stage.page.length} bytes; paid ${usd(state.spentMinor)}, once`,
    );
  },
};

const takenBack: Story = {
  letter: 'b',
  title: 'the deploy fails for good',
  play: async (stage, tell) => {
    const run = { runId: 'demo-b', domain: 'harbour-lamp.club' };
    await stage.sandbox.faults(WORLD, [
      {
        provider: 'cloudflare',
        method: 'PUT',
        path: '/client/v4/accounts/*/workers/scripts/*',
        times: 1_000,
        fault: 'refuse',
      },
    ]);
    const handle = await stage.start(run);
    await stage.approve(run.runId, 'plan');
    await stage.approve(run.runId, 'register-domain');
    const state = await stage.ended(handle);
    await stage.sandbox.faults(WORLD, []);
    expectEnd(state, 'reversed');
    await expectTakenBack(stage, run, { charged: true, domain: true });
    tell('subscription cancelled and refunded in full, customer deleted, records removed');
    tell(`what cannot be put back is named with its cost: ${residueOf(state)}`);
  },
};

const DROPS = [
  { provider: 'stripe', method: 'POST', path: '/v1/subscriptions', fault: 'act-then-drop' },
  {
    provider: 'cloudflare',
    method: 'POST',
    path: '/client/v4/accounts/*/registrar/registrations',
    fault: 'act-then-drop',
  },
] as const;

const lostAnswers: Story = {
  letter: 'c',
  title: 'the answer to a payment is lost, twice; the second time for 25 hours',
  play: async (stage, tell) => {
    const soon = { runId: 'demo-c1', domain: 'paper-kite.club' };
    await stage.sandbox.faults(WORLD, DROPS);
    const first = await stage.start(soon);
    await stage.approve(soon.runId, 'plan');
    await stage.approve(soon.runId, 'register-domain');
    expectEnd(await stage.ended(first), 'completed');
    await expectLive(stage, soon);
    tell('charge and registration were made, their answers dropped: read back, one of each');

    const late = { runId: 'demo-c2', domain: 'quiet-otter.club' };
    await stage.sandbox.faults(WORLD, DROPS);
    const second = await stage.start(late);
    await stage.approve(late.runId, 'plan');
    await lateAnswer(stage, late.runId, 'start-subscription');
    await stage.approve(late.runId, 'register-domain');
    await lateAnswer(stage, late.runId, 'register-domain');
    expectEnd(await stage.ended(second), 'completed');
    await expectLive(stage, late);
    await stage.sandbox.faults(WORLD, []);
    tell(
      'the same with 25 hours before each retry, when the provider has forgotten its keys: one of each',
    );
  },
};

/** Freezes the worker as soon as the outcome is unknown, moves all clocks by 25 h, and lets it go on. */
async function lateAnswer(stage: Stage, runId: string, step: string): Promise<void> {
  await eventually(`an unknown outcome of ${step}`, async () => {
    const row = await stage.effect(runId, step);
    return row?.state === 'unknown' ? row : undefined;
  });
  stage.stack.kill('worker-actions', 'SIGSTOP');
  try {
    await stage.advance(25 * 3_600_000);
  } finally {
    stage.stack.kill('worker-actions', 'SIGCONT');
  }
}

const priceRises: Story = {
  letter: 'd',
  title: 'the price rises by a cent between approval and purchase',
  play: async (stage, tell) => {
    const run = { runId: 'demo-d', domain: 'copper-finch.club' };
    const handle = await stage.start(run);
    await stage.approve(run.runId, 'plan');
    await stage.card(run.runId, 'register-domain');
    await stage.sandbox.people(WORLD, {
      do: 'set-domain-price',
      domain: run.domain,
      registrationMinor: 1121,
    });
    await stage.approve(run.runId, 'register-domain');
    const card = await stage.card(run.runId, 'register-domain', 2);
    const change = card.changes.find(({ after }) => after.includes('11.21'));
    if (change === undefined)
      throw new StoryFailed(
        `the second card shows no change of price: ${JSON.stringify(card.changes)}`,
      );
    expect(
      'charges before the second approval',
      foundOf(await stage.truth(), run).domainCharges,
      [],
    );
    tell(
      `nothing was bought; the next gate says: ${change.what}: ${change.before} -> ${change.after}`,
    );
    await approveAgain(stage, run.runId);
    expectEnd(await stage.ended(handle), 'completed');
    await expectLive(stage, run, 1121);
    tell('approved anew at 11.21 USD, bought once');
  },
};

/** A new revision of the plan may ask at both gates again. */
async function approveAgain(stage: Stage, runId: string): Promise<void> {
  await stage.approve(runId, 'register-domain', 2);
}

const nobodyAnswers: Story = {
  letter: 'e',
  title: 'nobody answers',
  play: async (stage, tell) => {
    const run = { runId: 'demo-e', domain: 'slow-heron.club' };
    await stage.policy({ expiry: '5s' });
    const handle = await stage.start(run);
    await stage.approve(run.runId, 'plan');
    const state = await stage.ended(handle);
    await stage.policy({});
    expectEnd(state, 'reversed');
    await expectTakenBack(stage, run, { charged: true, domain: false });
    tell('the gate over the domain expired: silence is no consent; the subscription was refunded');
  },
};

const wrongName: Story = {
  letter: 'f',
  title: 'superseal.cc is not superseal.club',
  play: async (stage, tell) => {
    const wrong = { runId: 'demo-f', domain: 'superseal.cc' };
    const refused = await stage.ended(
      await stage.start({ ...wrong, goal: 'Put the landing page online at superseal.club' }),
    );
    expectEnd(refused, 'denied');
    expect('requests that changed anything', await changesOf(stage, wrong), 0);
    const [denial] = refused.denials ?? [];
    tell(`refused before anything was bought, by the rule ${denial?.rule ?? ''}`);
    await forgeGrant(stage, tell);
  },
};

/** Presents the grant over one name for another, straight at the door of the gateway. */
async function forgeGrant(stage: Stage, tell: (line: string) => void): Promise<void> {
  const run = { runId: 'demo-f2', domain: 'tin-lantern.club' };
  const handle = await stage.start(run);
  await stage.approve(run.runId, 'plan');
  // The purchase looks at the price first; that look takes long enough for the grant to be presented elsewhere.
  await stage.sandbox.faults(WORLD, [
    {
      provider: 'cloudflare',
      method: 'POST',
      path: '/client/v4/accounts/*/registrar/domain-check',
      fault: 'slow',
      ms: 2_000,
    },
  ]);
  await stage.approve(run.runId, 'register-domain');
  const { gateId, action, decisions } = await stage.grantOf(run.runId, 'register-domain');
  const forged = { ...action, params: { ...action.params, domain_name: 'tin-lantern.cc' } };
  const answer = await askDoor(stage.db, {
    effectId: action.effectKey,
    runId: run.runId,
    step: 'register-domain',
    digest: digestOf(forged),
    gateId,
    decisions,
    costMaxMinor: action.costMaxMinor,
  });
  await stage.sandbox.faults(WORLD, []);
  expect('what the door said to the forged action', answer.verdict, 'refused');
  tell(
    `the grant over ${run.domain}, presented for tin-lantern.cc: refused (${answer.reason ?? ''})`,
  );
  expectEnd(await stage.ended(handle), 'completed');
  await expectLive(stage, run);
}

async function changesOf(stage: Stage, run: { runId: string }): Promise<number> {
  const { requests } = await stage.truth();
  return requests.filter(
    ({ method, headers, body }) =>
      method !== 'GET' &&
      (headers['idempotency-key']?.includes(`/${run.runId}/`) === true ||
        body.includes(`/${run.runId}/`)),
  ).length;
}

const noCard: Story = {
  letter: 'g',
  title: 'no payment method',
  play: async (stage, tell) => {
    const run = { runId: 'demo-g', domain: 'north-pier.club' };
    await stage.sandbox.people(WORLD, { do: 'standing-payment-method', card: null });
    const handle = await stage.start(run);
    await stage.approve(run.runId, 'plan');
    const waiting = await stage.until(handle, ({ phase }) => phase === 'needs-input');
    expect('charges so far', foundOf(await stage.truth(), run).charges, []);
    tell(`it waits: ${waiting.waitsFor?.what ?? waiting.why}`);
    const customer = await eventually(
      'the customer',
      async () => (await stage.effect(run.runId, 'create-customer'))?.object,
    );
    await stage.sandbox.people(WORLD, { do: 'add-payment-method', customer, card: 'visa' });
    tell('a person added a card at the provider; no command was given');
    await stage.approve(run.runId, 'register-domain');
    expectEnd(await stage.ended(handle), 'completed');
    await stage.sandbox.people(WORLD, { do: 'standing-payment-method', card: 'visa' });
    await expectLive(stage, run);
    tell('it went on by itself and is live');
  },
};

const stopAll: Story = {
  letter: 'h',
  title: 'stop --all in mid-run',
  play: async (stage, tell) => {
    const run = { runId: 'demo-h', domain: 'winter-barn.club' };
    const handle = await stage.start(run);
    await stage.approve(run.runId, 'plan');
    await stage.card(run.runId, 'register-domain');
    const before = (await stage.truth()).requests.length;
    const record = await stage.stopAll('the demo presses the switch');
    tell(
      `fenced at ${record.fencedAt}${record.drainedAt === undefined ? '' : `, drained at ${record.drainedAt}`}`,
    );
    const state = await stage.ended(handle);
    expectEnd(state, 'reversed');
    const after = (await stage.truth()).requests.slice(before);
    const forward = after.filter(({ method, role }) => role === 'actions' && method !== 'GET');
    expect(
      'effects after the stop',
      forward.map(({ method, path }) => `${method} ${path}`),
      [],
    );
    await expectTakenBack(stage, run, { charged: true, domain: false });
    await stage.resumeAll();
    tell(
      'no effect after it; the clean-up was done with its own credentials; lifted by a signature',
    );
  },
};

const killed: Story = {
  letter: 'i',
  title: 'the worker is killed with -9 in mid-run',
  play: async (stage, tell) => {
    const run = { runId: 'demo-i', domain: 'glass-orchard.club' };
    const handle = await stage.start(run);
    await stage.approve(run.runId, 'plan');
    await eventually('the charge on its way', () => stage.effect(run.runId, 'start-subscription'));
    stage.stack.kill('worker-actions', 'SIGKILL');
    await stage.approve(run.runId, 'register-domain');
    await eventually('the registration on its way', () =>
      stage.effect(run.runId, 'register-domain'),
    );
    stage.stack.kill('worker-actions', 'SIGKILL');
    stage.stack.kill('worker-workflows', 'SIGKILL');
    expectEnd(await stage.ended(handle), 'completed');
    await expectLive(stage, run);
    tell('killed twice, restarted by its supervisor: live, and one of everything');
  },
};

/** In the order in which they are told; the stop comes last but one. */
export const STORIES: readonly Story[] = [
  live,
  takenBack,
  lostAnswers,
  priceRises,
  nobodyAnswers,
  wrongName,
  noCard,
  stopAll,
  killed,
];
