import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, WORLD } from '../../cli/demo/stage.js';
import { ended } from '../helpers/stage.js';
import { openGround, type Asked, type Ground } from './ground.js';

/** The stack that `countersign up` starts: Stripe's stand-in calls its server, which wakes a worker. */

let ground: Ground;
beforeAll(async () => {
  ground = await openGround({ server: true });
}, 400_000);
afterAll(() => ground.close(), 60_000);

const of: Asked = {
  runId: 'disputed',
  domain: 'amber-ferry.club',
  page: 'site of disputed',
  principal: 'owner@amber-ferry.example',
};

interface StripeTruth {
  readonly webhooks: readonly { readonly type: string; readonly answers: readonly number[] }[];
}

test('a dispute is told to the server of the stack, and a worker reads it at Stripe and opens the case', async () => {
  const { db, sandbox } = ground.stage;
  const handle = await ground.provision(of);
  await ground.approve(handle, 'plan');
  await ground.approve(handle, 'register-domain');
  expect((await ended(handle)).phase).toBe('completed');
  const charge = (await ground.stage.truth()).charges.find(({ provider }) => provider === 'stripe');
  await sandbox.people(WORLD, { do: 'dispute', charge: charge?.object ?? '' });
  const { answers } = await eventually('Stripe was answered', async () => {
    const stripe = (await ground.stage.truth()).stripe as unknown as StripeTruth;
    return stripe.webhooks.find((one) => one.type === 'charge.dispute.created' && one.answers[0]);
  });
  expect(answers[0]).toBe(200);
  const found = await eventually('the case is open', () =>
    db
      .selectFrom('cases')
      .select(['kind', 'run_id'])
      .where('kind', '=', 'dispute')
      .executeTakeFirst(),
  );
  expect(found).toEqual({ kind: 'dispute', run_id: of.runId });
  const listed = await ground.cli(['cases', 'list']);
  expect(listed.out).toContain('dispute');
  const woken = await eventually('the event is handled', () =>
    db
      .selectFrom('webhook_events')
      .select('handled_at')
      .where('type', '=', 'charge.dispute.created')
      .where('handled_at', 'is not', null)
      .executeTakeFirst(),
  );
  expect(woken.handled_at).not.toBeNull();
}, 400_000);

test('what is not signed by Stripe wakes nobody', async () => {
  const { db, stack } = ground.stage;
  const events = async () =>
    (await db.selectFrom('webhook_events').select('event_id').execute()).length;
  const before = await events();
  const { serverUrl } = stack.endpoints;
  const answer = await fetch(`${serverUrl ?? ''}/webhooks/stripe`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'stripe-signature': 't=1,v1=00' },
    body: JSON.stringify({ id: 'evt_forged', type: 'charge.dispute.created', data: {} }),
  });
  expect(answer.status).toBe(400);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(await events()).toBe(before);
}, 60_000);
