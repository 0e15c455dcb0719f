import { Failure } from '../domain/errors.js';
import type { RunId } from '../domain/ids.js';
import { providerOf } from '../domain/operations.js';
import type { EffectStep } from '../domain/steps.js';
import { linkAccount } from '../store/principal-accounts.js';
import { attempt } from './attempt.js';
import type { Performed, Sender } from './contract.js';
import { mark } from './deadline.js';
import type { AuthorizeAsk, DoorAnswer, EffectRow, ReadTicket } from './door-contract.js';
import { readBack } from './effect.js';
import type { Effect } from './effect.js';
import { judge } from './grant.js';
import type { Judged } from './grant.js';
import { lookAhead } from './look.js';
import type { LookAhead, Word } from './look.js';
import { settlingOf } from './parts.js';
import type { Parts } from './parts.js';
import { bundleOf, loadForEffect, resolvedEffect } from './record.js';
import type { GrantRead, PlannedRun } from './record.js';
import { refused, voided } from './refused.js';
import { tokenFor } from './tokens.js';
import type { HeldToken, TokenAnswer } from './tokens.js';

/** A claim waits this long after `send_by` for an attempt that never settled. In ms. */
const CLAIM_WAIT_MS = 5_000;

interface Performing {
  readonly run: PlannedRun;
  readonly effect: Effect;
  readonly sender: Sender;
  /** Read with the run: good for one judgement, right now. */
  readonly grant: GrantRead;
}

/**
 * Performs a step's one effect. What is recorded as succeeded is returned as recorded; what nobody has tried is
 * authorized; what was tried is read back first, and sent again only under a claim of the door.
 */
export async function perform(
  parts: Parts,
  runId: RunId,
  step: EffectStep,
  sender: Sender,
): Promise<Performed> {
  const loading = loadForEffect(parts, runId, step);
  // Behind the question to the database, which is on its way by then: making a client takes a ms or more.
  setImmediate(() => {
    parts.providers.prepare(providerOf(step));
  });
  const standing = await loading;
  const { run } = standing;
  const row = standing.rows.get(step);
  if (row?.state === 'succeeded') return finished(parts, run, row);
  if (row?.state === 'closing' || row?.state === 'closed')
    throw new Failure(
      'DOOR_CLOSED',
      `${step} of ${runId} is being taken back: it is not done again`,
    );
  const effect = await resolvedEffect(parts, standing, step, {
    role: 'actions',
    signal: sender.signal,
  });
  const performing: Performing = { run, effect, sender, grant: standing.grant };
  if (row === undefined || (row.state === 'failed' && row.digest !== effect.digest))
    return authorize(parts, performing);
  if (row.state === 'failed') return claim(parts, performing, row.attempt);
  return recover(parts, performing, row);
}

const performed = (row: EffectRow): Performed => ({
  step: row.step,
  object: row.object ?? '',
  spentMinor: row.capturedMinor,
  attempt: row.attempt,
});

/** An attempt whose outcome nobody knows: waited for, read back, and only then tried again. */
async function recover(parts: Parts, performing: Performing, row: EffectRow): Promise<Performed> {
  const { effect, sender } = performing;
  const openForMs = row.settled ? 0 : (row.sendByInMs ?? 0) + CLAIM_WAIT_MS;
  if (openForMs > 0)
    throw new Failure(
      'BUSY',
      `${effect.step}: another attempt may still be sending`,
      { attempt: row.attempt },
      openForMs,
    );
  const ticket = await parts.door.startRead(effect.effectId);
  const seen = await readBack(parts, effect, {
    role: 'reads',
    signal: sender.signal,
    bundle: bundleOf(parts),
  });
  if (seen.kind === 'pending')
    throw new Failure('OUTCOME_UNKNOWN', `${effect.step}: ${seen.why}`, {}, seen.waitMs);
  if (seen.kind === 'found') {
    await parts.door.recordRead(ticket, true);
    sender.failpoint?.('before-settle');
    const settled = await parts.door.settle({
      effectId: effect.effectId,
      attempt: ticket.attempt,
      outcome: 'succeeded',
      object: seen.object,
      fields: seen.fields,
      capturedMinor: seen.capturedMinor,
      evidence: { readBack: true },
    });
    sender.failpoint?.('after-settle');
    return finished(parts, performing.run, settled.row);
  }
  const standing = await parts.door.recordRead(ticket, false);
  if (row.digest === effect.digest) return claim(parts, performing, ticket.attempt);
  return takeOver(parts, performing, { ticket, standing });
}

