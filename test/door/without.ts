import { sql } from 'kysely';
import type { Database } from '../../store/connect.js';

/** `… guard:NAME else TEXT … end`: what stands between the marks is the guard, TEXT is what it is like to be without. */
const marked = (name: string): RegExp =>
  new RegExp(String.raw`/\*\s*guard:${name} else ([\s\S]*?)\s*\*/[\s\S]*?/\* end \*/`, 'g');

interface FunctionText {
  readonly text: string;
}

async function functionsWith(db: Database, name: string): Promise<readonly string[]> {
  const { rows } = await sql<FunctionText>`
    select pg_get_functiondef(p.oid) as text from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace and n.nspname = 'public'
     where p.prokind = 'f' and p.prosrc like ${`%guard:${name} else %`}`.execute(db);
  return rows.map((row) => row.text);
}

/** The names of all guards in the functions of this database. */
export async function guardsIn(db: Database): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    select distinct m[1] as name from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace and n.nspname = 'public',
           regexp_matches(p.prosrc, 'guard:([a-z0-9-]+) else ', 'g') m order by 1`.execute(db);
  return rows.map((row) => row.name);
}

/**
 * Takes guards out of the real functions in a scratch database while `body` runs, then puts the functions back.
 * Nothing of this is in the product: a guard's marks are comments there.
 */
export async function without<T>(
  db: Database,
  names: readonly string[],
  body: () => Promise<T>,
): Promise<T> {
  const originals: string[] = [];
  try {
    for (const name of names) {
      const texts = await functionsWith(db, name);
      if (texts.length === 0) throw new Error(`no function bears the guard ${name}`);
      for (const text of texts) {
        originals.push(text);
        await sql.raw(text.replace(marked(name), '$1')).execute(db);
      }
    }
    return await body();
  } finally {
    for (const text of originals.reverse()) await sql.raw(text).execute(db);
  }
}
