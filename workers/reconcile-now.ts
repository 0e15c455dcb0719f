import { inventory } from '../activities/inventory.js';
import type { Config } from '../config/load.js';
import { reconcile, type Reconciled } from '../gateway/reconcile.js';
import { withReadingParts } from './reading-parts.js';

/** One pass of `reconcile`, now. @throws POLICY_MISSING, PROVIDER_AUTH, UsageError, UnreachableError */
export const reconcileNow = (config: Config): Promise<Reconciled> =>
  withReadingParts(config, (parts) => reconcile(parts, inventory));
