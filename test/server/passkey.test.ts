import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import type { RunId } from '../../domain/ids.js';
import { signStatement } from '../../domain/signature.js';
import { databaseNow } from '../../store/clock.js';
import { admitted, opened, refusals } from '../gateway/house.js';
import type { Signer } from '../gateway/people.js';
import { openGround } from './ground.js';
import type { Ground } from './ground.js';
import { inBrowser } from './passkey-page.js';
import type { Ceremony, Made } from './passkey-page.js';

/** A passkey of a real browser, at the server's own routes; the authenticator is Chromium's virtual one. */
const CHROMIUM = [
  process.env['CHROMIUM'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
].find((file) => file !== '' && existsSync(file));
const skippedWithoutChromium = CHROMIUM === undefined ? describe.skip : describe;

skippedWithoutChromium(`passkeys in ${CHROMIUM ?? 'Chromium, which is not installed here'}`, () => {
  let ground: Ground;
  let browser: Browser;
  let page: Page;
  let made: Made;
  const tokens: Record<string, string> = {};

  beforeAll(async () => {
    ground = await openGround({ name: 'localhost' });
    for (const name of ['ada', 'bob', 'owner']) tokens[name] = await ground.personToken(name);
    browser = await chromium.launch({
      ...(CHROMIUM === undefined ? {} : { executablePath: CHROMIUM }),
      args: ['--no-sandbox', '--disable-gpu'],
    });
    page = await browser.newPage();
    const device = await page.context().newCDPSession(page);
    await device.send('WebAuthn.enable');
    await device.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true },
        ...{ hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
      },
    });
    await visit(ground.publicUrl);
  });
  afterAll(async () => {
    await browser.close();
    await ground.close();
  });

  /** An empty page of that origin; whatever it asks of the server, it asks like every script of that origin. */
  async function visit(origin: string): Promise<void> {
    await page.route(`${origin}/page`, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>page</title>' }),
    );
    await page.goto(`${origin}/page`);
    await page.evaluate(inBrowser);
  }

  const ceremony = <T>(of: Ceremony): Promise<T> =>
    page.evaluate<T>(`ceremony(${JSON.stringify(of)})`);

  const now = async (): Promise<string> => (await databaseNow(ground.house.db)).toISOString();

  async function admitBy(by: Signer, enrolment: string, token: string) {
    const statement = {
      type: 'countersign.approve-enrol.v1',
      ...{ instance: ground.house.instance, enrolment },
      ...{ by: by.person, keyId: by.keyId, at: await now() },
    };
    const body = { ...statement, signature: signStatement(statement, by.seed) };
    return ground.ask('POST', `/api/v1/keys/${enrolment}/approvals`, { token, body });
  }

  async function waiting(runId: string) {
    await admitted(ground.house, runId);
    return opened(ground.house, runId as RunId, 'plan');
  }

  /** What a person signs at a gate, on the page where the browser is. */
  async function decided(gate: { gateId: string; digest: string }): Promise<object> {
    const statement = {
      ...{ type: 'countersign.decision.v1', instance: ground.house.instance },
      ...{ gateId: gate.gateId, actionDigest: gate.digest, decision: 'approve' },
      ...{ approver: 'p_ada', keyId: made.keyId, surface: 'inbox', decidedAt: await now() },
    };
    const { credentialId } = made;
    const signature = await ceremony({ do: 'sign', statement, credentialId });
    return { ...statement, signature };
  }

  test('a passkey is made, enrolled by its own word, and admitted by two others', async () => {
    made = await ceremony<Made>({ do: 'make', person: 'p_ada', rpId: 'localhost' });
    const statement = {
      ...{ type: 'countersign.enrol.v1', instance: ground.house.instance, person: 'p_ada' },
      ...{ keyId: made.keyId, alg: 'ES256', publicKey: made.publicKey },
      ...{ credentialId: made.credentialId, rpId: 'localhost', label: 'a passkey' },
      ...{ nonce: '00112233445566778899aabbccddeeff', enrolledAt: await now() },
    };
    const { credentialId } = made;
    const signature = await ceremony({ do: 'sign', statement, credentialId });
    const body = { ...statement, signature };
    const foreign = await ground.ask('POST', '/api/v1/keys', { token: tokens['bob']!, body });
    expect([foreign.status, foreign.json['code']]).toEqual([403, 'person-foreign']);
    // The page itself sends it: the same origin, the person's own token.
    const sent = await ceremony<{ status: number; json: { enrolment: string; missing: number } }>({
      do: 'post',
      path: '/api/v1/keys',
      token: tokens['ada']!,
      body,
    });
    expect(sent).toMatchObject({ status: 201, json: { missing: 2 } });
    const { enrolment } = sent.json;
    const { ada, bob, owner } = ground.house;
    const own = await admitBy(ada, enrolment, tokens['ada']!);
    expect([own.status, own.json['code']]).toEqual([409, 'own-key']);
    const lent = await admitBy(bob, enrolment, tokens['owner']!);
    expect([lent.status, lent.json['code']]).toEqual([403, 'approver-foreign']);
    expect((await admitBy(bob, enrolment, tokens['bob']!)).json).toMatchObject({ missing: 1 });
    const listed = await ground.ask('GET', '/api/v1/keys', { token: tokens['owner']! });
    expect(listed.json['waiting']).toMatchObject([{ enrolment, person: 'p_ada' }]);
    expect((await admitBy(owner, enrolment, tokens['owner']!)).json).toMatchObject({ missing: 0 });
    const mine = await ground.ask('GET', '/api/v1/keys', { token: tokens['ada']! });
    expect(mine.json['waiting']).toEqual([]);
    expect(mine.json['keys']).toContainEqual(expect.objectContaining({ keyId: made.keyId }));
  });

  test('it approves a gate once: said again at another gate, or of another page, it counts nothing', async () => {
    const gate = await waiting('by-passkey');
    const path = '/api/v1/runs/by-passkey/decisions';
    await visit('http://localhost:4999');
    const elsewhere = await decided(gate);
    await visit(ground.publicUrl);
    const wrong = await ground.ask('POST', path, { token: tokens['ada']!, body: elsewhere });
    expect([wrong.status, wrong.json['code']]).toEqual([409, 'webauthn-origin']);
    const body = await decided(gate);
    const answer = await ground.ask('POST', path, { token: tokens['ada']!, body });
    expect(answer.json).toMatchObject({ gateState: 'granted', approver: 'p_ada' });
    const second = await waiting('by-passkey-2');
    const replayed = { ...body, gateId: second.gateId, actionDigest: second.digest };
    const again = await ground.ask('POST', '/api/v1/runs/by-passkey-2/decisions', {
      ...{ token: tokens['ada']!, body: replayed },
    });
    expect([again.status, again.json['code']]).toEqual([409, 'webauthn-challenge']);
    expect(await refusals(ground.house)).toEqual(
      expect.arrayContaining([expect.stringMatching(/webauthn-origin/)]),
    );
    const counted = await ground.house.db
      .selectFrom('keys')
      .select('counter')
      .where('key_id', '=', made.keyId)
      .executeTakeFirstOrThrow();
    expect(counted.counter).toBeGreaterThan(0);
  });

  test('the same assertion again is the same decision, and never a second approval', async () => {
    const gate = await waiting('said-twice');
    const path = '/api/v1/runs/said-twice/decisions';
    const body = await decided(gate);
    const twice = [];
    for (const key of ['one', 'two'])
      twice.push(await ground.ask('POST', path, { token: tokens['ada']!, body, key }));
    expect(twice.map(({ json }) => json['gateState'])).toEqual(['granted', 'granted']);
    const rows = await ground.house.db
      .selectFrom('decisions')
      .select('digest')
      .where('run_id', '=', 'said-twice')
      .execute();
    expect(rows).toHaveLength(1);
  });
});
