import { absenceSql } from './absence.js';
import { adoptedSql } from './adopted.js';
import { admitSql } from './admit.js';
import { anomaliesSql } from './anomalies.js';
import { callsSql } from './calls.js';
import { commonSql } from './common.js';
import { factsSql } from './facts.js';
import { findingsSql } from './findings.js';
import { identitySql } from './identity.js';
import { moneyBackSql } from './money-back.js';
import { moneySql } from './money.js';
import { pausesSql } from './pauses.js';
import { settleSql } from './settle.js';
import { stopSql } from './stop.js';
import { teardownSql } from './teardown.js';
import { tokensSql } from './tokens.js';
import { unwindSql } from './unwind.js';

/** The door's functions: VOLATILE plpgsql, called as `select * from f(…)`, so that each statement sees afresh. */
export const doorFunctions = [
  commonSql,
  identitySql,
  callsSql,
  absenceSql,
  factsSql,
  moneySql,
  findingsSql,
  moneyBackSql,
  adoptedSql,
  teardownSql,
  admitSql,
  settleSql,
  pausesSql,
  stopSql,
  unwindSql,
  tokensSql,
  anomaliesSql,
].join('');
