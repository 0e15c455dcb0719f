import { decodeBase64url } from '../domain/base64url.js';
import { canonicalize, parseCanonical } from '../domain/canonical.js';
import { admissionSchema, ed25519SignatureSchema } from '../domain/documents.js';
import type { AdmissionStatement } from '../domain/documents.js';
import { Failure } from '../domain/errors.js';
import type { Digest, RunId } from '../domain/ids.js';
import { parseRunId } from '../domain/ids.js';
import { parseAmount } from '../domain/money.js';
import { ProtocolError } from '../domain/reasons.js';
import { REQUEST_BYTES_MAX, parseRequest, requestDigestOf } from '../domain/request.js';
import type { Request } from '../domain/request.js';
import { verifyStatement } from '../domain/signature.js';
import {
  countRuns,
  insertRun,
  lockAdmissions,
  readActiveAgent,
  readPrincipal,
  readRun,
  readServiceKey,
} from '../store/admissions.js';
import { recordRefusal } from '../store/refusals.js';
import { appendLog } from '../store/log.js';
import type { Row } from '../store/schema.js';
import type { Admitted, AdmissionClaim } from './contract.js';
import type { Parts } from './parts.js';
import { policyInForce } from './policy.js';

/**
 * A run exists when its row does, and its row exists when a registered service key has signed for it. Whatever comes
 * through Temporal is a claim until this has looked at it.
 * @throws ADMISSION_REFUSED, REQUEST_INVALID, POLICY_MISSING
 */
export async function admit(parts: Parts, claim: AdmissionClaim): Promise<Admitted> {
  try {
    return await decide(parts, claim);
  } catch (error) {
    if (error instanceof Refusal) {
      await recordRefusal(parts.db, {
        asked: 'admit',
        reason: error.reason,
        detail: `${quoted(claim.runId)}: ${error.message}`,
      });
      throw new Failure('ADMISSION_REFUSED', error.told);
    }
    if (error instanceof Failure && error.code === 'REQUEST_INVALID')
      await recordRefusal(parts.db, {
        asked: 'admit',
        reason: 'request-invalid',
        detail: error.message,
      });
    throw error;
  }
}

/** Why a claim is refused: the reason is recorded; what is told depends on who has proved to be asking. */
class Refusal extends Error {
  constructor(
    readonly reason: string,
    message: string,
    /** To somebody who has proved nothing, all refusals look alike. */
    readonly told = 'the run was not admitted: no registered service key speaks for this request',
  ) {
    super(message);
  }
}

const told = (reason: string, message: string): Refusal =>
  new Refusal(reason, message, `the run was not admitted: ${message}`);

const quoted = (text: string): string => JSON.stringify(text.slice(0, 80));

async function decide(parts: Parts, claim: AdmissionClaim): Promise<Admitted> {
  const runId = parseRunId(claim.runId);
  const statement = parseStatement(claim.statement);
  if (statement.instance !== parts.instance)
    throw new Refusal('instance-mismatch', 'the statement is for another instance');
  if (statement.runId !== runId)
    throw new Refusal('run-mismatch', 'the statement is for another run');
  const key = await verifiedKey(parts, statement, claim.signature);
  const request = parseRequest(parsedJson(claim.request));
  const digest = requestDigestOf(request);
  if (digest !== statement.requestDigest)
    throw told('digest-mismatch', 'the request is not the one that was signed');
  const known = await readRun(parts.db, runId);
  if (known !== undefined) return same(known, { runId, digest, requester: key.service_id });
  return admitNew(parts, { runId, digest, request, key });
}

function parseStatement(text: string): AdmissionStatement {
  try {
    const parsed = admissionSchema.safeParse(parseCanonical(text));
    if (parsed.success) return parsed.data;
  } catch (error) {
    if (error instanceof ProtocolError) throw new Refusal(error.reason, error.message);
    throw error;
  }
  throw new Refusal('malformed', 'the statement is not an admission statement');
}

function parsedJson(text: string): unknown {
  try {
    return parseCanonical(text, REQUEST_BYTES_MAX);
  } catch (error) {
    if (error instanceof ProtocolError)
      throw new Failure('REQUEST_INVALID', `the request is not canonical JSON: ${error.message}`);
    throw error;
  }
}

