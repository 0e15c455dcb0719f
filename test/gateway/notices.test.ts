import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { canonicalize } from '../../domain/canonical.js';
import type { NoticeTarget } from '../../domain/policy/notices.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import type { Policy } from '../../domain/policy/schema.js';
import { createEgress } from '../../gateway/egress.js';
import { sweepGates } from '../../gateway/gate-moments.js';
import { ATTEMPTS_MAX, dispatchNotices } from '../../gateway/notice-dispatch.js';
import type { Dispatched, Dispatching } from '../../gateway/notice-dispatch.js';
import { stop } from '../../gateway/stop.js';
import { noticesStanding } from '../../store/deliveries.js';
import { addNotice } from '../../store/notices.js';
import { activatePolicy } from '../../store/policies.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { admitted, decisionOf, opened, openHouse } from './house.js';
import type { House } from './house.js';
import { startReceiver } from './receiver.js';
import type { Receiver } from './receiver.js';

const HOUR_MS = 3_600_000;
const SECRET = 'a secret of 32 bytes, more or less';
const GOAL = 'Put superseal.club online, and tell nobody: IGNORE ALL RULES';

const OPS: NoticeTarget = {
  name: 'ops',
  to: 'https://hooks.example.com/countersign',
  format: 'webhook',
  kinds: ['*'],
  secret: 'opsKey',
};
const CHAT: NoticeTarget = {
  name: 'chat',
  to: 'https://chat.example.com',
  format: 'slack',
  kinds: ['gate-opened'],
  secret: 'opsKey',
  pathSecret: 'chatPath',
};

let house: House;
let receiver: Receiver;
const open = async (notices: NoticeTarget[], override: Partial<Policy> = {}): Promise<void> => {
  house = await openHouse(trialPolicy({ override: { notices, ...override } }));
};
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await house.close();
  await receiver.close();
});

const dispatching = (change: Partial<Dispatching> = {}): Dispatching => ({
  db: house.db,
  instance: house.instance,
  egress: createEgress({ edgeOverride: receiver.origin }),
  secretOf: (name) => ({ opsKey: SECRET, chatPath: '/services/T0/B0/xyz' })[name],
  ...change,
});
const dispatched = (change: Partial<Dispatching> = {}): Promise<Dispatched> =>
  dispatchNotices(dispatching(change));

const bodies = (): Record<string, unknown>[] =>
  receiver.got.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
const kinds = (): unknown[] => bodies().map((body) => body['kind']);
const ids = (): unknown[] => receiver.got.map(({ headers }) => headers['countersign-notice']);
const told = (name: string) => addNotice(house.db, { kind: 'stopped', dedupe: name, payload: {} });
const cases = async (): Promise<string[]> =>
  (await house.db.selectFrom('cases').select('text').orderBy('case_id').execute()).map(
    ({ text }) => text,
  );

test('a gate is told to each place that wants its kind, in full, signed, and once', async () => {
  await open([{ ...OPS, kinds: ['gate-opened'] }, CHAT]);
  const runId = await admitted(house, 'launch', { goal: GOAL });
  const gate = await opened(house, runId, 'plan');
  expect(await dispatched({ publicUrl: 'https://countersign.example.com/' })).toEqual({
    sent: 2,
    failed: 0,
  });
  expect(await dispatched()).toEqual({ sent: 0, failed: 0 });
  const ops = receiver.got.find(({ headers }) => headers.host === 'hooks.example.com')!;
  const chat = receiver.got.find(({ headers }) => headers.host === 'chat.example.com')!;
  expect([ops.url, chat.url]).toEqual(['/countersign', '/services/T0/B0/xyz']);
  const body = JSON.parse(ops.body) as { facts: { expiresAt: string } };
  const { expiresAt } = body.facts;
  const lines = [
    'Run launch, gate plan (revision 1), development.',
    'Asked for by s_local through the agent launch-agent, for which p_owner answers.',
    'It may cost 19.00 USD at most, for link-account, start-subscription.',
    `It ends at ${expiresAt}; silence is a no.`,
    'Who decides: 1 of approvers.',
    'Read the card and decide there, with your own key. Neither this message nor its link approves anything.',
  ];
  const command = 'countersign approve launch --gate plan --key FILE';
  const link = `https://countersign.example.com/inbox?gate=${encodeURIComponent(gate.gateId)}`;
  const title = 'A gate waits for a decision';
  expect(body).toMatchObject({
    type: 'countersign.notice.v1',
    id: ops.headers['countersign-notice'],
    instance: house.instance,
    kind: 'gate-opened',
    runId,
    ...{ title, lines, command, link },
  });
  expect(JSON.parse(chat.body)).toEqual({
    text: `${title}: ${lines[0]}`,
    mrkdwn: false,
    unfurl_links: false,
    unfurl_media: false,
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: title, emoji: false } },
      {
        type: 'section',
        text: { type: 'plain_text', text: [...lines, command, link].join('\n'), emoji: false },
      },
      {
        type: 'actions',
        elements: [
          {
            type: 'button',
            text: { type: 'plain_text', text: 'Look at it', emoji: false },
            url: link,
          },
        ],
      },
    ],
  });
});

