import { parseArgs } from 'node:util';
import { reconcileNow } from '../../workers/reconcile-now.js';
import { explain } from '../explain.js';
import { programConfig } from '../program-config.js';

/** The process behind `countersign reconcile`: `{ answer }` or `{ error }` on stdout. */
process.stdout.write(`${JSON.stringify(await answer())}\n`);

async function answer(): Promise<object> {
  try {
    const { values } = parseArgs({
      options: { data: { type: 'string' }, config: { type: 'string' } },
    });
    const config = programConfig(values);
    return { answer: await reconcileNow(config) };
  } catch (error) {
    return { error: explain(error) };
  }
}
