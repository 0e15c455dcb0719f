import type { PlanSummary } from '../gateway/contract.js';
import type { PlanView } from './api.js';

/** The plan less its action documents: they name people and belong to the control database alone. */
export function viewOf({ plan, denials }: PlanSummary): PlanView {
  return {
    revision: plan.revision,
    currency: plan.currency,
    totalMaxMinor: plan.totalMaxMinor,
    price: {
      firstMinor: plan.firstChargeMinor,
      monthlyMinor: plan.monthlyMinor,
      yearlyMinor: plan.yearlyMinor,
    },
    steps: plan.steps.map(({ step, kind, tier, costMaxMinor, reversal, residue }) => ({
      step,
      kind,
      tier,
      costMaxMinor,
      reversal,
      residue: { minor: residue.minor, text: residue.text },
    })),
    gates: plan.gates.map(({ gate }) => gate),
    denials,
    ...(plan.anomalies === undefined ? {} : { anomalies: plan.anomalies }),
  };
}
