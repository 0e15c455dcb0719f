import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { canonicalize } from '../domain/canonical.js';
import { runIdSchema } from '../domain/documents.js';
import { parseRunId } from '../domain/ids.js';
import type { RunId } from '../domain/ids.js';
import { groupsOf } from '../domain/register.js';
import { parseRequest, requestDigestOf } from '../domain/request.js';
import { admitAs, callerOf } from '../gateway/admission.js';
import type { Parts } from '../gateway/parts.js';
import { policyInForce } from '../gateway/policy.js';
import { report } from '../gateway/report.js';
import { believingRegister } from '../gateway/believed.js';
import { readRun } from '../store/admissions.js';
import { bundleSize } from '../store/bundle-files.js';
import { openGates } from '../store/inbox.js';
import { runsSeenBy } from '../store/runs-seen.js';
import type { Row } from '../store/schema.js';
import { parseJson } from './body.js';
import type { Caller } from './caller.js';
import { Problem } from './problem.js';
import type { Answer, Asked, Handler } from './routes.js';

const runBody = z.strictObject({ runId: runIdSchema.optional(), request: z.unknown() });
const LISTED_MAX = 100;

/** Reads a body by its schema. @throws Problem 400 naming the first member that does not fit */
export function bodyAs<T>(
  schema: z.ZodType<T>,
  { body, contentType }: Pick<Asked, 'body' | 'contentType'>,
): T {
  const parsed = schema.safeParse(parseJson(body, contentType));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const member = issue?.path.map(String).join('.') ?? '';
  throw new Problem(
    400,
    'body-malformed',
    `${member === '' ? 'the body' : `the member ${member.slice(0, 80)}`} does not fit: ${issue?.message ?? ''}`,
  );
}

export const getMe: Handler = ({ caller, parts }) => {
  const { holder, name, token } = caller;
  const { signedInMs } = token;
  return Promise.resolve({
    status: 200,
    json: {
      kind: holder.kind,
      id: name.slice(name.indexOf('/') + 1),
      instance: parts.gateway.instance,
      ...(signedInMs === undefined ? {} : { signedInAt: new Date(signedInMs).toISOString() }),
    },
  });
};

/** Admits by the token and writes the run's row, then has its workflow started: the row is the proof, not the call. */
export const postRun: Handler = async (asked) => {
  const { caller, parts } = asked;
  const given = bodyAs(runBody, asked);
  const request = parseRequest(given.request);
  const { gateway } = parts;
  // guard: whoever the body names must be who the token is of.
  if (caller.holder.kind !== 'agent' || request.agent !== caller.holder.agent)
    throw new Problem(403, 'agent-foreign', 'the request names another agent than the token');
  const runId = parseRunId(given.runId ?? `run-${randomBytes(5).toString('hex')}`);
  const known = await readRun(gateway.db, runId);
  const requester = callerOf(caller.holder).requester;
  if (
    known !== undefined &&
    (known.requester !== requester || known.request_digest !== requestDigestOf(request))
  )
    throw new Problem(409, 'run-id-taken', 'this run id is taken; choose another');
  if ((await bundleSize(gateway.db, request.bundle)) === undefined)
    throw new Problem(409, 'bundle-unknown', 'no such bundle is stored; upload it first');
  const text = canonicalize(request);
  await admitAs(gateway, callerOf(caller.holder), { runId, request: text });
  await parts.temporal.startAdmitted({ runId, request });
  return { status: 201, json: { runId, url: `${parts.publicUrl}/api/v1/runs/${runId}` } };
};

export const getRuns: Handler = async ({ caller, parts }) => {
  const rows = await runsSeenBy(parts.gateway.db, await sightOf(parts.gateway, caller), LISTED_MAX);
  const runs = rows.map((row) => ({
    runId: row.run_id,
    domain: row.domain,
    environment: row.environment,
    agent: row.agent,
    state: row.end_phase ?? (row.door === 'open' ? 'open' : row.door),
    admittedAt: row.admitted_at.toISOString(),
  }));
  return { status: 200, json: { runs } };
};

export const getRun: Handler = async (asked) => {
  const row = await runSeen(asked);
  return { status: 200, json: await report(asked.parts.gateway, row.run_id as RunId) };
};

export const getGate: Handler = async (asked): Promise<Answer> => {
  const row = await runSeen(asked);
  const [gate] = await openGates(asked.parts.gateway.db, row.run_id);
  if (gate === undefined) throw new Problem(404, 'gate-unknown', 'no gate of this run is open');
  return {
    status: 200,
    // The very bytes: whoever signs computes both digests of them.
    json: {
      gateId: gate.gate_id,
      document: gate.document,
      card: gate.card,
      expiresInMs: gate.expires_in_ms,
    },
  };
};

/** The run of the path, if the caller may see it. @throws Problem 404, the same for one that is not there */
export async function runSeen({ caller, parts, path }: Asked): Promise<Row<'runs'>> {
  const unknown = new Problem(404, 'run-unknown', 'there is no such run');
  const runId = runIdSchema.safeParse(path['run']);
  if (!runId.success) throw unknown;
  const sight = await sightOf(parts.gateway, caller);
  // guard: another agent's run looks like none at all.
  const [row] = await runsSeenBy(parts.gateway.db, { ...sight, runId: runId.data }, 1);
  if (row === undefined) throw unknown;
  return row;
}

/** What a caller may see: an agent its own, a person what they answer for, approvers and nobody else everything. */
export async function sightOf(
  gateway: Pick<Parts, 'db' | 'instance' | 'trust'>,
  { holder }: Caller,
): Promise<{ readonly requester?: string; readonly person?: string; readonly all: boolean }> {
  if (holder.kind === 'agent') return { requester: holder.agent, all: false };
  if (holder.kind === 'service') return { requester: holder.service, all: false };
  const { db } = gateway;
  const { policy } = await policyInForce(db, gateway);
  const person = (
    await believingRegister(db, gateway, { persons: [holder.person], keys: [] })
  ).person(holder.person);
  const groups = person === undefined ? [] : groupsOf(person, policy);
  const asked = policy.approvals.flatMap(({ allOf }) => allOf.map(({ group }) => group));
  return { person: holder.person, all: groups.some((group) => asked.includes(group)) };
}
