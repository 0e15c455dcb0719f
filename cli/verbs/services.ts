import { rmSync } from 'node:fs';
import path from 'node:path';
import { newServiceKeyFile } from '../../client/service-key.js';
import { UsageError } from '../../config/errors.js';
import { ENVIRONMENTS } from '../../domain/steps.js';
import { addServiceKey, listPrincipals } from '../../store/people.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { fields } from '../style.js';

interface NewOptions {
  readonly file: string;
  readonly agent: readonly string[];
  readonly principal: readonly string[];
  readonly environment: readonly string[];
}

/** `services`: backends that may ask for runs. */
export const registerServices: Register = (verbs) => {
  const services = verbs.group('services', 'Backends that may ask for runs, each with its key');
  services
    .add(
      'new <id>',
      'Makes and registers a service key; it may ask only for what is named here',
      'countersign services new s_backend --file backend.key.json --agent launch-agent --principal owner@example.com --environment staging',
    )
    .requiredOption('--file <file>', 'where its key is written, 0600')
    .requiredOption('--agent <agent...>', 'agents it may speak for; * for all')
    .requiredOption('--principal <principal...>', 'principals it may act for; * for all')
    .requiredOption('--environment <name...>', `any of ${ENVIRONMENTS.join(', ')}; * for all`)
    .action(services.run(servicesNew));
};

async function servicesNew(context: Context, service: string, options: NewOptions): Promise<0> {
  if (!/^s_[a-z0-9][a-z0-9_-]{0,62}$/.test(service))
    throw new UsageError({
      what: `the service id ${JSON.stringify(service.slice(0, 80))} is not of the form s_backend`,
      remedy: 'Write s_ and then lower-case letters, digits, _ or -',
    });
  const known: readonly string[] = ['*', ...ENVIRONMENTS];
  const strange = options.environment.find((name) => !known.includes(name));
  if (strange !== undefined)
    throw new UsageError({
      what: `--environment ${JSON.stringify(strange.slice(0, 40))} is none of ${ENVIRONMENTS.join(', ')}`,
      remedy: 'Name one of them, or * for all',
    });
  const db = await context.database();
  const principals = await principalIds(context, options.principal);
  const file = path.resolve(context.io.cwd, options.file);
  const { key } = newServiceKeyFile(file, await context.instance(), service);
  const written = await db.transaction().execute((tx) =>
    addServiceKey(tx, {
      keyId: key.keyId,
      service,
      publicKey: key.publicKey,
      agents: options.agent,
      principals,
      environments: options.environment,
    }),
  );
  if (!written) {
    rmSync(file);
    throw new UsageError({
      what: `the key of ${service} is registered already`,
      remedy: 'Run it again: a new key is drawn',
    });
  }
  context.print({ service, keyId: key.keyId, file }, [
    `Registered ${context.style.bold(service)}`,
    ...fields(
      context.style,
      [
        ['key', `${file} (0600; whoever holds it may ask for these runs)`],
        ['agents', options.agent.join(', ')],
        ['principals', principals.join(', ')],
        ['environments', options.environment.join(', ')],
      ],
      '  ',
    ),
  ]);
  return 0;
}

/** Service keys know principals by register id. @throws UsageError for one that is not registered */
async function principalIds(context: Context, given: readonly string[]): Promise<string[]> {
  const rows = await listPrincipals(await context.database());
  return given.map((name) => {
    if (name === '*') return name;
    const found = rows.find((row) => row.principal_id === name || row.email === name.toLowerCase());
    if (found !== undefined) return found.principal_id;
    throw new UsageError({
      what: `there is no principal ${JSON.stringify(name.slice(0, 80))}`,
      remedy: 'Register it first: countersign principals add ADDRESS',
    });
  });
}
