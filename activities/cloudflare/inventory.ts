import type Cloudflare from 'cloudflare';
import type { CloudflareWorld } from '../../domain/reconcile/cloudflare.js';
import type { RecordHeld } from '../../domain/reconcile/dns.js';
import type { Budget, InventoryReaders } from '../../gateway/inventory.js';
import { codeWord } from './errors.js';
import { cloudflareReaders } from './readers.js';

interface Page<T> {
  getPaginatedItems(): T[];
  hasNextPage(): boolean;
  getNextPage(): Promise<Page<T>>;
}

/** Every page of a list, each asked of the budget first. */
async function drain<T>(budget: Budget, first: () => PromiseLike<Page<T>>): Promise<T[]> {
  budget.take();
  let page = await first();
  const all = [...page.getPaginatedItems()];
  while (page.hasNextPage()) {
    budget.take();
    page = await page.getNextPage();
    all.push(...page.getPaginatedItems());
  }
  return all;
}

/** Everything in an account that our marker or a domain of ours touches. */
export const cloudflareInventory: InventoryReaders['cloudflare'] = {
  accounts: async (client, budget) =>
    (await drain(budget, () => client.accounts.list({ per_page: 50 }))).map(({ id, name }) => ({
      id,
      name,
    })),
  account: async (client, accountId, budget): Promise<CloudflareWorld> => {
    const of = { account_id: accountId };
    const zones = await drain(budget, () =>
      client.zones.list({ account: { id: accountId }, per_page: 50 }),
    );
    const registrations = await drain(budget, () =>
      client.registrar.registrations.list({ ...of, per_page: 50 }),
    );
    const records: RecordHeld[] = [];
    for (const { id } of zones) records.push(...(await recordsOf(client, id, budget)));
    const names = (await drain(budget, () => client.workers.scripts.list(of))).flatMap(
      ({ id }) => id ?? [],
    );
    const scripts: CloudflareWorld['scripts'][number][] = [];
    for (const name of names) {
      // Which version is live, and what it was annotated with: a request each.
      budget.take(2);
      const live = await cloudflareReaders.liveScript(client, accountId, name);
      scripts.push({ name, marker: live?.marker, bundle: live?.bundle });
    }
    const domains = await drain(budget, () => client.workers.domains.list(of));
    const tokens = await drain(budget, () => client.accounts.tokens.list(of));
    return {
      account: accountId,
      zones: zones.map(({ id, name }) => ({ id, name })),
      registrations: registrations.map((held) => ({
        domain: held.domain_name,
        status: codeWord(held.status),
        autoRenew: held.auto_renew,
      })),
      records,
      scripts,
      customDomains: domains.map(({ hostname, service }) => ({ hostname, service })),
      tokens: tokens.map(({ id, name, status }) => ({
        id: id ?? '',
        name: name ?? '',
        active: status === 'active',
      })),
    };
  },
};

async function recordsOf(client: Cloudflare, zone: string, budget: Budget): Promise<RecordHeld[]> {
  const found = await drain(budget, () =>
    client.dns.records.list({ zone_id: zone, per_page: 100 }),
  );
  return found.map((record) => ({
    id: record.id,
    zone,
    type: record.type,
    name: record.name.toLowerCase(),
    content: record.content ?? '',
    ttl: record.ttl,
    comment: record.comment ?? undefined,
    // The answer says so; the package's types call it unknown.
    managed: (record.meta as { readonly read_only?: unknown } | undefined)?.read_only === true,
  }));
}
