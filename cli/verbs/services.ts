import { rmSync } from 'node:fs';
import path from 'node:path';
import { newServiceKeyFile } from '../../client/service-key.js';
import { UsageError } from '../../config/errors.js';
import { ENVIRONMENTS } from '../../domain/steps.js';
import { accountsOf, voidAccount } from '../../store/accounts.js';
import { addServiceKey, listServiceKeys, revokeServiceKey } from '../../store/people.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { environmentsOf, principalIds } from '../named.js';
import { mustHaveChanged, mustSign, quoted, signChange } from '../register-change.js';
import { fields, table } from '../style.js';

interface NewOptions {
  readonly key?: string;
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
    .option('--key <file>', 'key file of the administrator who signs; needed in production')
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
  services
    .add(
      'link <id>',
      'Links an account to a service: its tokens may ask for what its keys may; an administrator signs',
      'countersign services link s_backend --iss https://login.example.com --sub client-7 --key ~/keys/ada.json',
    )
    .requiredOption('--iss <issuer>', 'the issuer, exactly as in its tokens')
    .requiredOption('--sub <client>', 'the client id, exactly as the subject of its tokens')
    .option('--key <file>', 'key file of the administrator who signs')
    .action(services.run(servicesLink));
  services
    .add(
      'unlink <id>',
      'Makes an account of a service void at once',
      'countersign services unlink s_backend --iss https://login.example.com --sub client-7',
    )
    .requiredOption('--iss <issuer>', 'the issuer')
    .requiredOption('--sub <client>', 'the client id')
    .action(services.run(servicesUnlink));
};

interface AccountOptions {
  readonly key?: string;
  readonly iss: string;
  readonly sub: string;
}

async function servicesLink(context: Context, service: string, of: AccountOptions): Promise<0> {
  const { iss, sub } = of;
  await signChange(context, of, { kind: 'link-account', iss, sub, holder: { service } });
  context.print({ service, iss, sub }, [`${service} asks as ${sub} at ${iss} too.`]);
  return 0;
}

async function servicesUnlink(context: Context, service: string, of: AccountOptions): Promise<0> {
  const db = await context.database();
  const { iss, sub } = of;
  const held = (await accountsOf(db, { service })).some(
    (account) => account.iss === iss && account.sub === sub,
  );
  const gone =
    held &&
    (await db
      .transaction()
      .execute((tx) => voidAccount(tx, { iss, sub, reason: 'unlinked', by: 'operator' })));
  mustHaveChanged(gone, `${quoted(service)} has no such account`, 'services list');
  context.print({ service, iss, sub, void: true }, [`${sub} at ${iss} is nobody’s any more.`]);
  return 0;
}

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
  const environments = environmentsOf(options.environment);
  const db = await context.database();
  const principals = await principalIds(context, options.principal);
  const file = path.resolve(context.io.cwd, options.file);
  const { key } = newServiceKeyFile(file, await context.instance(), service);
  const { keyId, publicKey } = key;
  const lists = { agents: [...options.agent], principals, environments };
  try {
    if (mustSign(context, options))
      await signChange(context, options, { kind: 'add-service', service, publicKey, ...lists });
    else
      await db
        .transaction()
        .execute((tx) => addServiceKey(tx, { keyId, service, publicKey, ...lists }));
  } catch (error) {
    // A key that was not registered opens nothing.
    rmSync(file);
    throw error;
  }
  context.print({ service, keyId: key.keyId, file }, [
    `Registered ${context.style.bold(service)}`,
    ...fields(
      context.style,
      [
        ['key', `${file} (0600; whoever holds it may ask for these runs)`],
        ['agents', options.agent.join(', ')],
        ['principals', principals.join(', ')],
        ['environments', environments.join(', ')],
      ],
      '  ',
    ),
  ]);
  return 0;
}
