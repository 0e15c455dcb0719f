import { Hono } from 'hono';
import type { Executor } from '../store/connect.js';
import { credentialStates } from '../store/credential-states.js';
import { noticesStanding } from '../store/deliveries.js';
import { sweptAgoMs } from '../store/sweep-rows.js';
import { metricsText } from './metrics.js';
import type { ServerParts } from './parts.js';
import { Problem, problemResponse } from './problem.js';

/** Two periods of the workers' sweep. In ms. */
const SWEEP_STALE_MS = 2 * 60_000;

/** The port of whoever looks after the system: no token, no name of anybody, and not for the open internet. */
export function healthApp({ gateway: { db }, log }: ServerParts): Hono {
  const app = new Hono();
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', async (c) => {
    const problems = await notReady(db);
    return c.json(
      { status: problems.length === 0 ? 'ok' : 'failing', problems },
      problems.length === 0 ? 200 : 503,
    );
  });
  app.get('/metrics', async (c) =>
    c.text(await metricsText(db), 200, { 'content-type': 'text/plain; version=0.0.4' }),
  );
  app.notFound(() => problemResponse(new Problem(404, 'route-unknown', 'no such route')));
  app.onError((error) => {
    log.error({ name: error.name }, 'metrics not read');
    return problemResponse(
      new Problem(503, 'store-unavailable', 'the control database does not answer'),
    );
  });
  return app;
}

/** What is missing or has failed, in words; empty: nothing that the record can tell. */
async function notReady(db: Executor): Promise<string[]> {
  try {
    const sweptAgo = await sweptAgoMs(db);
    const { failed } = await noticesStanding(db);
    const refused = (await credentialStates(db)).filter(({ problem }) => problem !== null);
    return [
      ...(sweptAgo > SWEEP_STALE_MS
        ? [`no sweep was finished for ${Math.floor(sweptAgo / 1_000)} s: is a worker running?`]
        : []),
      ...(failed > 0 ? [`${failed} notices were given up; see countersign cases`] : []),
      ...refused.map(({ name, process }) => `${process}: a newer value of ${name} is not used`),
    ];
  } catch {
    return ['the control database does not answer'];
  }
}
