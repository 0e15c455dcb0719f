import type { Charge, LivingResource, ProviderTruth } from '../core/provider.js';
import type { World } from '../core/world.js';
import { CHOICES } from './choices.js';
import type { CloudflareState, ScriptRecord } from './state.js';
import { cloudflareState } from './state.js';
import { settle } from './workflows.js';
import { zoneStatus } from './zones.js';

const tagOf = (script: ScriptRecord): string | null =>
  script.versions.findLast(({ tag }) => tag !== null)?.tag ?? script.tags[0] ?? null;

function living(state: CloudflareState, now: number): LivingResource[] {
  const one = (kind: string, id: string, name: string, marker: string | null = null) =>
    ({ provider: 'cloudflare', kind, id, name, marker }) as const;
  const lives = Object.values;
  return [
    ...lives(state.accounts).map(({ id, name }) => one('account', id, name)),
    ...lives(state.members).map(({ id, email }) => one('member', id, email)),
    ...lives(state.tokens).map(({ id, name }) => one('token', id, name, name)),
    ...lives(state.subscriptions)
      .filter(({ cancelScheduled, endsAt }) => !cancelScheduled || now < endsAt)
      .map(({ id, ratePlan }) => one('subscription', id, ratePlan)),
    ...lives(state.registrations).map(({ domain }) => one('registration', domain, domain)),
    ...lives(state.zones)
      .filter(({ createdAt }) => createdAt <= now)
      .map(({ id, name }) => one('zone', id, name)),
    ...lives(state.records).map(({ id, type, name, comment }) =>
      one('dns-record', id, `${type} ${name}`, comment),
    ),
    ...lives(state.scripts).map((script) => one('worker', script.name, script.name, tagOf(script))),
    ...lives(state.customDomains).map(({ id, hostname }) => one('custom-domain', id, hostname)),
  ];
}

const chargesOf = (state: CloudflareState): Charge[] =>
  state.charges.map(({ object, amountMinor, currency, refundedMinor, at }) => ({
    provider: 'cloudflare',
    object,
    amountMinor,
    currency: currency.toLowerCase(),
    refundedMinor,
    at,
  }));

/** Scripts with what tells versions apart, without their bytes. */
const viewScripts = (state: CloudflareState) =>
  Object.values(state.scripts).map((script) => ({
    accountId: script.accountId,
    name: script.name,
    tags: script.tags,
    live: script.deployments[0]?.versions ?? [],
    deployments: script.deployments,
    versions: script.versions.map(({ modules, assets, bindings, ...version }) => ({
      ...version,
      modules: modules.map(({ name, blob }) => ({ name, sha256: blob })),
      assets: Object.fromEntries(
        Object.entries(assets?.files ?? {}).map(([path, { blob }]) => [path, blob]),
      ),
      bindings: bindings.map(({ type, name }) => ({ type, name })),
    })),
  }));

/** Tokens without the part of the value that the state holds. */
const viewTokens = (state: CloudflareState) =>
  Object.values(state.tokens).map((token) =>
    Object.fromEntries(Object.entries(token).filter(([name]) => name !== 'nonce')),
  );

/** Everything that really exists in this world's Cloudflare, seen or unseen by our credentials. */
export function truthOf(world: World): ProviderTruth {
  const state = cloudflareState(world);
  const now = world.now();
  settle(state, now);
  const alive = living(state, now);
  const counts: Record<string, number> = {};
  for (const { kind } of alive) counts[kind] = (counts[kind] ?? 0) + 1;
  return {
    charges: chargesOf(state),
    living: alive,
    counts,
    accounts: Object.values(state.accounts),
    members: Object.values(state.members),
    tokens: viewTokens(state),
    subscriptions: Object.values(state.subscriptions),
    workflows: Object.values(state.workflows),
    registrations: Object.values(state.registrations),
    zones: Object.values(state.zones).map((zone) => ({ ...zone, status: zoneStatus(zone, now) })),
    records: Object.values(state.records),
    workers: viewScripts(state),
    customDomains: Object.values(state.customDomains),
    choices: { ...CHOICES, ...state.choices },
  };
}
