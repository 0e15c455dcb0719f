import { code, type Ground, type Road } from './ground.js';

/** Steps, gates and ends, scheduled by somebody with no grant. */
export function forwardRoads(at: () => Ground): readonly Road[] {
  const waiting = () => at().waiting.runId;
  const rejected = () => at().rejected.runId;
  /** An activity of ours with no grant behind it. */
  const act = (name: string, runId: () => string, more: object = {}) => ({
    go: () => at().rogue(name, { runId: runId(), ...more }),
  });
  return [
    {
      name: 'the first step before anybody has approved the plan',
      ...act('createCustomer', waiting),
      told: code('GATE_NEEDED'),
      logged: 'perform create-customer: gate-open',
    },
    {
      name: 'the same with an approval, a digest and parameters that the caller claims',
      ...act('createCustomer', waiting, {
        approved: true,
        gateId: 'provision/road-completed:plan:1',
        params: { email: 'mallory@example.com' },
      }),
      told: code('GATE_NEEDED'),
      logged: 'perform create-customer: gate-open',
    },
    {
      name: 'the payment before its customer',
      ...act('startSubscription', waiting),
      told: code('OUT_OF_ORDER'),
      logged: 'perform start-subscription: OUT_OF_ORDER',
    },
    {
      name: 'the pivot first',
      ...act('registerDomain', waiting),
      told: code('OUT_OF_ORDER'),
      logged: 'perform register-domain: OUT_OF_ORDER',
    },
    {
      name: 'the deployment first',
      ...act('deploySite', waiting),
      told: code('OUT_OF_ORDER'),
      logged: 'perform deploy-site: OUT_OF_ORDER',
    },
    {
      name: 'taking down what a run has not made yet, by a run that takes nothing down',
      ...act('tearDownSubscription', waiting),
      told: code('OUT_OF_ORDER'),
      logged: 'perform start-subscription: OUT_OF_ORDER',
    },
    {
      name: 'taking down a customer under a run of its own, before anybody has approved it',
      ...act('tearDownCustomer', waiting, { tearsDown: 'road-completed' }),
      told: code('GATE_NEEDED'),
      logged: 'perform create-customer: gate-open',
    },
    {
      name: 'a run that was never admitted',
      ...act('createCustomer', () => 'road-nowhere'),
      told: code('RUN_UNKNOWN'),
      logged: 'perform create-customer: RUN_UNKNOWN',
    },
    {
      name: 'a run id that is none',
      ...act('registerDomain', () => '../road-completed'),
      told: code('REQUEST_INVALID'),
      logged: 'perform register-domain: REQUEST_INVALID',
    },
    {
      name: 'a step of a run that was rejected',
      ...act('createCustomer', rejected),
      told: code('DOOR_CLOSED'),
      logged: 'perform create-customer: DOOR_CLOSED',
    },
    {
      name: 'the purchase of a run that was rejected',
      ...act('registerDomain', rejected),
      told: code('DOOR_CLOSED'),
      logged: 'perform register-domain: DOOR_CLOSED',
    },
    {
      name: 'the gate over the domain of a run that has ended',
      ...act('openGate', rejected, { gate: 'register-domain' }),
      told: code('DOOR_CLOSED'),
      logged: 'gate register-domain: DOOR_CLOSED',
    },
    {
      name: 'completing a run that did nothing',
      ...act('completeRun', waiting),
      told: code('OUT_OF_ORDER'),
      logged: 'complete: OUT_OF_ORDER',
    },
  ];
}
