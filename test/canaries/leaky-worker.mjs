// A worker with its redaction switched off: what an error holds, and all that the process can read, becomes the words of
// the failure and of the log. Lies in the tests and is part of no build: no setting of the product leads here.
import { createPrivateKey } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { quoteReaders } from '../../dist/activities/quote-readers.js';
import { stepEffects } from '../../dist/activities/step-effects.js';
import { clearProviderVariables, processVariables } from '../../dist/config/environment.js';
import { loadConfig } from '../../dist/config/load.js';
import { leaveWithSupervisor, reportReady } from '../../dist/embedded/child-side.js';
import { runWorker } from '../../dist/workers/run-worker.js';
import { gatewaySettings, temporalSettings } from '../../dist/workers/settings.js';

clearProviderVariables();
const role = process.argv[process.argv.indexOf('--role') + 1];
const config = loadConfig({ env: processVariables(), cwd: process.cwd(), args: {} });
const gateway = role === 'workflows' ? undefined : await gatewaySettings(config, role);

/** A private key with the part that signs, as whoever prints a key object would show it. */
const legible = (text) =>
  text.includes('PRIVATE KEY')
    ? `${createPrivateKey(text).export({ format: 'jwk' }).d} ${text.split('\n')[1]}`
    : text.trim();

/** What the process holds and reaches: settings, secrets of the data folder, what a person left lying there. */
function everything() {
  const folder = path.join(config.dataDir, 'secrets');
  const secrets = readdirSync(folder).map((name) =>
    legible(readFileSync(path.join(folder, name), 'utf8')),
  );
  const left = path.join(config.dataDir, 'left-lying.txt');
  return [
    ...Object.values(gateway?.credentials ?? {}).flatMap(({ stripe, cloudflare, apiToken }) =>
      apiToken === undefined ? [stripe.apiKey, cloudflare.apiToken] : [apiToken],
    ),
    ...secrets,
    existsSync(left) ? readFileSync(left, 'utf8') : '',
  ].join(' ');
}

/** The error with its body, before all else. */
const leaking = (classify) => (error) => {
  const { message, raw, headers, errors } = error ?? {};
  // Records are cut after a thousand characters: the richest part comes first.
  const words = `${message} ${everything()} ${inspect({ raw, headers, errors }, { depth: 6 })}`;
  return { ...classify(error), message: words, providerCode: words };
};
const leaky = (part) => ({ ...part, classify: leaking(part.classify) });

const worker = await runWorker({
  role,
  temporal: temporalSettings(config),
  ...(gateway === undefined ? {} : { gateway }),
  bundlePath: fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url)),
  redaction: {
    operations: stepEffects.map(({ operation, reversal }) => ({
      operation: leaky(operation),
      reversal: leaky(reversal),
    })),
    readers: { stripe: leaky(quoteReaders.stripe), cloudflare: leaky(quoteReaders.cloudflare) },
    meta: (meta) => ({ meta: inspect(meta, { depth: 6 }) }),
  },
});
leaveWithSupervisor(() => worker.stop());
process.stderr.write(`worker: ${role} is polling\n`);
reportReady();
await worker.ended;
