import type { z } from 'zod';
import type { List } from './billing-objects.js';
import type { Call } from './call.js';
import type { range } from './params.js';
import { invalid, missing } from './problem.js';

interface Paging {
  readonly limit?: number | undefined;
  readonly starting_after?: string | undefined;
  readonly ending_before?: string | undefined;
  readonly created?: z.output<typeof range> | undefined;
}

function inRange(at: number, wanted: Paging['created']): boolean {
  if (wanted === undefined) return true;
  if (typeof wanted === 'number') return at === wanted;
  const { gt, gte, lt, lte } = wanted;
  return (
    (gt === undefined || at > gt) &&
    (gte === undefined || at >= gte) &&
    (lt === undefined || at < lt) &&
    (lte === undefined || at <= lte)
  );
}

/** The list envelope: newest first, by cursor, 10 unless told, at most 100. */
export function listOf<T extends { id: string; created: number }>(
  call: Call,
  url: string,
  all: Iterable<T>,
  { limit = 10, starting_after, ending_before, created }: Paging,
): List<T> {
  if (limit < 1 || limit > 100) {
    throw invalid('This limit is out of range: it must be between 1 and 100.', 'limit');
  }
  const seen = [...all]
    .reverse()
    .filter((one) => call.visible(one.id) && inRange(one.created, created));
  const at = (id: string, param: string): number => {
    const index = seen.findIndex((one) => one.id === id);
    if (index < 0) throw missing('object', id, param);
    return index;
  };
  if (ending_before !== undefined) {
    const end = at(ending_before, 'ending_before');
    const start = Math.max(0, end - limit);
    return { object: 'list', data: seen.slice(start, end), has_more: start > 0, url };
  }
  const start = starting_after === undefined ? 0 : at(starting_after, 'starting_after') + 1;
  const data = seen.slice(start, start + limit);
  return { object: 'list', data, has_more: start + data.length < seen.length, url };
}