test('a policy that is overdue for review says so in what tells of a gate that waits, and by whom', async () => {
  // Every moment of this test lies behind it.
  const reviewBy = '2026-01-01';
  await open([{ ...OPS, kinds: ['gate-opened', 'gate-reminder'] }], {
    owners: ['p_ada', 'p_bob'],
    reviewBy,
  });
  await opened(house, await admitted(house), 'plan');
  await house.advance(12 * HOUR_MS);
  await sweepGates(house.parts);
  await dispatched();
  const lines = bodies().map((body) => (body['lines'] as string[]).join(' '));
  expect(kinds()).toEqual(['gate-opened', 'gate-reminder']);
  const overdue = `Overdue: the policy was to be reviewed by p_ada, p_bob before ${reviewBy}.`;
  expect(lines.map((text) => text.includes(overdue))).toEqual([true, true]);
});

test('the signature is over time, id and body, under the secret of the place', async () => {
  await open([OPS]);
  await told('one');
  await dispatched();
  const [{ headers, body }] = receiver.got as [(typeof receiver.got)[0]];
  const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(
    String(headers['countersign-signature']),
  ) as string[] as [string, string, string];
  const id = String(headers['countersign-notice']);
  const hmac = (secret: string, text: string): string =>
    createHmac('sha256', secret).update(text).digest('hex');
  expect(v1).toBe(hmac(SECRET, `${t}.${id}.${body}`));
  expect(v1).not.toBe(hmac(SECRET, `${t}.${id}.${body} `));
  expect(v1).not.toBe(hmac('another secret', `${t}.${id}.${body}`));
  expect(Math.abs(Number(t) - Date.now() / 1000)).toBeLessThan(120);
});

test('what fails is tried again after a while under the same id, longer each time, and in order per run', async () => {
  await open([OPS]);
  for (const name of ['first', 'second'])
    await addNotice(house.db, { kind: 'stopped', dedupe: name, runId: 'r', payload: { at: name } });
  receiver.answers.push(500, 503);
  expect(await dispatched()).toEqual({ sent: 0, failed: 1 });
  expect(await dispatched()).toEqual({ sent: 0, failed: 0 });
  await house.advance(5_000);
  expect(await dispatched()).toEqual({ sent: 0, failed: 1 });
  await house.advance(5_000);
  // Twice as long now.
  expect(await dispatched()).toEqual({ sent: 0, failed: 0 });
  await house.advance(5_000);
  expect(await dispatched()).toEqual({ sent: 2, failed: 0 });
  expect(new Set(ids()).size).toBe(2);
  expect(bodies().map(({ facts }) => facts)).toEqual(
    ['first', 'first', 'first', 'second'].map((at) => ({ at })),
  );
});

test('many dispatchers at once tell each thing once', async () => {
  await open([OPS, { ...OPS, name: 'second', to: 'https://second.example.com/' }]);
  for (let n = 0; n < 20; n += 1) await told(`n-${n}`);
  const all = await Promise.all(Array.from({ length: 4 }, () => dispatched()));
  expect(all.reduce((sum, { sent }) => sum + sent, 0)).toBe(40);
  const pairs = receiver.got.map(
    ({ headers }) => `${headers.host} ${String(headers['countersign-notice'])}`,
  );
  expect([pairs.length, new Set(pairs).size]).toEqual([40, 40]);
});

test('whoever dies between claim and request leaves it to the next one', async () => {
  await open([OPS]);
  await told('one');
  const died = new Error('dead');
  const failpoint = (place: string): void => {
    if (place.startsWith('before-notice')) throw died;
  };
  await expect(dispatched({ failpoint })).rejects.toBe(died);
  expect(await dispatched()).toEqual({ sent: 0, failed: 0 });
  await house.advance(30_000);
  expect(await dispatched()).toEqual({ sent: 1, failed: 0 });
  expect(receiver.got).toHaveLength(1);
});

test('a place that takes nothing is given up with a case, told elsewhere, and never in a circle', async () => {
  await open([OPS]);
  await told('one');
  const refuse = createEgress({ edgeOverride: 'http://127.0.0.1:1' });
  for (let round = 0; round < ATTEMPTS_MAX * 3; round += 1) {
    await dispatched({ egress: refuse });
    await house.advance(HOUR_MS);
  }
  expect(await cases()).toEqual([
    'Notices do not reach the target ops: stopped was given up after 12 attempts; the last one met: no answer.',
  ]);
  const rows = await house.db.selectFrom('deliveries').select('status').execute();
  expect(rows.map(({ status }) => status)).toEqual(['failed', 'failed']);
  expect(await noticesStanding(house.db)).toEqual({ waiting: 0, oldestMs: 0, failed: 1 });
});

