import { decodeBase64url } from '../domain/base64url.js';
import { canonicalize, parseCanonical } from '../domain/canonical.js';
import { admissionSchema, ed25519SignatureSchema } from '../domain/documents.js';
import type { AdmissionStatement } from '../domain/documents.js';
import { Failure } from '../domain/errors.js';
import { parseRunId } from '../domain/ids.js';
import type { RunId } from '../domain/ids.js';
import { ProtocolError } from '../domain/reasons.js';
import { REQUEST_BYTES_MAX, parseRequest, requestDigestOf } from '../domain/request.js';
import { verifyStatement } from '../domain/signature.js';
import type { AccountHolder } from '../store/accounts.js';
import { readRun, readServiceKey } from '../store/admissions.js';
import { recordRefusal } from '../store/refusals.js';
import type { Row } from '../store/schema.js';
import { admitKnown, admittedOf, Refusal, told } from './admit-run.js';
import type { Caller } from './admit-run.js';
import type { Admitted, AdmissionClaim } from './contract.js';
import type { Parts } from './parts.js';

/**
 * A run exists when its row does, and its row exists when a registered service key has signed for it. Whatever comes
 * through Temporal is a claim until this has looked at it.
 * @throws ADMISSION_REFUSED, REQUEST_INVALID, POLICY_MISSING
 */
export async function admit(parts: Parts, claim: AdmissionClaim): Promise<Admitted> {
  return recorded(parts, claim.runId, () => decide(parts, claim));
}

/**
 * Admits a run for a caller who has proved who they are: the server, of a verified token. `request` is canonical JSON.
 * @throws ADMISSION_REFUSED, REQUEST_INVALID, POLICY_MISSING
 */
export async function admitAs(
  parts: Parts,
  caller: Caller,
  asked: { readonly runId: string; readonly request: string },
): Promise<Admitted> {
  return recorded(parts, asked.runId, () => {
    const runId = parseRunId(asked.runId);
    const request = parseRequest(parsedJson(asked.request));
    return admitKnown(parts, { runId, digest: requestDigestOf(request), request, caller });
  });
}

/** What the holder of an account may ask for by its token. @throws ADMISSION_REFUSED for a person: every agent road refuses a person's login */
export function callerOf(holder: AccountHolder): Caller {
  if (holder.kind === 'service') return serviceCaller(holder);
  if (holder.kind !== 'agent')
    throw new Failure('ADMISSION_REFUSED', 'the run was not admitted: this is no agent’s token');
  const { agent, environments, principals, via } = holder;
  return { requester: agent, acting: agent, agents: [agent, ...via], principals, environments };
}

/** A token names no key: it asks for what every key of the service may. */
function serviceCaller({ keys, service }: AccountHolder & { readonly kind: 'service' }): Caller {
  const [key] = keys;
  if (key === undefined)
    throw new Failure('ADMISSION_REFUSED', `the run was not admitted: ${service} has no key`);
  if (new Set(keys.map((one) => canonicalize(one))).size > 1)
    throw new Failure(
      'ADMISSION_REFUSED',
      `the run was not admitted: the keys of ${service} may not all the same`,
    );
  return { requester: service, ...key };
}

/** Whatever refuses the run is on record before it is told. */
async function recorded(
  parts: Parts,
  runId: string,
  body: () => Promise<Admitted>,
): Promise<Admitted> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof Refusal) {
      await recordRefusal(parts.db, {
        asked: 'admit',
        reason: error.reason,
        detail: `${quoted(runId)}: ${error.message}`,
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

const quoted = (text: string): string => JSON.stringify(text.slice(0, 80));

async function decide(parts: Parts, claim: AdmissionClaim): Promise<Admitted> {
  const runId = parseRunId(claim.runId);
  if (claim.statement === undefined || claim.signature === undefined)
    return onRecord(parts, runId, claim.request);
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
  const caller = { requester: key.service_id, ...listsOf(key) };
  return admitKnown(parts, { runId, digest, request, caller });
}

const listsOf = ({ agents, principals, environments }: Row<'service_keys'>) => ({
  agents,
  principals,
  environments,
});

/** A claim that nobody has signed proves nothing: it only finds the run that the server has admitted already. */
async function onRecord(parts: Parts, runId: RunId, text: string): Promise<Admitted> {
  const digest = requestDigestOf(parseRequest(parsedJson(text)));
  const row = await readRun(parts.db, runId);
  // guard: without a row of this very request there is no run, and an unsigned claim makes none.
  if (row?.request_digest !== digest)
    throw new Refusal('unsigned', 'nobody has signed this claim, and no such run is on record');
  return admittedOf(row, runId);
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