/** Another action wants the row: only once the former one has surely done nothing, and cannot any more. */
async function takeOver(
  parts: Parts,
  performing: Performing,
  {
    ticket,
    standing,
  }: { ticket: ReadTicket; standing: { surelyAbsent: boolean; nextReadInMs: number } },
): Promise<Performed> {
  const { effect } = performing;
  const failed =
    standing.surelyAbsent && (await parts.door.failAbsent(effect.effectId, ticket.attempt));
  if (failed) return authorize(parts, performing);
  throw new Failure(
    'OUTCOME_UNKNOWN',
    `${effect.step}: the former action is not surely absent yet`,
    {},
    standing.nextReadInMs,
  );
}

/** The policy may move between judgement and door; then it is judged anew, a few times. */
const JUDGEMENTS = 3;

async function authorize(parts: Parts, performing: Performing): Promise<Performed> {
  const { sender } = performing;
  sender.failpoint?.('before-authorize');
  return under(parts, performing, {
    failpoint: 'after-authorize',
    // Nothing was sent yet, so that nothing can turn up which a look before the door's word would miss.
    ahead: performing.effect.operation.looksBehindDoor !== true,
    ask: (of) => parts.door.authorize(of),
  });
}

async function claim(
  parts: Parts,
  performing: Performing,
  attemptRead: number,
): Promise<Performed> {
  const { sender } = performing;
  sender.failpoint?.('before-claim');
  // guard: bound to the attempt that was read, so that two readers of one attempt cannot both go on.
  return under(parts, performing, {
    failpoint: 'after-claim',
    ahead: false,
    ask: (of) => parts.door.claim({ ...of, attempt: attemptRead }),
  });
}

interface Asking {
  readonly failpoint: string;
  /** Whether the world is looked at while the door is asked. */
  readonly ahead: boolean;
  ask(of: AuthorizeAsk): Promise<DoorAnswer>;
}

async function under(parts: Parts, performing: Performing, by: Asking): Promise<Performed> {
  // Calls that would have to wait, or a provider that does not answer, are met before anything is begun.
  await parts.calls.ready(performing.effect.provider);
  for (let judgement = 1; ; judgement += 1) {
    const judged = await judge(
      parts,
      performing.run,
      performing.effect,
      judgement === 1 ? performing.grant : undefined,
    );
    const asked = askOf(parts, performing, judged);
    const held = await tokenOf(parts, performing, asked);
    const before = mark(parts.clocks);
    const { answer, ahead } =
      held.verdict === 'refused'
        ? { answer: held, ahead: undefined }
        : await doorAndLook(parts, performing, by, asked);
    performing.sender.failpoint?.(by.failpoint);
    if (answer.verdict === 'refused') {
      if (answer.reason === 'POLICY_MOVED' && judgement < JUDGEMENTS) continue;
      throw await refused(parts, performing.effect, judged, answer);
    }
    if (answer.verdict === 'wait')
      throw new Failure(
        'OUTCOME_UNKNOWN',
        `${performing.effect.step}: may not be sent again yet`,
        { attempt: answer.row.attempt },
        answer.waitMs,
      );
    if (answer.verdict === 'exists') return existing(performing, answer.row);
    const token = held.verdict === 'held' ? held.token : undefined;
    return sent(parts, performing, judged, { ...answer, before, token, ahead });
  }
}