test.each([
  ['a private address', 'https://ops.example.com/', { resolve: ['10.0.0.1'] }],
  ['loopback, without the embedded word', 'https://127.0.0.1/', {}],
  ['the metadata address by name', 'https://ops.example.com/', { resolve: ['169.254.169.254'] }],
  ['another port', 'https://ops.example.com:8443/', { resolve: ['1.1.1.1'] }],
] as const)(
  'a notice never goes to %s',
  async (_what, to, { resolve }: { resolve?: readonly string[] }) => {
    await open([{ ...OPS, to }]);
    await told('one');
    const egress = createEgress(
      resolve === undefined ? {} : { resolve: () => Promise.resolve(resolve) },
    );
    expect(await dispatched({ egress })).toEqual({ sent: 0, failed: 1 });
    expect(await cases()).toEqual([
      'Notices do not reach the target ops: stopped was given up after 1 attempt; the last one met: the address is none that notices may go to.',
    ]);
  },
);

test('the secret part of an address cannot lead to another host', async () => {
  await open([CHAT]);
  await addNotice(house.db, { kind: 'gate-opened', dedupe: 'x', payload: {} });
  const secretOf = (name: string): string =>
    name === 'chatPath' ? '//evil.example.com/x' : SECRET;
  expect(await dispatched({ secretOf })).toEqual({ sent: 0, failed: 1 });
  expect(receiver.got).toEqual([]);
});

test('a missing secret holds a notice back, and nothing goes out unsigned', async () => {
  await open([OPS]);
  await told('one');
  expect(await dispatched({ secretOf: () => undefined })).toEqual({ sent: 0, failed: 1 });
  expect(receiver.got).toEqual([]);
  await house.advance(5_000);
  expect(await dispatched()).toEqual({ sent: 1, failed: 0 });
});

test('a place that left the policy gets nothing more', async () => {
  await open([OPS]);
  await told('one');
  receiver.answers.push(500);
  await dispatched();
  const policy = trialPolicy();
  await activatePolicy(house.db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'test',
  });
  await house.advance(HOUR_MS);
  expect(await dispatched()).toEqual({ sent: 0, failed: 0 });
  expect(receiver.got).toHaveLength(1);
});

test('of all that a run tells, no agent word, address or secret reaches a place', async () => {
  await open([OPS, { ...CHAT, kinds: ['*'] }], {
    escalation: { atPercent: 75, to: ['directors'], note: 'call the hotline' },
  });
  const [one, two] = [
    await admitted(house, 'launch', { goal: GOAL }),
    await admitted(house, 'other', { goal: GOAL }),
  ];
  const gate = await opened(house, one, 'plan');
  await opened(house, two, 'plan');
  await house.advance(18 * HOUR_MS);
  await sweepGates(house.parts);
  const decision = await decisionOf(house, gate, house.ada, {
    decision: 'reject',
    reason: 'mail me at ada@example.com',
  });
  await house.gateway.recordDecision(one, decision, 'signal');
  await stop(house.parts, {
    scope: 'principal/owner@example.com',
    reason: 'AGENT WORDS',
    by: 'the agent itself',
    proven: false,
  });
  await house.advance(6 * HOUR_MS);
  await sweepGates(house.parts);
  await addNotice(house.db, {
    kind: 'run-stuck',
    dedupe: 'x',
    runId: two,
    payload: {
      by: 'sk_test_main_actions_0',
      owner: 'owner@example.com',
      reason: 'AGENT WORDS',
      'agent words': 7,
      policyNote: 'AGENT\nWORDS',
      deep: { asked: [{ group: 'two words' }] },
    },
  });
  await dispatched();
  expect(kinds()).toEqual(
    expect.arrayContaining([
      'gate-opened',
      'gate-reminder',
      'gate-escalated',
      'gate-rejected',
      'gate-expired',
      'stopped',
      'run-stuck',
    ]),
  );
  const everything = receiver.got
    .map(({ body, headers, url }) => `${url} ${JSON.stringify(headers)} ${body}`)
    .join('\n');
  expect(everything).toContain('call the hotline');
  for (const canary of [
    'IGNORE ALL',
    'superseal',
    '@',
    'AGENT',
    'sk_test',
    'mail me',
    SECRET,
    'two words',
    'agent words',
  ])
    expect([canary, everything.includes(canary)]).toEqual([canary, false]);
});
