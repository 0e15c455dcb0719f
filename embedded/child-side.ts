import { processVariables, startNonce } from '../config/environment.js';

const LEAVE_TIMEOUT_MS = 5_000;

/**
 * Tells the supervisor that this process answers: one line of JSON on stdout with the nonce of this start.
 * Does nothing when a person started the process.
 */
export function reportReady(): void {
  const ready = startNonce(processVariables());
  if (ready !== undefined) process.stdout.write(`${JSON.stringify({ ready })}\n`);
}

/**
 * Leaves when the supervisor does: our stdin is its pipe, which the system closes however it ended.
 * `leave` gets 5 s, then the process ends anyway. Does nothing when a person started the process.
 */
export function leaveWithSupervisor(leave: () => Promise<void>): void {
  if (startNonce(processVariables()) === undefined) return;
  const go = (): void => {
    setTimeout(() => process.exit(1), LEAVE_TIMEOUT_MS).unref();
    leave().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.stdin.once('end', go);
  process.stdin.once('error', go);
  process.stdin.resume();
}
