import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FaultRuleInput } from '../../../sandbox/control-client.js';
import type { FullStand, Tenant } from './stand.js';
import { startFullStand } from './stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

const arm = ({ name }: Tenant, fault: Pick<FaultRuleInput, 'fault'> & Partial<FaultRuleInput>) =>
  stand.control.faults(name, [
    {
      provider: 'cloudflare',
      method: 'POST',
      path: '/client/v4/accounts/*/registrar/registrations',
      ...fault,
    },
  ]);
const register = ({ cf, account }: Tenant) =>
  cf.registrar.registrations.create(
    { account_id: account, domain_name: 'fault.club' },
    { timeout: 2_000 },
  );
const charged = async ({ name }: Tenant) => (await stand.control.truth(name)).charges.length;

test.each(['act-then-drop', 'act-then-500'] as const)(
  'a registration whose answer is lost (%s) is there and charged once',
  async (fault) => {
    const tenant = await stand.world();
    await arm(tenant, { fault });
    await expect(register(tenant)).rejects.toThrow();
    expect(await charged(tenant)).toBe(1);
    const again = await register(tenant);
    expect(again.state).toBe('succeeded');
    expect(await charged(tenant)).toBe(1);
  },
);

test.each(['refuse', 'stored-500', 'hang', '409', '429'] as const)(
  'a registration that meets %s did not happen',
  async (fault) => {
    const tenant = await stand.world();
    await arm(tenant, { fault });
    await expect(register(tenant)).rejects.toThrow();
    expect(await charged(tenant)).toBe(0);
    expect((await register(tenant)).state).toBe('succeeded');
  },
);

test('what a lagging request made is seen later', async () => {
  const tenant = await stand.world();
  const { cf, account, name } = tenant;
  await arm(tenant, { fault: 'lag', ms: 60_000 });
  await register(tenant);
  const read = () => cf.registrar.registrations.get('fault.club', { account_id: account });
  await expect(read()).rejects.toMatchObject({ status: 404 });
  await stand.control.clock(name, 60_000);
  expect((await read()).status).toBe('active');
});
