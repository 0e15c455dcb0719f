import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { parseRunId } from '../../domain/ids.js';
import { parseRequest } from '../../domain/request.js';
import { previewRun } from '../../workers/preview.js';
import { explain } from '../explain.js';
import { programConfig } from '../program-config.js';

/** The process behind `countersign plan`: a request on stdin, `{ answer }` or `{ error }` on stdout. */
process.stdout.write(`${JSON.stringify(await answer())}\n`);

async function answer(): Promise<object> {
  try {
    const { values } = parseArgs({
      options: { data: { type: 'string' }, config: { type: 'string' }, run: { type: 'string' } },
    });
    const config = programConfig(values);
    const request = parseRequest(JSON.parse(await text(process.stdin)));
    return { answer: await previewRun(config, parseRunId(values.run ?? ''), request) };
  } catch (error) {
    return { error: explain(error) };
  }
}
