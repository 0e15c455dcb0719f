import { quoteReaders } from '../activities/quote-readers.js';
import { stepEffects } from '../activities/step-effects.js';
import type { Config } from '../config/load.js';
import { parseInstance } from '../domain/ids.js';
import { createParts } from '../gateway/create-gateway.js';
import { createDoor } from '../gateway/door.js';
import { createEgress } from '../gateway/egress.js';
import type { Parts } from '../gateway/parts.js';
import { connect } from '../store/connect.js';
import { readInstance } from '../store/migrate.js';
import { gatewaySettings } from './settings.js';

/** Lends parts that hold the reading credentials alone: nothing can be sent with them. @throws UsageError, UnreachableError */
export async function withReadingParts<T>(
  config: Config,
  body: (parts: Parts) => Promise<T>,
): Promise<T> {
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
      ...(settings.trust === undefined ? {} : { trust: settings.trust }),
    });
    return await body(parts);
  } finally {
    await db.destroy();
  }
}
