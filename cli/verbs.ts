import type { Register } from './cli.js';
import { registerCases } from './verbs/cases.js';
import { registerDemo } from './verbs/demo.js';
import { registerBreakGlass } from './verbs/break-glass.js';
import { registerDecide } from './verbs/decide.js';
import { registerInbox } from './verbs/inbox.js';
import { registerLedger } from './verbs/ledger.js';
import { registerLogin } from './verbs/login.js';
import { registerPlan } from './verbs/plan.js';
import { registerPolicy } from './verbs/policy.js';
import { registerPretend } from './verbs/pretend.js';
import { registerProcesses } from './verbs/processes.js';
import { registerProvision } from './verbs/provision.js';
import { registerReconcile } from './verbs/reconcile.js';
import { registerRegister } from './verbs/register.js';
import { registerRuns } from './verbs/runs.js';
import { registerServices } from './verbs/services.js';
import { registerStatus } from './verbs/status.js';
import { registerSigned } from './verbs/signed.js';
import { registerStop } from './verbs/stop.js';
import { registerTeardown } from './verbs/teardown.js';
import { registerWithdraw } from './verbs/withdraw.js';
import { registerUp } from './verbs/up.js';

/** Every verb, in the order of the help: start, follow, decide, intervene, look, set up. */
export const REGISTERS: readonly Register[] = [
  registerUp,
  registerDemo,
  registerPlan,
  registerProvision,
  registerTeardown,
  registerRuns,
  registerInbox,
  registerDecide,
  registerBreakGlass,
  registerWithdraw,
  registerStop,
  registerSigned,
  registerLedger,
  registerCases,
  registerReconcile,
  registerStatus,
  registerRegister,
  registerPolicy,
  registerServices,
  registerLogin,
  registerProcesses,
  registerPretend,
];
