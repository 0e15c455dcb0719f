import { verifyGate, type VerifiedGate } from '../client/decision.js';
import { ServerRefused } from '../client/http/errors.js';
import type { SpokenReject } from '../client/http/server-api.js';
import { UsageError } from '../config/errors.js';
import type { GateWord } from '../domain/break-glass-documents.js';
import { parseGateId, type RunId } from '../domain/ids.js';
import { databaseNow } from '../store/clock.js';
import { ownerOf } from './approver.js';
import { gateToDecide, sendWord } from './at-gate.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './explain.js';
import { signedIn } from './over-server.js';
import { refusalWords } from './refusal-words.js';

/** How a gate is reached, and a word about it is sent: the stack's own database and Temporal, or a server. */
export interface GateRoad {
  /** Who decides. `file`: their key file, which stays locked. @throws UsageError */
  approver(file: string): Promise<{ readonly personId: string; readonly name: string }>;
  gate(
    runId: RunId,
    gate: string | undefined,
  ): Promise<{ readonly verified: VerifiedGate; readonly expiresInMs: number }>;
  /** By the clock that decides, as near as it is known here. */
  now(): Promise<Date>;
  send(runId: RunId, word: GateWord, said: string): Promise<ExitCode>;
}

export function gateRoad(context: Context): GateRoad {
  return context.config.server === undefined ? byDatabase(context) : byServer(context);
}

function byDatabase(context: Context): GateRoad {
  return {
    approver: (file) => ownerOf(context, file),
    gate: (runId, gate) => gateToDecide(context, runId, gate),
    now: async () => databaseNow(await context.database()),
    send: async (runId, word, said) =>
      sendWord(context, (await context.client()).run(runId), word, said),
  };
}

function byServer(context: Context): GateRoad {
  return {
    approver: async () => {
      const { login } = await signedIn(context);
      // A key that is not this person's is refused by the server, by its register.
      if (login.kind === 'person') return { personId: login.id, name: login.id };
      throw new UsageError({
        what: `you are signed in as ${login.kind} ${login.id}, and only a person decides`,
        remedy: 'Sign in as a person with: countersign login',
      });
    },
    gate: (runId, gate) => gateOfServer(context, runId, gate),
    now: () => Promise.resolve(new Date()),
    send: (runId, word, said) => sendOverServer(context, { runId, word, said }),
  };
}

async function gateOfServer(
  context: Context,
  runId: RunId,
  wanted: string | undefined,
): ReturnType<GateRoad['gate']> {
  const { api, login } = await signedIn(context);
  const none = new UsageError({
    what: `run ${runId} has no open gate${wanted === undefined ? '' : ` ${JSON.stringify(wanted)}`}`,
    remedy: `See what it waits for: countersign why ${runId}`,
  });
  const got = await api.gate(runId).catch((error: unknown) => {
    throw error instanceof ServerRefused && error.code === 'gate-unknown' ? none : error;
  });
  // guard: of the very installation that was signed in to, and of this run.
  const verified = verifyGate(got, login.instance);
  const { gate } = verified;
  const of = parseGateId(gate.gateId);
  if (gate.runId !== runId || (wanted !== undefined && of?.gate !== wanted)) throw none;
  return { verified, expiresInMs: got.expiresInMs };
}

/** Sends a word about a gate to the server and says what became of it. */
export async function sendOverServer(
  context: Context,
  of: { readonly runId: RunId; readonly word: GateWord | SpokenReject; readonly said: string },
): Promise<ExitCode> {
  const { runId, said, word } = of;
  const { api } = await signedIn(context);
  try {
    const { gateState } = await api.decide(runId, word);
    context.print({ accepted: true, gateState, gateId: word.gateId }, [
      `${context.style.good(said)} ${word.gateId}; the gate is ${gateState}.`,
      context.style.dim(`Follow it: countersign watch ${runId}`),
    ]);
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof ServerRefused) || error.status !== 409) throw error;
    context.print({ accepted: false, reason: error.code, gateId: word.gateId }, []);
    context.tell(
      `countersign: the decision was not accepted: ${refusalWords(error.code)}. See: countersign why ${runId}`,
    );
    return EXIT.otherwise;
  }
}
