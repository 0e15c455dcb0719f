import type { Approval } from '../domain/approval-rule.js';
import { readDecision, withoutWithdrawn } from '../domain/decide.js';
import { instantToMs } from '../domain/instant.js';
import type { Policy } from '../domain/policy/schema.js';
import { groupsOf } from '../domain/register.js';
import type { Executor } from '../store/connect.js';
import { decisionsStanding } from '../store/decision-rows.js';
import type { Row } from '../store/schema.js';
import { believingRegister, type Pins } from './believed.js';

/** What of the decisions at a gate stands now. */
export interface Standing {
  /** Approves that nobody has taken back, by keys that nobody calls compromised. */
  readonly approvals: readonly Row<'decisions'>[];
  /** When a person last withdrew, by their own statement, in ms. */
  readonly withdrawnAtMs: (person: string) => number | undefined;
}

export async function standingAt(db: Executor, gateId: string): Promise<Standing> {
  const rows = await decisionsStanding(db, gateId);
  const said = ({ decision, person_id }: Row<'decisions'>) => ({
    approver: person_id ?? '',
    decision: decision ?? '',
  });
  return {
    approvals: withoutWithdrawn(rows, said).filter(({ decision }) => decision === 'approve'),
    withdrawnAtMs: (person) => {
      const last = rows.findLast((row) => row.decision === 'withdraw' && row.person_id === person);
      return last === undefined ? undefined : decidedMs(last);
    },
  };
}

function decidedMs(row: Row<'decisions'>): number | undefined {
  return instantToMs(readDecision(row.statement).statement.decidedAt);
}

/** Approvals in the words of a rule: each person with the groups that count for them now. */
export async function countedApprovals(
  db: Executor,
  pins: Pins,
  {
    approvals,
    policy,
  }: { readonly approvals: readonly Row<'decisions'>[]; readonly policy: Policy },
): Promise<Approval[]> {
  const persons = approvals.flatMap(({ person_id }) => person_id ?? []);
  const register = await believingRegister(db, pins, { persons, keys: [] });
  return approvals.map((row) => {
    const person = register.person(row.person_id ?? '');
    const groups = person?.active === true ? groupsOf(person, policy) : [];
    return { person: row.person_id ?? '', groups };
  });
}
