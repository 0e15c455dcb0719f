import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import type { Schema } from './schema.js';

export type Database = Kysely<Schema>;
/** A transaction, or the database itself: queries take either. */
export type Executor = Kysely<Schema> | Transaction<Schema>;

export interface ConnectOptions {
  readonly max?: number;
  readonly statementTimeoutMs?: number;
  /** Called when a connection is lost; the query on it is rejected by itself. */
  readonly onLost?: (error: Error) => void;
}

const INT8 = 20;

function parseBigint(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`bigint ${text} is out of the safe range`);
  return value;
}

const types: pg.CustomTypesConfig = {
  getTypeParser: (...[oid, format]: Parameters<typeof pg.types.getTypeParser>) =>
    [INT8].includes(oid) && format !== 'binary'
      ? parseBigint
      : (pg.types.getTypeParser(oid, format) as (text: string) => unknown),
};

/**
 * Opens a pool on the control database; `destroy()` ends it. Every session is READ COMMITTED, which the
 * door's functions insist on, and no statement outlives its timeout.
 */
export function connect(url: string, options: ConnectOptions = {}): Database {
  const statementTimeout = options.statementTimeoutMs ?? 15_000;
  const onLost = options.onLost ?? (() => undefined);
  const pool = new pg.Pool({
    connectionString: url,
    types,
    max: options.max ?? 8,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: statementTimeout,
    lock_timeout: statementTimeout,
    query_timeout: statementTimeout + 5_000,
    idle_in_transaction_session_timeout: 30_000,
    options: '-c default_transaction_isolation=read\\ committed',
  });
  // An idle client's error goes to the pool, a busy one's to the client itself: unheard, either ends the process.
  pool.on('error', onLost);
  pool.on('connect', (client) => {
    client.on('error', onLost);
  });
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
}