async function verifiedKey(
  parts: Parts,
  statement: AdmissionStatement,
  signature: string,
): Promise<Row<'service_keys'>> {
  const key = await readServiceKey(parts.db, statement);
  if (key === undefined)
    throw new Refusal('key-unknown', 'no such service key is registered, or it was revoked');
  const publicKey = decodeBase64url(key.public_key);
  const parsed = ed25519SignatureSchema.safeParse({ kind: 'ed25519', value: signature });
  // guard: admission. Without a valid signature of a registered key nothing below is reached.
  if (
    !parsed.success ||
    publicKey === undefined ||
    !verifyStatement(statement, parsed.data, publicKey)
  )
    throw new Refusal('signature-bad', 'the signature does not fit the statement');
  return key;
}

interface Wanted {
  readonly runId: RunId;
  readonly digest: Digest;
  readonly request: Request;
  readonly key: Row<'service_keys'>;
}

/** Same id, same digest, same caller: the same run, for ever. Anything else learns nothing. */
function same(
  row: Row<'runs'>,
  asked: { runId: RunId; digest: Digest; requester: string },
): Admitted {
  if (row.request_digest !== asked.digest || row.requester !== asked.requester)
    throw new Refusal('run-id-taken', 'another request or another caller has this run id');
  return {
    runId: asked.runId,
    requestDigest: asked.digest,
    environment: row.environment,
    agent: row.agent,
    principal: row.principal,
    domain: row.domain,
    door: row.door,
  };
}

async function admitNew(parts: Parts, wanted: Wanted): Promise<Admitted> {
  const { request, key, runId, digest } = wanted;
  if (!allows(key.environments, request.environment))
    throw told('environment', `${key.service_id} may not ask for ${request.environment}`);
  if (!allows(key.agents, request.agent))
    throw told('agent', `${key.service_id} may not speak for the agent ${request.agent}`);
  const principal = await readPrincipal(parts.db, request.principal);
  if (principal === undefined || !allows(key.principals, principal.principal_id))
    throw told('principal', `${key.service_id} may not act for this principal`);
  const agent = await readActiveAgent(parts.db, request.agent);
  if (agent === undefined)
    throw told('agent', `the agent ${request.agent} is not registered with an owner, or is off`);
  const budget = parseAmount(request.budget);
  const { policy } = await policyInForce(parts.db);
  return parts.db.transaction().execute(async (tx) => {
    await lockAdmissions(tx, agent.agent_id);
    const running = await countRuns(tx, agent.agent_id);
    const { openRunsPerAgent, runsPerHour } = policy.counts;
    if (running.open >= openRunsPerAgent)
      throw told('open-runs', `counts.openRunsPerAgent: ${openRunsPerAgent} runs are open already`);
    if (running.lastHour >= runsPerHour)
      throw told('runs-per-hour', `counts.runsPerHour: ${runsPerHour} runs in the last hour`);
    const written = await insertRun(tx, {
      runId,
      // By register id, whatever the caller wrote: an address stands in the register alone.
      request: canonicalize({ ...request, principal: principal.principal_id }),
      requestDigest: digest,
      requester: key.service_id,
      agent: agent.agent_id,
      owner: agent.owner_person,
      principal: principal.principal_id,
      environment: request.environment,
      domain: request.domain.name,
      budgetMinor: budget.minor,
      currency: budget.currency,
      operationsMax: policy.counts.operationsPerRun,
    });
    if (written)
      await appendLog(tx, {
        kind: 'admission',
        runId,
        payload: {
          requestDigest: digest,
          requester: key.service_id,
          agent: agent.agent_id,
          principal: principal.principal_id,
          environment: request.environment,
        },
      });
    const row = await readRun(tx, runId);
    if (row === undefined) throw new Error(`invariant: run ${runId} was just written`);
    return same(row, { runId, digest, requester: key.service_id });
  });
}

const allows = (list: readonly string[], wanted: string): boolean =>
  list.includes('*') || list.includes(wanted);
