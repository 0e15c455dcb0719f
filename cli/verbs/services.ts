import { rmSync } from 'node:fs';
import path from 'node:path';
import { newServiceKeyFile } from '../../client/service-key.js';
import { UsageError } from '../../config/errors.js';
import { ENVIRONMENTS } from '../../domain/steps.js';
import {
  addServiceKey,
  listPrincipals,
  listServiceKeys,
  revokeServiceKey,
} from '../../store/people.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { mustHaveChanged, quoted } from '../register-change.js';
import { fields, table } from '../style.js';

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
  services
    .add('list', 'Lists service keys and what each may ask for', 'countersign services list')
    .action(services.run(servicesList));
  services
    .add(
      'revoke <keyId>',
      'Revokes a service key at once; runs that it has started go on',
      'countersign services revoke OiyJrLPSmtd5aj2wNvyrQAP7DYiOOR5YW872r9TDjqs --reason "server retired"',
    )
    .requiredOption('--reason <text>', 'why, for the record')
    .action(services.run(servicesRevoke));
};

async function servicesList(context: Context): Promise<0> {
  const rows = await listServiceKeys(await context.database());
  const { style } = context;
  const titles = ['service', 'key', 'agents', 'principals', 'environments', 'state'];
  context.print(
    { services: rows },
    rows.length === 0
      ? [style.dim('No services.')]
      : table(
          style,
          titles.map((title) => ({ title })),
          rows.map((row) => [
            row.service_id,
            row.key_id,
            row.agents.join(', '),
            row.principals.join(', '),
            row.environments.join(', '),
            row.revoked_at === null ? 'active' : style.bad('revoked'),
          ]),
        ),
  );
  return 0;
}

async function servicesRevoke(
  context: Context,
  keyId: string,
  { reason }: { readonly reason: string },
): Promise<0> {
  const db = await context.database();
  const revoked = await db.transaction().execute((tx) => revokeServiceKey(tx, { keyId, reason }));
  mustHaveChanged(
    revoked,
    `no service key ${quoted(keyId)} is registered, or it was revoked before`,
    'services list',
  );
  context.print({ keyId, revoked: true }, [`The service key ${keyId} is revoked.`]);
  return 0;
}

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
