import { canonicalize } from '../domain/canonical.js';
import type { Digest, RunId } from '../domain/ids.js';
import { parseAmount } from '../domain/money.js';
import type { Policy } from '../domain/policy/schema.js';
import { chainOf } from '../domain/request.js';
import type { ChainMember, Request } from '../domain/request.js';
import {
  countRuns,
  insertRun,
  lockAdmissions,
  readAgents,
  readPrincipal,
  readRun,
} from '../store/admissions.js';
import type { Executor } from '../store/connect.js';
import { identityRefusal } from '../store/identity.js';
import { appendLog } from '../store/log.js';
import { lockTorn } from '../store/teardowns.js';
import type { Row } from '../store/schema.js';
import type { Admitted } from './contract.js';
import { identityReason, identityWords } from './identity.js';
import type { Parts } from './parts.js';
import { policyInForce } from './policy.js';

/**
 * Who asks, and what they may ask for: register ids, an empty list allows nothing, `*` anything. Each agent of a chain
 * has to be allowed.
 */
export interface Caller {
  readonly requester: string;
  /** The only agent that may act: the caller itself, where it is one. Whoever else it names, it acts for. */
  readonly acting?: string;
  readonly agents: readonly string[];
  readonly principals: readonly string[];
  readonly environments: readonly string[];
}

/** Why a claim is refused: the reason is recorded; what is told depends on who has proved to be asking. */
export class Refusal extends Error {
  constructor(
    readonly reason: string,
    message: string,
    /** To somebody who has proved nothing, all refusals look alike. */
    readonly told = 'the run was not admitted: no registered service key speaks for this request',
  ) {
    super(message);
  }
}

export const told = (reason: string, message: string): Refusal =>
  new Refusal(reason, message, `the run was not admitted: ${message}`);

export interface Wanted {
  readonly runId: RunId;
  readonly digest: Digest;
  readonly request: Request;
  readonly caller: Caller;
}

/** Admits a run for a caller who has proved who they are. @throws Refusal, POLICY_MISSING */
export async function admitKnown(parts: Parts, wanted: Wanted): Promise<Admitted> {
  const { caller, digest, runId } = wanted;
  const known = await readRun(parts.db, runId);
  if (known !== undefined) return same(known, { runId, digest, requester: caller.requester });
  return admitNew(parts, wanted);
}

/** Same id, same digest, same caller: the same run, for ever. Anything else learns nothing. */
function same(
  row: Row<'runs'>,
  asked: { runId: RunId; digest: Digest; requester: string },
): Admitted {
  if (row.request_digest !== asked.digest || row.requester !== asked.requester)
    throw new Refusal('run-id-taken', 'another request or another caller has this run id');
  return admittedOf(row, asked.runId);
}

/** A run that is on record, as its workflow is told of it. */
export const admittedOf = (row: Row<'runs'>, runId: RunId): Admitted => ({
  runId,
  requestDigest: row.request_digest as Digest,
  environment: row.environment,
  agent: row.agent,
  principal: row.principal,
  domain: row.domain,
  door: row.door,
});

async function admitNew(parts: Parts, wanted: Wanted): Promise<Admitted> {
  const { request, caller } = wanted;
  if (!allows(caller.environments, request.environment))
    throw told('environment', `${caller.requester} may not ask for ${request.environment}`);
  const chain = chainOf(request);
  // guard: each agent of the chain, not only the one that acts.
  const foreign = chain.find(({ agent }) => !allows(caller.agents, agent));
  if (foreign !== undefined)
    throw told('agent', `${caller.requester} may not speak for the agent ${foreign.agent}`);
  // guard: an agent is judged, counted and capped as itself.
  if (caller.acting !== undefined && caller.acting !== request.agent)
    throw told('agent', `${caller.acting} may not ask as ${request.agent}`);
  const principal = await readPrincipal(parts.db, request.principal);
  if (principal === undefined || !allows(caller.principals, principal.principal_id))
    throw told('principal', `${caller.requester} may not act for this principal`);
  const { policy } = await policyInForce(parts.db, parts);
  return parts.db.transaction().execute(async (tx) => {
    await lockAdmissions(tx, request.agent);
    const acting = await actingAgents(tx, { request, chain, principal: principal.principal_id });
    await mustHaveRoom(tx, request.agent, policy);
    await mustBeTearable(tx, request, principal.principal_id);
    return write(tx, { ...wanted, principal: principal.principal_id, acting, policy });
  });
}

