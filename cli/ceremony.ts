import { parseInstance } from '../domain/ids.js';
import type { Recording } from '../gateway/decisions.js';
import type { Context } from './context.js';

/** What judges a signature here: the database, this installation, and whom the configuration trusts. */
export async function ceremonyOf(context: Context): Promise<Recording> {
  return {
    db: await context.database(),
    instance: parseInstance(await context.instance()),
    trust: context.trust(),
  };
}
