import { gateWordSchema } from '../../domain/break-glass-documents.js';
import { Failure } from '../../domain/errors.js';
import type { GateId, RunId } from '../../domain/ids.js';
import type { Plan, PlanStep, RunState } from '../../domain/plan.js';
import { STEPS, type EffectStep } from '../../domain/steps.js';
import type { Gateway, GateStatus, Sender } from '../../gateway/contract.js';

/** What a step of the double does when it is performed. */
export type Behaviour =
  | 'succeed'
  /** Does nothing and fails for good. */
  | 'refuse'
  /** Acts, and then the answer is lost for good: the failure hides a success. */
  | 'act-then-fail'
  /** Holds the call until it is let go, then acts and succeeds: for a stop in between. */
  | 'slow';

const DENIALS: ReadonlySet<string> = new Set([
  'POLICY_DENIED',
  'POLICY_MISSING',
  'BUDGET_EXCEEDED',
]);

/**
 * A gateway without database and provider, for the executor alone: what it does is set by the test, what it did can
 * be read. Everything that decides anything is tested on the real one.
 */
export class GatewayDouble {
  readonly living = new Set<string>();
  readonly order: string[] = [];
  readonly behaviour: Partial<Record<EffectStep, Behaviour>> = {};
  /** Reversals that fail, by step, until a person resolves them. */
  readonly irreversible = new Set<EffectStep>();
  readonly gateStates = new Map<string, GateStatus>();
  /** Does the record know which steps the run began? A lost record leaves the executor's own stack. */
  recordKnows = true;
  door: 'open' | 'closed' | 'completed' = 'open';
  end: RunState['phase'] | undefined;
  stopped = false;
  #cause: string | undefined;
  #failed: string | undefined;
  #tookBack = false;
  #release: () => void = () => undefined;
  readonly #slow = new Promise<void>((resolve) => {
    this.#release = resolve;
  });

  letGo(): void {
    this.#release();
  }

  /** The activities' view of it. */
  gateway(): Gateway {
    return {
      admit: ({ runId }) =>
        Promise.resolve({
          runId: runId as RunId,
          requestDigest: `sha256:${'0'.repeat(64)}` as never,
          environment: 'production',
          agent: 'a',
          principal: 'pr_p',
          domain: 'double.club',
          door: this.door,
        }),
      plan: (runId) => Promise.resolve({ plan: planOf(runId), denials: [] }),
      openGate: (runId, gate) => {
        const gateId = `provision/${runId}:${gate}:1` as GateId;
        if (!this.gateStates.has(gate))
          return Promise.resolve({ gateId: undefined, notNeeded: true });
        return Promise.resolve({
          gateId,
          gate,
          revision: 1,
          digest: `sha256:${'1'.repeat(64)}` as never,
          document: '{}',
          card: '{}',
          expiresInMs: 60_000,
        });
      },
      recordDecision: (_runId, message) => {
        const parsed = gateWordSchema.safeParse(message);
        if (!parsed.success) return Promise.resolve({ accepted: false, reason: 'malformed' });
        const { gateId } = parsed.data;
        const decision = 'decision' in parsed.data ? parsed.data.decision : 'approve';
        const gate = gateId.split(':')[1] ?? '';
        if (this.gateStates.get(gate)?.state === 'open')
          this.gateStates.set(
            gate,
            decision === 'approve'
              ? { state: 'granted', approvers: ['p_x'] }
              : { state: 'rejected', by: 'p_x', reason: 'no' },
          );
        return Promise.resolve({ accepted: true, gateState: 'granted', approver: 'p_x' });
      },
      gateStatus: (_runId, gateId) =>
        Promise.resolve(this.gateStates.get(gateId.split(':')[1] ?? '') ?? { state: 'expired' }),
      readiness: () => Promise.resolve({ ready: true }),
      perform: (_runId, step, sender) => this.#perform(step, sender),
      verify: () => Promise.resolve({ step: 'verify-site', outcome: 'verified', spentMinor: 0 }),
      closeDoor: (_runId, { kind }) => {
        if (this.door === 'completed') return Promise.reject(new Failure('NO_CAUSE', 'completed'));
        this.door = 'closed';
        this.#cause = kind;
        const begun = STEPS.filter((step) => this.living.has(step)) as EffectStep[];
        return Promise.resolve({ steps: this.recordKnows ? begun : [] });
      },
      reverse: (_runId, step) => {
        if (this.irreversible.has(step))
          return Promise.reject(new Failure('COMPENSATION_FAILED', `${step} cannot be reversed`));
        const was = this.living.delete(step);
        this.#tookBack ||= was;
        this.order.push(`undo ${step}`);
        return Promise.resolve({
          done: true,
          report: { step, outcome: was ? 'reversed' : 'never-happened', spentMinor: 0 },
        });
      },
      complete: (runId) => {
        if (this.door !== 'open') return Promise.reject(new Failure('DOOR_CLOSED', 'closed'));
        this.door = 'completed';
        this.end = 'completed';
        return Promise.resolve(this.#state(runId, 'completed', 'done'));
      },
      finish: (runId, why) => {
        const byCause = (['rejected', 'expired', 'denied'] as const).find(
          (end) => end === (this.#cause === 'failure' ? this.#failed : this.#cause),
        );
        this.end = this.#tookBack ? 'reversed' : (byCause ?? 'reversed');
        return Promise.resolve(this.#state(runId, this.end, why));
      },
      stopRun: () => {
        this.stopped = true;
        return Promise.resolve();
      },
      resolve: () => {
        this.irreversible.clear();
        return Promise.resolve({ accepted: true, action: 'retry', by: 'p_x' });
      },
      resume: () => Promise.resolve({ accepted: true, action: 'resume', by: 'p_x' }),
      recordFailure: (_runId, _step, code) => {
        this.#failed = DENIALS.has(code) ? 'denied' : 'reversed';
        return Promise.resolve();
      },
      stray: (_, activity) => Promise.reject(new Failure('ADMISSION_REFUSED', activity)),
      report: (runId) => Promise.resolve(this.#state(runId, this.end ?? 'running', 'reported')),
    };
  }

  async #perform(step: EffectStep, sender: Sender) {
    if (this.stopped) throw new Failure('FENCED', 'stopped');
    this.order.push(`do ${step}`);
    const how = this.behaviour[step] ?? 'succeed';
    if (how === 'refuse') throw new Failure('PROVIDER_REFUSED', `${step} was refused`);
    if (how === 'slow') {
      await new Promise<void>((resolve) => {
        sender.signal.addEventListener('abort', () => {
          this.order.push(`cancel asked of ${step}`);
        });
        void this.#slow.then(resolve);
      });
    }
    this.living.add(step);
    if (how === 'slow') this.order.push(`landed ${step}`);
    if (how === 'act-then-fail') throw new Failure('VERIFICATION_FAILED', `${step}: answer lost`);
    return { step, object: `${step}-object`, spentMinor: 100, attempt: 1 };
  }

  #state(runId: RunId, phase: RunState['phase'], why: string): RunState {
    return {
      runId,
      phase,
      why,
      steps: [...this.living].map((step) => ({
        step: step as EffectStep,
        outcome: 'succeeded',
        object: `${step}-object`,
        spentMinor: 100,
      })),
      currency: 'USD',
      reservedMinor: 0,
      spentMinor: 0,
      residue: [],
    };
  }
}

function planOf(runId: RunId): Plan {
  const steps = STEPS.map((step): PlanStep => ({
    step,
    kind: step === 'verify-site' ? 'read' : 'act',
    title: step,
    tier: 'sign-off',
    because: [],
    costMaxMinor: 100,
    reversal: 'compensate',
    residue: { minor: 0, text: '' },
  }));
  return {
    runId,
    revision: 1,
    environment: 'production',
    policyVersion: 1,
    policyDigest: `sha256:${'2'.repeat(64)}` as never,
    currency: 'USD',
    steps,
    totalMaxMinor: 700,
    firstChargeMinor: 0,
    monthlyMinor: 0,
    yearlyMinor: 0,
    worstCase: [],
    denials: [],
    gates: [
      { gate: 'plan', rule: { allOf: [{ group: 'approvers', count: 1 }] }, steps: [] },
      { gate: 'register-domain', rule: { allOf: [{ group: 'approvers', count: 1 }] }, steps: [] },
    ],
    terms: [],
  };
}
