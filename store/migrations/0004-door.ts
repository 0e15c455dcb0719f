import { absenceSql } from '../door-sql/absence.js';
import { admitSql } from '../door-sql/admit.js';
import { commonSql } from '../door-sql/common.js';
import { moneySql } from '../door-sql/money.js';
import { settleSql } from '../door-sql/settle.js';
import { stopSql } from '../door-sql/stop.js';
import { unwindSql } from '../door-sql/unwind.js';

/** The door's functions: VOLATILE plpgsql, called as `select * from f(…)`, so that each statement sees afresh. */
export const doorFunctions =
  commonSql + absenceSql + moneySql + admitSql + settleSql + stopSql + unwindSql;
