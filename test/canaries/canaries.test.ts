import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ended, reached } from '../helpers/stage.js';
import { MINTED } from './secrets.js';
import { found, openScene, type Echo, type Scene } from './scene.js';

/**
 * Providers that quote the request and its credential in their refusals, on steps and on reversals, while runs end
 * well, are taken back and get stuck: everything they left behind is searched for secrets.
 */
const RUNS = {
  'canary-good': 'yellow-wren.club',
  'canary-back': 'grey-starling.club',
  'canary-first': 'white-heron.club',
  'canary-declined': 'amber-linnet.club',
  'canary-stuck': 'brown-thrush.club',
} as const;
type RunId = keyof typeof RUNS;

const UPLOAD = '/client/v4/accounts/*/workers/scripts/*';
const stripe = (method: Echo['method'], path: string, more: Partial<Echo> = {}): Echo => ({
  ...{ provider: 'stripe', method, path, times: 1 },
  ...more,
});
const cloudflare = (method: Echo['method'], path: string, more: Partial<Echo> = {}): Echo => ({
  ...stripe(method, path, more),
  provider: 'cloudflare',
});

let scene: Scene;
let roads: ReadonlyMap<string, string>;
let told: number;
beforeAll(async () => {
  scene = await openScene(Object.keys(RUNS));
  await good();
  await takenBack();
  await atTheFirstStep();
  await declined();
  await stuck();
  const { requests } = await scene.stage.truth();
  told = requests.filter(({ fault }) => fault === 'echo').length;
  roads = await scene.read(Object.keys(RUNS));
}, 900_000);
afterAll(() => scene.close(), 60_000);

const start = (runId: RunId) => scene.stage.start({ runId, domain: RUNS[runId] });

/** 500 for a read and for the upload: waited for, read back, done. */
async function good(): Promise<void> {
  await scene.echo(
    stripe('GET', '/v1/customers', { status: 500 }),
    cloudflare('PUT', UPLOAD, { status: 500 }),
  );
  const handle = await start('canary-good');
  await scene.approve(handle, 'plan');
  await scene.approve(handle, 'register-domain', [RUNS['canary-good']]);
  expect(await ended(handle)).toMatchObject({ phase: 'completed' });
}

/** 400 for the upload; 500 once for each reversal. */
async function takenBack(): Promise<void> {
  await scene.echo(
    cloudflare('PUT', UPLOAD, { status: 400, times: 1_000 }),
    cloudflare('POST', '/client/v4/zones/*/dns_records/batch', { status: 500, nth: 2 }),
    stripe('DELETE', '/v1/subscriptions/*', { status: 500 }),
    stripe('DELETE', '/v1/customers/*', { status: 500 }),
  );
  const handle = await start('canary-back');
  await scene.approve(handle, 'plan');
  await scene.approve(handle, 'register-domain', [RUNS['canary-back']]);
  expect(await ended(handle)).toMatchObject({ phase: 'reversed' });
}

/** 400 for the request that holds the address. */
async function atTheFirstStep(): Promise<void> {
  await scene.echo(stripe('POST', '/v1/customers', { status: 400, times: 1_000 }));
  const handle = await start('canary-first');
  await scene.approve(handle, 'plan');
  expect(await ended(handle)).toMatchObject({ phase: 'reversed' });
}

/** 402 for the charge. */
async function declined(): Promise<void> {
  await scene.echo(stripe('POST', '/v1/subscriptions', { status: 402, times: 1_000 }));
  const handle = await start('canary-declined');
  await scene.approve(handle, 'plan');
  expect(await ended(handle)).toMatchObject({ phase: 'reversed' });
}

/** 400 for the charge and then for the reversal: a person is asked. */
async function stuck(): Promise<void> {
  await scene.echo(
    stripe('POST', '/v1/subscriptions', { status: 400, times: 1_000 }),
    stripe('DELETE', '/v1/customers/*', { status: 400, times: 1_000 }),
  );
  const handle = await start('canary-stuck');
  await scene.approve(handle, 'plan');
  await reached(handle, ({ phase }) => phase === 'stuck');
}

test('providers have quoted requests and credentials on steps, reads and reversals', () => {
  expect(told).toBeGreaterThanOrEqual(9);
});

test('no value of a minted token is anywhere in the clear', () => {
  expect(roads.get('table provider_tokens')).toContain('/workers/');
  expect(found(roads, MINTED)).toEqual({});
});

test('no secret is in a history, a table, a log or what the command line has said; addresses are with the principals', () => {
  expect(roads.get('history')).toContain('canary-good');
  expect(roads.get('log')).toContain('is polling');
  expect(roads.get('command line')).toContain('PROVIDER_REFUSED');
  expect(found(roads, scene.secrets)).toEqual({
    'table principals': [...scene.secrets.keys()].filter((name) => name.startsWith('e-mail')),
  });
});
