import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { deadlineIn } from '../../gateway/deadline.js';
import { createToken, groupIdsOf } from '../../gateway/cloudflare/tokens.js';
import { cloudflareEndpoints } from '../../sandbox/cloudflare/provider.js';
import { openSandbox, upTo } from '../gateway/at-sandbox.js';
import type { AtSandbox, Sandboxed } from '../gateway/at-sandbox.js';
import { admitted, approved } from '../gateway/house.js';
import { accountOf, valuesOf } from './ground.js';

/**
 * Who may ask what: each route of the stand-in, and the purposes of minted tokens that it answers. `each`: any token
 * about itself. `nothing`: an empty list to all. A route that is not here fails the test.
 */
const A = '/accounts/:account_id';
const R = `${A}/registrar`;
const W = `${A}/workers`;
const S = `${W}/scripts/:script_name`;
const D = '/zones/:zone_id/dns_records';
const EXPECTED: Readonly<
  Record<string, 'registrar' | 'workers' | 'dns' | 'none' | 'each' | 'nothing'>
> = {
  'POST /accounts': 'none',
  'GET /accounts': 'none',
  [`GET ${A}`]: 'none',
  [`DELETE ${A}`]: 'none',
  [`GET ${A}/members`]: 'none',
  [`POST ${A}/members`]: 'none',
  [`GET ${A}/members/:member_id`]: 'none',
  [`DELETE ${A}/members/:member_id`]: 'none',
  [`GET ${A}/payment-methods`]: 'none',
  [`GET ${A}/subscriptions`]: 'none',
  [`POST ${A}/subscriptions`]: 'none',
  [`GET ${A}/subscriptions/:subscription_id`]: 'none',
  [`DELETE ${A}/subscriptions/:subscription_id`]: 'none',
  'GET /zones/:zone_id/subscription': 'none',
  [`POST ${A}/tokens`]: 'none',
  [`GET ${A}/tokens`]: 'none',
  [`GET ${A}/tokens/verify`]: 'each',
  [`GET ${A}/tokens/permission_groups`]: 'none',
  [`GET ${A}/tokens/:token_id`]: 'none',
  [`PUT ${A}/tokens/:token_id`]: 'none',
  [`DELETE ${A}/tokens/:token_id`]: 'none',
  [`PUT ${A}/tokens/:token_id/value`]: 'none',
  [`POST ${R}/domain-check`]: 'registrar',
  [`GET ${R}/domain-search`]: 'registrar',
  [`GET ${R}/extensions`]: 'registrar',
  [`GET ${R}/extensions/:extension`]: 'registrar',
  [`POST ${R}/registrations`]: 'registrar',
  [`GET ${R}/registrations`]: 'registrar',
  [`GET ${R}/registrations/:domain_name`]: 'registrar',
  [`PATCH ${R}/registrations/:domain_name`]: 'registrar',
  [`GET ${R}/registrations/:domain_name/registration-status`]: 'registrar',
  [`GET ${R}/registrations/:domain_name/update-status`]: 'registrar',
  'GET /zones': 'nothing',
  'POST /zones': 'none',
  'GET /zones/:zone_id': 'none',
  'DELETE /zones/:zone_id': 'none',
  [`GET ${D}`]: 'dns',
  [`POST ${D}`]: 'dns',
  [`POST ${D}/batch`]: 'dns',
  [`GET ${D}/:record_id`]: 'dns',
  [`PUT ${D}/:record_id`]: 'dns',
  [`PATCH ${D}/:record_id`]: 'dns',
  [`DELETE ${D}/:record_id`]: 'dns',
  [`POST ${S}/assets-upload-session`]: 'workers',
  [`POST ${W}/assets/upload`]: 'none',
  [`GET ${W}/scripts`]: 'workers',
  [`GET ${S}`]: 'workers',
  [`PUT ${S}`]: 'workers',
  [`DELETE ${S}`]: 'workers',
  [`GET ${S}/settings`]: 'workers',
  [`GET ${S}/script-settings`]: 'workers',
  [`PATCH ${S}/script-settings`]: 'workers',
  [`POST ${S}/versions`]: 'workers',
  [`GET ${S}/versions`]: 'workers',
  [`GET ${S}/versions/:version_id`]: 'workers',
  [`GET ${S}/deployments`]: 'workers',
  [`POST ${S}/deployments`]: 'workers',
  [`GET ${S}/deployments/:deployment_id`]: 'workers',
  [`DELETE ${S}/deployments/:deployment_id`]: 'workers',
  [`PUT ${W}/domains`]: 'workers',
  [`GET ${W}/domains`]: 'workers',
  [`GET ${W}/domains/:domain_id`]: 'workers',
  [`DELETE ${W}/domains/:domain_id`]: 'workers',
  [`PUT ${W}/subdomain`]: 'workers',
  [`GET ${W}/subdomain`]: 'workers',
  [`POST ${S}/subdomain`]: 'workers',
  [`GET ${S}/subdomain`]: 'workers',
  [`DELETE ${S}/subdomain`]: 'workers',
};

const ROUTES = cloudflareEndpoints({
  secret: '0'.repeat(64),
  validate: () => Promise.resolve({ valid: true } as never),
}).map(({ method, path }) => ({ method, path, name: `${method} ${path}` }));

