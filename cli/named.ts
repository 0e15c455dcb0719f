import { UsageError } from '../config/errors.js';
import { ENVIRONMENTS, type Environment } from '../domain/steps.js';
import { listPrincipals } from '../store/people.js';
import type { Context } from './context.js';

/** Allow-lists know principals by register id. @throws UsageError for one that is not registered */
export async function principalIds(context: Context, given: readonly string[]): Promise<string[]> {
  const rows = await listPrincipals(await context.database());
  return given.map((name) => {
    if (name === '*') return name;
    const found = rows.find((row) => row.principal_id === name || row.email === name.toLowerCase());
    if (found !== undefined) return found.principal_id;
    throw new UsageError({
      what: `there is no principal ${JSON.stringify(name.slice(0, 80))}`,
      remedy: 'Register it first: countersign principals add ADDRESS',
    });
  });
}

/** @throws UsageError for one that does not exist */
export function environmentsOf(given: readonly string[]): ('*' | Environment)[] {
  const known = ['*', ...ENVIRONMENTS] as const;
  return given.map((name) => {
    const found = known.find((one) => one === name);
    if (found !== undefined) return found;
    throw new UsageError({
      what: `--environment ${JSON.stringify(name.slice(0, 40))} is none of ${ENVIRONMENTS.join(', ')}`,
      remedy: 'Name one of them, or * for all',
    });
  });
}
