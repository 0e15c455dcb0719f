import { UsageError } from '../../config/errors.js';
import { erasePrincipal } from '../../store/erasure.js';
import { listPrincipals } from '../../store/people.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { registerPrincipal } from '../registration.js';
import { table } from '../style.js';
import { registerAgents } from './agents.js';
import { registerDelegations } from './delegations.js';
import { registerPeople } from './people.js';
import { keysEnrol, type EnrolOptions } from './keys-enrol.js';
import { keysApprove, keysList } from './keys-approve.js';
import { keysNew } from './keys-new.js';
import { keysRevoke } from './keys-revoke.js';

/** `keys`, `people`, `agents`, `principals`: who is who. */
export const registerRegister: Register = (verbs) => {
  const keys = verbs.group('keys', 'Approver keys: make, enrol, revoke');
  keys
    .add('new <file>', 'Makes an encrypted key file', 'countersign keys new ~/keys/ada.json')
    .action(keys.run(keysNew));
  keys
    .add(
      'enrol <file>',
      'Enrols a key and its person',
      'countersign keys enrol ~/keys/ada.json --name "Ada" --code abcd-efgh-…\ncountersign keys enrol ~/keys/bob.json --name "Bob" --by ~/keys/ada.json',
    )
    .requiredOption('--name <name>', 'the person, as others read it')
    .option('--id <id>', 'their register id, p_…; made from the name unless given')
    .option('--code <code>', 'the code that `countersign up` printed, for the first person')
    .option('--by <file>', 'key file of an enrolled person who vouches, for every further one')
    .option('--group <group...>', 'groups of the policy', ['approvers'])
    .action(
      keys.run((context, file: string, options: EnrolOptions) => keysEnrol(context, file, options)),
    );
  keys
    .add(
      'revoke <keyId>',
      'Revokes a key at once; by a signature with --key, else logged as the operator’s',
      'countersign keys revoke OiyJrLPSmtd5aj2wNvyrQAP7DYiOOR5YW872r9TDjqs --reason "laptop lost" --compromised --key ~/keys/ada.json',
    )
    .requiredOption('--reason <text>', 'why, for the record')
    .option('--compromised', 'somebody else may have used it: its unused decisions are void')
    .option('--since <instant>', 'since when, as 2026-11-21T09:00:00.000Z; ever unless given')
    .option('--key <file>', 'your key file: the key’s own person’s, or an administrator’s')
    .action(keys.run(keysRevoke));
  keys
    .add('list', 'Lists keys, and those that wait to be admitted', 'countersign keys list')
    .action(keys.run(keysList));
  keys
    .add(
      'approve <enrolment>',
      'Admits another person’s waiting key; signed',
      'countersign keys approve sha256:3f9c… --key ~/keys/ada.json',
    )
    .option('--key <file>', 'your key file')
    .action(keys.run(keysApprove));
  registerPeople(verbs);
  registerAgents(verbs);
  registerDelegations(verbs);
  registerPrincipals(verbs);
};

interface PrincipalOptions {
  readonly name?: string;
  readonly person?: string;
}

const registerPrincipals: Register = (verbs) => {
  const principals = verbs.group('principals', 'On whose behalf and account runs act');
  principals.add('list', 'Lists principals', 'countersign principals list').action(
    principals.run(async (context) => {
      const rows = await listPrincipals(await context.database());
      context.print(
        { principals: rows },
        rows.length === 0
          ? [context.style.dim('No principals.')]
          : table(
              context.style,
              [{ title: 'principal' }, { title: 'name' }, { title: 'e-mail' }],
              rows.map((row) => [row.principal_id, row.name, row.email ?? '']),
            ),
      );
      return 0;
    }),
  );
  principals
    .add(
      'add <email>',
      'Registers a principal',
      'countersign principals add owner@example.com --name "Example Ltd"',
    )
    .option('--name <name>', 'as approvers read it; the address unless given')
    .option(
      '--person <person>',
      'the registered person that they are: a policy may keep them from approving',
    )
    .action(
      principals.run(async (context, email: string, options: PrincipalOptions) => {
        const principalId = await registerPrincipal(context, email, options);
        context.print({ principalId, email }, [`${email} is ${principalId}.`]);
        return 0;
      }),
    );
  principals
    .add(
      'erase <principal>',
      'Erases name and address of a principal; what was approved and paid stays, by id',
      'countersign principals erase pr_3f9c2a71be',
    )
    .action(principals.run(principalsErase));
};

async function principalsErase(context: Context, named: string): Promise<0> {
  const db = await context.database();
  const wanted = named.toLowerCase();
  const rows = await listPrincipals(db);
  const known = rows.find((row) => row.principal_id === named || row.email === wanted);
  const principalId = known?.principal_id ?? named;
  const erasure = await db.transaction().execute((tx) => erasePrincipal(tx, principalId));
  if (erasure.kind === 'unknown')
    throw new UsageError({
      what: `there is no principal ${JSON.stringify(named.slice(0, 80))}, or it was erased before`,
      remedy: 'See which there are: countersign principals list',
    });
  if (erasure.kind === 'in-use')
    throw new UsageError({
      what: `${principalId} cannot be erased while runs act on its behalf: ${erasure.runIds.join(', ')}`,
      remedy: 'Let them end, or end them with `countersign stop --run RUN --reason R`',
    });
  context.print({ principalId, erased: true }, [
    `${principalId} is erased here. The providers keep what they were told: see docs/operating.md.`,
  ]);
  return 0;
}
