import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { Parts } from '../gateway/parts.js';
import type { Database } from '../store/connect.js';
import { startKeepers } from './keepers.js';
import { startMoneyBackWatch } from './money-back-watch.js';
import { startNotifier } from './notifier.js';
import { startPauser } from './pauser.js';
import { startReconciler } from './reconciler.js';
import type { WorkerSetup } from './run-worker.js';
import { startSweeper } from './sweeper.js';

interface BesideOptions {
  readonly setup: WorkerSetup;
  readonly db: Database;
  readonly parts: Parts;
  readonly connection: NativeConnection;
  readonly log: Logger;
}

/** What a process does beside its queues: the roles that reverse look for what others have left, and tell people. Answers what stops it all. */
export function startBeside({
  connection,
  db,
  log,
  parts,
  setup,
}: BesideOptions): () => Promise<void> {
  const stops: (() => Promise<void>)[] = [];
  const { failpoint, gateway, notices, role, sweepEveryMs, temporal } = setup;
  if (role === 'compensations' || role === 'all') {
    stops.push(
      startSweeper({
        parts,
        connection,
        namespace: temporal.namespace,
        log,
        ...(sweepEveryMs === undefined ? {} : { everyMs: sweepEveryMs }),
      }),
      startPauser({ parts, log }),
      startReconciler({ parts, log }),
      startMoneyBackWatch({ parts, log }),
    );
    if (notices !== undefined)
      stops.push(
        startNotifier({
          ...notices,
          db,
          instance: parts.instance,
          trust: parts.trust,
          log,
          ...(failpoint === undefined ? {} : { failpoint }),
        }),
      );
  }
  if (gateway !== undefined)
    stops.push(
      startKeepers({
        parts,
        rotating: gateway.rotating,
        process: `worker ${role} ${process.pid}`,
        log,
      }),
    );
  return async () => {
    for (const stop of stops) await stop();
  };
}
