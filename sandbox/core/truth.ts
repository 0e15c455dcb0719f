import type { Charge, LivingResource, Provider, ProviderTruth } from './provider.js';
import type { RequestRecord } from './requests.js';
import type { UnknownRoute, World } from './world.js';

/** The world as it is. Amounts in cents, times in ms of the world's clock. */
export interface Truth {
  readonly world: string;
  readonly now: number;
  readonly stripe: ProviderTruth;
  readonly cloudflare: ProviderTruth;
  /** Every charge at every provider, oldest first. */
  readonly charges: readonly Charge[];
  /** Everything that exists and goes on existing. */
  readonly living: readonly LivingResource[];
  readonly counts: Readonly<Record<string, number>>;
  readonly requests: readonly RequestRecord[];
  readonly unknownRoutes: readonly UnknownRoute[];
}

const NOTHING: ProviderTruth = { charges: [], living: [], counts: {} };

/** Tells everything about one world; counts of a provider are prefixed with its name. */
export function tellTruth(world: World, providers: readonly Provider[]): Truth {
  const told = new Map(providers.map((provider) => [provider.name, provider.truth(world)]));
  const all = [...told.values()];
  const charges = all.flatMap(({ charges: of }) => of).sort((a, b) => a.at - b.at);
  const living = all.flatMap(({ living: of }) => of);
  const counts: Record<string, number> = {
    charges: charges.length,
    refunded: charges.filter(({ refundedMinor }) => refundedMinor > 0).length,
    living: living.length,
    requests: world.requests.length,
    unknownRoutes: world.unknownRoutes.length,
  };
  for (const [name, { counts: own }] of told) {
    for (const [what, count] of Object.entries(own)) counts[`${name}.${what}`] = count;
  }
  return {
    world: world.name,
    now: world.now(),
    stripe: told.get('stripe') ?? NOTHING,
    cloudflare: told.get('cloudflare') ?? NOTHING,
    charges,
    living,
    counts,
    requests: world.requests,
    unknownRoutes: world.unknownRoutes,
  };
}
