import type Cloudflare from 'cloudflare';
import { priceToMinor } from '../../domain/money.js';
import type { CloudflareReaders, RecordSeen } from '../../gateway/readers.js';
import { classifyCloudflare, codeWord, orInvisible, orMissing } from './errors.js';

/** What the gateway reads at Cloudflare: by get or list. */
export const cloudflareReaders: CloudflareReaders = {
  homeAccount: async (client) => {
    const page = await client.accounts.list({ per_page: 5 });
    return page.result[0]?.id;
  },
  account: async (client, accountId) => {
    const account = await orInvisible(() => client.accounts.get({ account_id: accountId }));
    if (account === undefined) return undefined;
    const members: string[] = [];
    for await (const member of client.accounts.members.list({ account_id: accountId }))
      if (member.status === 'accepted' && member.email !== undefined)
        members.push(member.email.toLowerCase());
    return { accountId, name: account.name, acceptedMembers: members };
  },
  hasBilling: async (client, accountId) => {
    for await (const _method of client.accounts.paymentMethods.list({ account_id: accountId }))
      return true;
    return false;
  },
  domain: async (client, accountId, name) => {
    const { domains } = await client.registrar.check({ account_id: accountId, domains: [name] });
    // The check leaves malformed names out, so the answer may be shorter than the question.
    const seen = domains.find((domain) => domain.name === name);
    if (seen === undefined) return { registrable: false, reason: 'omitted' };
    if (!seen.registrable) return { registrable: false, reason: codeWord(seen.reason) };
    if (seen.tier !== undefined && seen.tier !== 'standard')
      return { registrable: false, reason: 'domain_premium' };
    const { pricing } = seen;
    if (pricing === undefined) return { registrable: false, reason: 'no_price' };
    const registrationMinor = priceToMinor(pricing.registration_cost);
    const renewalMinor = priceToMinor(pricing.renewal_cost);
    if (registrationMinor === undefined || renewalMinor === undefined)
      return { registrable: false, reason: 'unreadable_price' };
    return { registrable: true, registrationMinor, renewalMinor, currency: pricing.currency };
  },
  registration: async (client, accountId, name) => {
    const held = await orMissing(() =>
      client.registrar.registrations.get(name, { account_id: accountId }),
    );
    if (held === undefined) return undefined;
    const createdAt = new Date(held.created_at);
    return {
      active: held.status === 'active',
      autoRenew: held.auto_renew,
      ...(Number.isNaN(createdAt.getTime()) ? {} : { createdAt }),
    };
  },
  zoneId: async (client, accountId, name) => {
    const page = await client.zones.list({ name, account: { id: accountId } });
    return page.result.find(({ status }) => status === 'active')?.id;
  },
  records: async (client, zoneId) => {
    const found: RecordSeen[] = [];
    for await (const record of client.dns.records.list({ zone_id: zoneId, per_page: 100 }))
      found.push({
        recordId: record.id,
        type: record.type,
        name: record.name.toLowerCase(),
        content: record.content ?? '',
        comment: record.comment,
      });
    return found;
  },
  liveScript: async (client, accountId, script) => {
    const [live] = await deploymentsOf(client, accountId, script);
    const versionId = live?.versions[0]?.version_id;
    if (versionId === undefined) return undefined;
    const { tag, message } = await tagOf(client, accountId, script, versionId);
    return { versionId, marker: tag, bundle: message };
  },
  customDomain: async (client, accountId, hostname) => {
    for await (const domain of client.workers.domains.list({ account_id: accountId, hostname }))
      if (domain.hostname === hostname) return { domainId: domain.id, service: domain.service };
    return undefined;
  },
  classify: classifyCloudflare,
};

interface DeploymentSeen {
  readonly versions: readonly { readonly version_id: string }[];
}

/** Deployments of a Worker, newest first; the first is live. None when there is no such Worker. */
export async function deploymentsOf(
  client: Cloudflare,
  accountId: string,
  script: string,
): Promise<readonly DeploymentSeen[]> {
  const page = await orMissing(() =>
    client.workers.scripts.deployments.list(script, { account_id: accountId }),
  );
  // The package's page looks for `items`, which this answer does not have: it is one object with the list in it.
  const result = page?.result as { readonly deployments?: readonly DeploymentSeen[] } | undefined;
  return result?.deployments ?? [];
}

/** What a version was annotated with when it was uploaded: our marker and its bundle's digest, when it is ours. */
export async function tagOf(
  client: Cloudflare,
  accountId: string,
  script: string,
  versionId: string,
): Promise<{ readonly tag: string | undefined; readonly message: string | undefined }> {
  const version = await client.workers.scripts.versions.get(versionId, {
    account_id: accountId,
    script_name: script,
  });
  // The answer has annotations; the package's types do not know them.
  const { annotations } = version as {
    readonly annotations?: Readonly<Record<string, string | undefined>>;
  };
  return { tag: annotations?.['workers/tag'], message: annotations?.['workers/message'] };
}

/** Hostnames that lead to a Worker by custom domains. */
export async function hostnamesOf(
  client: Cloudflare,
  accountId: string,
  script: string,
): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const domain of client.workers.domains.list({
    account_id: accountId,
    service: script,
  }))
    if (domain.service === script) found.push(domain.hostname);
  return found;
}
