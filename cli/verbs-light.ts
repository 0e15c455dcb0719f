import type { Register } from './cli.js';
import { TEMPORAL_VERBS, type TemporalVerb } from './temporal-verbs.js';
import { registerCases } from './verbs/cases.js';
import { registerInbox } from './verbs/inbox.js';
import { registerLedger } from './verbs/ledger.js';
import { registerLogin } from './verbs/login.js';
import { registerPlan } from './verbs/plan.js';
import { registerPolicy } from './verbs/policy.js';
import { registerPretend } from './verbs/pretend.js';
import { registerProcesses } from './verbs/processes.js';
import { registerReconcile } from './verbs/reconcile.js';
import { registerRegister } from './verbs/register.js';
import { registerWithdraw } from './verbs/withdraw.js';
import { registerServices } from './verbs/services.js';

/** Only for the overview and for what a mistyped verb may have meant; its call goes to the other program. */
const named =
  (...usages: readonly TemporalVerb[]): Register =>
  (verbs) => {
    for (const usage of usages) verbs.add(usage, TEMPORAL_VERBS[usage], `countersign ${usage}`);
  };

/** The verbs of verbs.ts in the same order; those that need Temporal by name alone. */
export const LIGHT_REGISTERS: readonly Register[] = [
  named('up', 'demo'),
  registerPlan,
  named('provision <file>', 'teardown <run>', 'runs', 'show <run>', 'watch <run>', 'why <run>'),
  registerInbox,
  named('approve <run>', 'reject <run>', 'break-glass <run>'),
  registerWithdraw,
  named('stop', 'resume', 'resolve <run>'),
  registerLedger,
  registerCases,
  registerReconcile,
  named('status', 'doctor'),
  registerRegister,
  registerPolicy,
  registerServices,
  registerLogin,
  registerProcesses,
  registerPretend,
];

const NAMES: ReadonlySet<string> = new Set(
  Object.keys(TEMPORAL_VERBS).map((usage) => usage.split(' ')[0] ?? ''),
);

/** Does this call need Temporal's packages? Its help included: the program that has them knows the options. */
export function needsTemporal([verb = '', ...rest]: readonly string[]): boolean {
  return NAMES.has(verb) || (verb === 'worker' && rest.includes('--check'));
}