/** Asks the door and, where the effect may, looks at the world meanwhile. */
async function doorAndLook(
  parts: Parts,
  { effect, sender }: Performing,
  by: Asking,
  asked: AuthorizeAsk,
): Promise<{ answer: DoorAnswer; ahead: LookAhead | undefined }> {
  const asking = answered(() => by.ask(asked));
  const ahead = by.ahead
    ? lookAhead(parts, effect, { sender, bundle: bundleOf(parts) })
    : undefined;
  let word: Word | undefined;
  try {
    const answer = await asking;
    if (answer.verdict === 'granted') word = answer;
    return { answer, ahead };
  } finally {
    ahead?.told(word);
  }
}

/** Minted before the door is asked, so that the time to send is the send's own. */
const tokenOf = (
  parts: Parts,
  { run, effect, sender }: Performing,
  action: AuthorizeAsk,
): Promise<TokenAnswer> =>
  tokenFor(parts, {
    effect,
    need: effect.operation.token?.(effect.params),
    runId: run.runId,
    class: 'actions',
    sender: sender.token,
    action,
  });

/**
 * The door's answer; one that was lost is asked for once more. The same sender gets the same grant, and the time to send
 * still runs from before the first question.
 */
async function answered(ask: () => Promise<DoorAnswer>): Promise<DoorAnswer> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'STORE_UNAVAILABLE') throw error;
    return ask();
  }
}

async function sent(
  parts: Parts,
  performing: Performing,
  judged: Judged,
  granted: {
    attempt: number;
    epoch: number;
    remainingMs: number;
    before: ReturnType<typeof mark>;
    token: HeldToken | undefined;
    ahead: LookAhead | undefined;
  },
): Promise<Performed> {
  const { effect, sender } = performing;
  try {
    const settled = await attempt(parts, effect, granted, {
      before: granted.before,
      token: granted.token,
      ahead: granted.ahead,
      sender,
      bundle: bundleOf(parts),
    });
    return await finished(parts, performing.run, settled.row);
  } catch (error) {
    if (error instanceof Failure && error.code === 'GRANT_VOID')
      throw await voided(parts, effect, judged, error.message);
    throw error;
  }
}

/** Somebody else was quicker: what they brought counts, or they are waited for. */
function existing({ effect }: Performing, row: EffectRow): Performed {
  if (row.state === 'succeeded') return performed(row);
  if (row.state === 'closing' || row.state === 'closed')
    throw new Failure('DOOR_CLOSED', `${effect.step} is being taken back: it is not done again`);
  throw new Failure(
    'BUSY',
    `${effect.step}: another attempt holds the row`,
    { attempt: row.attempt },
    row.settled ? 100 : Math.max(100, (row.sendByInMs ?? 0) + CLAIM_WAIT_MS),
  );
}

/** A customer or account that was made is the principal's from now on: later runs adopt it. */
async function finished(parts: Parts, run: PlannedRun, row: EffectRow): Promise<Performed> {
  if (row.state !== 'succeeded')
    throw new Failure('DOOR_CLOSED', `${row.step} was done while the run was being unwound`);
  const makes = run.request.tearsDown === undefined;
  if (makes && (row.step === 'link-account' || row.step === 'create-customer'))
    await linkAccount(parts.db, {
      principal: run.row.principal,
      provider: row.step === 'create-customer' ? 'stripe' : 'cloudflare',
      account: row.object ?? '',
      runId: run.runId,
    });
  return performed(row);
}

const askOf = (
  parts: Parts,
  { run, effect, sender }: Performing,
  judged: Judged,
): AuthorizeAsk => ({
  effectId: effect.effectId,
  runId: run.runId,
  step: effect.step,
  digest: effect.digest,
  ...(judged.gateId === undefined ? {} : { gateId: judged.gateId }),
  decisions: judged.decisions,
  policyVersion: judged.policyVersion,
  delegated: judged.delegated,
  caps: judged.caps,
  costMaxMinor: effect.document.costMaxMinor,
  currency: effect.document.currency,
  provider: effect.provider,
  httpTimeoutMs: parts.httpTimeouts[effect.provider],
  settlingMs: settlingOf(parts.settling, effect.provider, effect.document.operation),
  keyed: effect.operation.keyed,
  sender: sender.token,
});
