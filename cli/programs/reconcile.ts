import { parseArgs } from 'node:util';
import { clearProviderVariables, processVariables } from '../../config/environment.js';
import { loadConfig } from '../../config/load.js';
import { reconcileNow } from '../../workers/reconcile-now.js';
import { explain } from '../explain.js';

/** The process behind `countersign reconcile`: `{ answer }` or `{ error }` on stdout. */
process.stdout.write(`${JSON.stringify(await answer())}\n`);

async function answer(): Promise<object> {
  try {
    clearProviderVariables();
    const { values } = parseArgs({
      options: { data: { type: 'string' }, config: { type: 'string' } },
    });
    const config = loadConfig({
      env: processVariables(),
      cwd: process.cwd(),
      args: {
        ...(values.data === undefined ? {} : { data: values.data }),
        ...(values.config === undefined ? {} : { config: values.config }),
      },
    });
    return { answer: await reconcileNow(config) };
  } catch (error) {
    return { error: explain(error) };
  }
}
