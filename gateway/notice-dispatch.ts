import { Failure } from '../domain/errors.js';
import type { Instance } from '../domain/ids.js';
import type { NoticeTarget } from '../domain/policy/notices.js';
import type { Policy } from '../domain/policy/schema.js';
import { PLAIN_TRUST, type Trust } from '../domain/trust.js';
import type { Database } from '../store/connect.js';
import {
  claimDelivery,
  insertDeliveries,
  settleDelivery,
  takeQueued,
} from '../store/deliveries.js';
import type { Claimed } from '../store/deliveries.js';
import { openCaseOnce } from '../store/run-rows.js';
import type { Egress } from './egress.js';
import { noticeMessage } from './notice-message.js';
import { policyOrNone } from './policy.js';

export type SecretPurpose = 'sign' | 'path';

export interface Dispatching {
  readonly db: Database;
  readonly instance: Instance;
  /** Whose policy names the places; absent: no root is pinned. */
  readonly trust?: Trust;
  /** The one way out: loopback only where the embedded configuration says so. */
  readonly egress: Egress;
  /** The value of a secret that the policy names: a key that signs, or the rest of an address. Undefined: not here. */
  readonly secretOf: (name: string, purpose: SecretPurpose) => string | undefined;
  readonly publicUrl?: string;
  /** Test failpoints: a named place where a process may be killed. */
  readonly failpoint?: (place: string) => void;
}

export interface Dispatched {
  readonly sent: number;
  readonly failed: number;
}

const BATCH = 100;
/** Deliveries at once: one slow place holds up nobody else. */
const SENDERS = 4;
/** Longer than any attempt may take, so that nobody else tries meanwhile. In ms. */
const LEASE_MS = 30_000;
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 3_600_000;
/** The waits before the last attempt add up to about two and a half hours. */
export const ATTEMPTS_MAX = 12;

/**
 * One round: looks up whom each new notice is for, and tries every delivery that is due. Any number of processes may do
 * it at once; each thing is told at least once, under the same id at each attempt.
 */
export async function dispatchNotices(of: Dispatching): Promise<Dispatched> {
  const policy = await policyOrNone(of.db, { trust: PLAIN_TRUST, ...of });
  // Without a policy nobody is named: the notices wait in the queue.
  if (policy === undefined) return { sent: 0, failed: 0 };
  while ((await fanOut(of.db, policy)) === BATCH);
  const counts = await Promise.all(
    Array.from({ length: SENDERS }, () => sendAll(of, policy.notices ?? [])),
  );
  return {
    sent: counts.reduce((sum, { sent }) => sum + sent, 0),
    failed: counts.reduce((sum, { failed }) => sum + failed, 0),
  };
}

const wants = ({ kinds }: NoticeTarget, kind: string): boolean =>
  kinds.some((one) => one === '*' || one === kind);

function fanOut(db: Database, { notices = [] }: Policy): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const queued = await takeQueued(tx, BATCH);
    for (const notice of queued) {
      const targets = notices.filter((target) => wants(target, notice.kind));
      await insertDeliveries(
        tx,
        notice,
        targets.map(({ name }) => name),
      );
    }
    return queued.length;
  });
}

async function sendAll(of: Dispatching, targets: readonly NoticeTarget[]): Promise<Dispatched> {
  let [sent, failed] = [0, 0];
  for (;;) {
    const claimed = await claimDelivery(of.db, LEASE_MS);
    if (claimed === undefined) return { sent, failed };
    of.failpoint?.(`before-notice@${claimed.kind}@${claimed.runId ?? ''}`);
    const target = targets.find(({ name }) => name === claimed.target);
    if (target === undefined) {
      const answer = 'the policy names this place no more';
      await settleDelivery(of.db, claimed, { status: 'dropped', answer });
    } else if (await send(of, claimed, target)) sent += 1;
    else failed += 1;
  }
}

async function send(of: Dispatching, claimed: Claimed, target: NoticeTarget): Promise<boolean> {
  const tried = await attempt(of, claimed, target);
  of.failpoint?.(`after-notice@${claimed.kind}@${claimed.runId ?? ''}`);
  if (tried.kind === 'taken') {
    await settleDelivery(of.db, claimed, { status: 'sent', answer: tried.answer });
    return true;
  }
  if (tried.kind === 'again' && claimed.attempts < ATTEMPTS_MAX) {
    const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (claimed.attempts - 1));
    await settleDelivery(of.db, claimed, { status: 'due', answer: tried.answer, waitMs });
    return false;
  }
  await giveUp(of.db, claimed, tried.answer);
  return false;
}

type Tried = { readonly kind: 'taken' | 'again' | 'never'; readonly answer: string };

/** One request. What it met is told in our words: nothing of an answer is kept, and no error holds up the others. */
async function attempt(of: Dispatching, claimed: Claimed, target: NoticeTarget): Promise<Tried> {
  try {
    return await request(of, claimed, target);
  } catch (error) {
    if (!(error instanceof Failure)) return { kind: 'again', answer: 'it could not be sent' };
    return error.code === 'REQUEST_INVALID'
      ? { kind: 'never', answer: 'the address is none that notices may go to' }
      : { kind: 'again', answer: 'no answer' };
  }
}

async function request(of: Dispatching, claimed: Claimed, target: NoticeTarget): Promise<Tried> {
  const secret = of.secretOf(target.secret, 'sign');
  const rest = target.pathSecret === undefined ? '' : of.secretOf(target.pathSecret, 'path');
  if (secret === undefined || rest === undefined)
    return {
      kind: 'again',
      answer: `the secret ${secret === undefined ? target.secret : (target.pathSecret ?? '')} is not here`,
    };
  const { dedupe, kind, runId, payload, madeAt, now } = claimed;
  const message = noticeMessage(
    {
      instance: of.instance,
      dedupe,
      notice: { kind, payload, at: madeAt.toISOString(), ...(runId === null ? {} : { runId }) },
      ...(of.publicUrl === undefined ? {} : { publicUrl: of.publicUrl }),
    },
    { format: target.format, secret, now },
  );
  const url = addressOf(target.to, rest);
  if (url === undefined)
    return { kind: 'never', answer: 'the address and its secret part make no address' };
  const { status } = await of.egress(url, message);
  const answer = `HTTP ${status}`;
  if (status >= 200 && status < 300) return { kind: 'taken', answer };
  return { kind: status === 410 ? 'never' : 'again', answer };
}

/** The policy's host stays the host, whatever the secret rest of the address says. */
function addressOf(to: string, rest: string): string | undefined {
  if (rest === '') return to;
  try {
    const base = new URL(to);
    const whole = new URL(rest, base);
    return rest.startsWith('/') && whole.origin === base.origin ? whole.href : undefined;
  } catch {
    return undefined;
  }
}

/** Given up, and a person is told of it where cases are read: a place that hears nothing is no place. */
async function giveUp(db: Database, claimed: Claimed, answer: string): Promise<void> {
  const { attempts, kind, runId, target } = claimed;
  await db.transaction().execute(async (tx) => {
    if (!(await settleDelivery(tx, claimed, { status: 'failed', answer }))) return;
    await openCaseOnce(tx, {
      kind: 'notice-failed',
      about: `target ${target}:`,
      text: `Notices do not reach the target ${target}: ${kind}${runId === null ? '' : ` of run ${runId}`} was given up after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}; the last one met: ${answer}.`,
    });
  });
}