interface Ids {
  readonly account: string;
  readonly zone: string;
}

let sandbox: Sandboxed;
let at: AtSandbox;
let values: Awaited<ReturnType<typeof valuesOf>>;
let own: Ids;
/** An account of somebody else with a zone of its own, in which our user may do everything. */
let other: Ids;
beforeAll(async () => {
  sandbox = await openSandbox();
  at = await sandbox.open('matrix');
  const runId = await admitted(at, 'launch', {
    dns: [{ type: 'TXT', name: '@', content: 'hello' }],
  });
  await approved(at, runId, 'plan');
  await upTo(at, runId, 'attach-domain', []);
  values = await valuesOf(at, runId);
  const zones = await zonesNow();
  own = { account: await accountOf(at, runId), zone: zones[0]!.id };
  const { cloudflare } = at.parts.providers.forSending('actions', {
    deadline: deadlineIn(5_000, at.parts.clocks),
    transmission: { begun: 0 },
  });
  const { id: account } = await cloudflare.accounts.create({
    name: 'other',
    standalone: true,
    'Idempotency-Key': 'other',
  });
  await at.byHand('POST', `/client/v4/accounts/${account}/registrar/registrations`, {
    domain_name: 'quiet-heron.club',
  });
  let seen = zones;
  while (seen.length < 2) {
    await at.wait(200);
    seen = await zonesNow();
  }
  other = { account, zone: seen.find(({ accountId }) => accountId === account)!.id };
});
afterAll(async () => {
  await at.close();
  await sandbox.close();
});

async function zonesNow(): Promise<readonly { id: string; accountId: string }[]> {
  const { cloudflare } = await at.control.truth(at.world);
  return cloudflare['zones'] as readonly { id: string; accountId: string }[];
}

/** What a route says to a token: `refused`, `nothing`, or `answered`, be it that the request makes no sense. */
async function asked(
  { method, path }: (typeof ROUTES)[number],
  value: string,
  { account, zone }: Ids,
): Promise<'answered' | 'nothing' | 'refused'> {
  const filled = path
    .replace(':account_id', account)
    .replace(':zone_id', zone)
    .replace(/:\w+/g, 'f'.repeat(32));
  const origin = at.parts.providers.asToken(value).baseURL;
  const answer = await fetch(`${origin}${filled}`, {
    method,
    headers: {
      authorization: `Bearer ${value}`,
      connection: 'close',
      ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
    },
    ...(method === 'GET' ? {} : { body: bodyFor(path, account) }),
  });
  const text = await answer.text();
  if (answer.status === 401 || answer.status === 403) return 'refused';
  const said = (text.startsWith('{') ? JSON.parse(text) : {}) as {
    errors?: { code: number }[];
    result?: unknown;
  };
  // An account's own token may not list accounts, whatever it may do else.
  if (path === '/accounts' && said.errors?.[0]?.code === 1001) return 'refused';
  return path === '/zones' && Array.isArray(said.result) && said.result.length === 0
    ? 'nothing'
    : 'answered';
}

const bodyFor = (path: string, account: string): string =>
  JSON.stringify(
    path === '/zones'
      ? { name: 'quiet-heron.club', account: { id: account } }
      : path === '/accounts'
        ? { name: 'more', standalone: true }
        : {},
  );

const wanted = (name: string, purpose: string): string => {
  const expected = EXPECTED[name];
  if (expected === 'nothing') return 'nothing';
  return expected === 'each' || expected === purpose ? 'answered' : 'refused';
};

/** Routes that say anything else to the token than they should. */
async function surprises(value: string, purpose: string): Promise<string[]> {
  const found: string[] = [];
  for (const route of ROUTES) {
    const said = await asked(route, value, own);
    if (said !== wanted(route.name, purpose)) found.push(`${route.name}: ${said}`);
  }
  return found;
}

test('each route of the stand-in has its expectation, and no other', () => {
  expect(Object.keys(EXPECTED).sort()).toEqual(ROUTES.map(({ name }) => name).sort());
});

test.each(['registrar', 'workers', 'dns'])(
  'the token for %s is answered where it is needed, and nowhere else',
  async (purpose) => {
    expect(await surprises(values.get(purpose)!.value, purpose)).toEqual([]);
  },
);

test.each(['registrar', 'workers', 'dns'])(
  'the token for %s does nothing in another account or zone',
  async (purpose) => {
    const { value } = values.get(purpose)!;
    const elsewhere: string[] = [];
    for (const route of ROUTES.filter(({ path }) => path.includes(':')))
      if ((await asked(route, value, other)) !== 'refused') elsewhere.push(route.name);
    expect(elsewhere).toEqual([]);
  },
);

test.each([
  ['workers', ['Workers Scripts Write', 'Registrar Domains Read']],
  ['registrar', ['Registrar Domains Write', 'Account Settings Read']],
] as const)('with one permission more the token for %s is found out', async (purpose, groups) => {
  const parent = at.parts.providers.forMinting('actions');
  const groupIds = await groupIdsOf(parent, own.account, groups);
  const { value } = await createToken(parent, {
    account: own.account,
    groupIds: groupIds!,
    name: `wider-${purpose}`,
    expiresMs: Math.floor(Date.now() / 1000) * 1000 + 600_000,
  });
  expect(await surprises(value, purpose)).not.toEqual([]);
});
