import type { Executor } from './connect.js';
import { appendLog } from './log.js';

/** The root keys that this installation was last opened with; undefined: it never was. */
export async function lastPins(db: Executor): Promise<readonly string[] | undefined> {
  const row = await db
    .selectFrom('root_pins')
    .select('root_keys')
    .orderBy('pin_id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.root_keys;
}

/** Records another set, and logs it. */
export async function insertPins(
  tx: Executor,
  of: {
    readonly rootKeys: readonly string[];
    readonly former: readonly string[];
    readonly recovered: boolean;
  },
): Promise<void> {
  const { former, recovered, rootKeys } = of;
  await tx
    .insertInto('root_pins')
    .values({ root_keys: [...rootKeys], recovered })
    .execute();
  await appendLog(tx, {
    kind: recovered ? 'roots-recovered' : 'roots-pinned',
    payload: { rootKeys, former },
  });
}