interface Acting extends ChainMember {
  readonly owner: string;
}

/** The chain with who answers for each. @throws Refusal when one of them may not begin anything for the principal */
async function actingAgents(
  tx: Executor,
  of: { request: Request; chain: readonly ChainMember[]; principal: string },
): Promise<Acting[]> {
  const { chain, principal, request } = of;
  const refused = await identityRefusal(tx, {
    agents: chain.map(({ agent }) => agent),
    principal,
    currency: parseAmount(request.budget).currency,
  });
  if (refused !== undefined) throw told(identityReason(refused), identityWords(refused));
  const agents = await readAgents(
    tx,
    chain.map(({ agent }) => agent),
  );
  return chain.map((member) => {
    const row = agents.get(member.agent);
    if (row?.owner_person == null || !row.active)
      throw told('agent', `the agent ${member.agent} is off`);
    return { ...member, owner: row.owner_person };
  });
}

async function mustHaveRoom(tx: Executor, agent: string, policy: Policy): Promise<void> {
  const running = await countRuns(tx, agent);
  const { openRunsPerAgent, runsPerHour } = policy.counts;
  if (running.open >= openRunsPerAgent)
    throw told('open-runs', `counts.openRunsPerAgent: ${openRunsPerAgent} runs are open already`);
  if (running.lastHour >= runsPerHour)
    throw told('runs-per-hour', `counts.runsPerHour: ${runsPerHour} runs in the last hour`);
}

/**
 * Only what has completed is torn down, once, for the same principal, under the same name and environment.
 * @throws Refusal
 */
async function mustBeTearable(tx: Executor, request: Request, principal: string): Promise<void> {
  const { tearsDown } = request;
  if (tearsDown === undefined) return;
  const torn = await lockTorn(tx, tearsDown);
  // guard: whose run it is. Of another principal's nothing is told, not even that it exists.
  if (
    torn?.row.principal !== principal ||
    torn.row.domain !== request.domain.name ||
    torn.row.environment !== request.environment
  )
    throw told(
      'teardown',
      `no run ${tearsDown} of this principal, name and environment can be torn down`,
    );
  if (torn.row.tears_down !== null)
    throw told('teardown', `${tearsDown} is a teardown itself: what it took down is gone`);
  // guard: an open run is stopped, and one that was taken back is gone.
  if (torn.row.door !== 'completed')
    throw told(
      'teardown',
      `${tearsDown} has not completed: stop it instead, and it is taken back by itself`,
    );
  if (torn.by !== undefined)
    throw told(
      'teardown',
      torn.done
        ? `${tearsDown} was torn down by ${torn.by}`
        : `${tearsDown} is being torn down by ${torn.by}`,
    );
}

async function write(
  tx: Executor,
  of: Wanted & { principal: string; acting: readonly Acting[]; policy: Policy },
): Promise<Admitted> {
  const { acting, caller, digest, principal, request, runId } = of;
  const budget = parseAmount(request.budget);
  const written = await insertRun(tx, {
    runId,
    // By register id, whatever the caller wrote: an address stands in the register alone.
    request: canonicalize({ ...request, principal }),
    requestDigest: digest,
    requester: caller.requester,
    agent: request.agent,
    owner: acting.at(-1)?.owner ?? '',
    chain: acting,
    principal,
    environment: request.environment,
    domain: request.domain.name,
    budgetMinor: budget.minor,
    currency: budget.currency,
    operationsMax: of.policy.counts.operationsPerRun,
    ...(request.tearsDown === undefined ? {} : { tearsDown: request.tearsDown }),
  });
  if (written)
    await appendLog(tx, {
      kind: 'admission',
      runId,
      payload: {
        requestDigest: digest,
        requester: caller.requester,
        agent: request.agent,
        ...(acting.length === 1 ? {} : { chain: acting.map(({ agent }) => agent).join(' ') }),
        principal,
        environment: request.environment,
        ...(request.tearsDown === undefined ? {} : { tearsDown: request.tearsDown }),
      },
    });
  const row = await readRun(tx, runId);
  if (row === undefined) throw new Error(`invariant: run ${runId} was just written`);
  return same(row, { runId, digest, requester: caller.requester });
}

const allows = (list: readonly string[], wanted: string): boolean =>
  list.includes('*') || list.includes(wanted);
