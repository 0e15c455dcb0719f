import type { ActionDocument } from '../documents.js';
import { parseAmount } from '../money.js';
import type { Policy } from './schema.js';

/** What the agent has spent without a person so far, other runs than this one. Minor units, by UTC day and month. */
export interface UnattendedSoFar {
  readonly dayMinor: number;
  readonly monthMinor: number;
}

/**
 * The rule by which a run's autonomous spending needs a person after all: together with what went before it would pass
 * what an agent may spend unattended. Ten small sums are judged as the one that they are. Undefined: it fits.
 */
export function unattendedRule(
  { unattended }: Policy,
  actions: readonly ActionDocument[],
  soFar: UnattendedSoFar,
): { readonly rule: string; readonly text: string } | undefined {
  const sumMinor = actions.reduce((sum, { costMaxMinor }) => sum + costMaxMinor, 0);
  if (unattended === undefined || sumMinor === 0) return undefined;
  for (const [period, usedMinor] of [
    ['day', soFar.dayMinor],
    ['month', soFar.monthMinor],
  ] as const) {
    const limit = period === 'day' ? unattended.perDay : unattended.perMonth;
    if (usedMinor + sumMinor > parseAmount(limit).minor)
      return {
        rule: period === 'day' ? 'unattended.perDay' : 'unattended.perMonth',
        text: `with what this agent spent before it is more than ${limit} a ${period} without a person`,
      };
  }
  return undefined;
}
