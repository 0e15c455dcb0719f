import type { Gateway } from '../../gateway/contract.js';
import { GatewayDouble } from '../workflows/double.js';

/** Many runs on the same workers, each with a stand-in of its own, so that a whole table costs one set of workers. */
export class ManyDoubles {
  readonly #gateways = new Map<string, Gateway>();

  /** A stand-in for this run; `change` puts a test's own conduct over it. */
  add(
    runId: string,
    change: (double: GatewayDouble, base: Gateway) => Partial<Gateway> = () => ({}),
  ) {
    const double = new GatewayDouble();
    const base = double.gateway();
    this.#gateways.set(runId, { ...base, ...change(double, base) });
    return double;
  }

  #of(runId: string): Gateway {
    const gateway = this.#gateways.get(runId);
    if (gateway === undefined) throw new Error(`no stand-in for ${runId}`);
    return gateway;
  }

  /** Hands each call to the stand-in of its run. */
  gateway(): Gateway {
    return {
      admit: (claim) => this.#of(claim.runId).admit(claim),
      plan: (runId) => this.#of(runId).plan(runId),
      openGate: (runId, gate) => this.#of(runId).openGate(runId, gate),
      recordDecision: (runId, message, road) =>
        this.#of(runId).recordDecision(runId, message, road),
      gateStatus: (runId, gateId) => this.#of(runId).gateStatus(runId, gateId),
      readiness: (runId, step) => this.#of(runId).readiness(runId, step),
      perform: (runId, step, sender) => this.#of(runId).perform(runId, step, sender),
      verify: (runId) => this.#of(runId).verify(runId),
      closeDoor: (runId, cause) => this.#of(runId).closeDoor(runId, cause),
      reverse: (runId, step, sender) => this.#of(runId).reverse(runId, step, sender),
      complete: (runId) => this.#of(runId).complete(runId),
      finish: (runId, why) => this.#of(runId).finish(runId, why),
      stopRun: (runId, by, reason, mode) => this.#of(runId).stopRun(runId, by, reason, mode),
      resolve: (runId, message) => this.#of(runId).resolve(runId, message),
      resume: (runId, message) => this.#of(runId).resume(runId, message),
      recordFailure: (runId, step, code, message) =>
        this.#of(runId).recordFailure(runId, step, code, message),
      stray: (runId, activity) => this.#of(runId).stray(runId, activity),
      report: (runId) => this.#of(runId).report(runId),
    };
  }
}

/** Somewhere a call waits until the test lets it go on. */
export function latch() {
  let open = (): void => undefined;
  let arrive = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const reached = new Promise<void>((resolve) => (arrive = resolve));
  return {
    /** Resolves when somebody stands at the latch. */
    reached,
    open: () => {
      open();
    },
    async pass(): Promise<void> {
      arrive();
      await opened;
    },
  };
}
export type Latch = ReturnType<typeof latch>;
