import { quoteReaders } from '../activities/quote-readers.js';
import { stepEffects } from '../activities/step-effects.js';
import type { Config } from '../config/load.js';
import { parseInstance, type RunId } from '../domain/ids.js';
import type { Plan } from '../domain/plan.js';
import type { Request } from '../domain/request.js';
import { createParts } from '../gateway/create-gateway.js';
import { createDoor } from '../gateway/door.js';
import { createEgress } from '../gateway/egress.js';
import { previewPlan } from '../gateway/preview.js';
import { connect } from '../store/connect.js';
import { readInstance } from '../store/migrate.js';
import { gatewaySettings } from './settings.js';

/**
 * Plans a request without a run: reads at the providers with the reading credentials alone, and writes nothing.
 * @throws POLICY_MISSING, PROVIDER_AUTH, PROVIDER_UNAVAILABLE, UsageError, UnreachableError
 */
export async function previewRun(config: Config, runId: RunId, request: Request): Promise<Plan> {
  const settings = await gatewaySettings(config, 'actions');
  const { reads } = settings.credentials;
  const db = connect(settings.databaseUrl, { max: 2 });
  try {
    const parts = createParts({
      db,
      door: createDoor(db),
      instance: parseInstance((await readInstance(db)).id),
      operations: stepEffects,
      readers: quoteReaders,
      providers: settings.providers,
      credentials: reads === undefined ? {} : { reads },
      settling: settings.settling,
      egress: createEgress({}),
    });
    return await previewPlan(parts, runId, request);
  } finally {
    await db.destroy();
  }
}
