import { UsageError } from '../../config/errors.js';
import { erasePrincipal } from '../../store/erasure.js';
import {
  listAgents,
  listPeople,
  listPrincipals,
  revokeKey,
  setAgentActive,
} from '../../store/people.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { registerAgent, registerPrincipal } from '../registration.js';
import { table } from '../style.js';
import { keysEnrol, type EnrolOptions } from './keys-enrol.js';
import { keysNew } from './keys-new.js';

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
      'Revokes a key at once; needs no signature, because it only takes away',
      'countersign keys revoke OiyJrLPSmtd5aj2wNvyrQAP7DYiOOR5YW872r9TDjqs --reason "laptop lost" --compromised',
    )
    .requiredOption('--reason <text>', 'why, for the record')
    .option('--compromised', 'somebody else may have used it: its unused decisions are void')
    .action(keys.run(keysRevoke));
  verbs
    .add('people', 'Lists persons and their keys', 'countersign people')
    .action(verbs.run(people));
  registerAgents(verbs);
  registerPrincipals(verbs);
};

const registerAgents: Register = (verbs) => {
  const agents = verbs.group('agents', 'Agents and the persons who answer for them');
  agents.add('list', 'Lists agents', 'countersign agents list').action(
    agents.run(async (context) => {
      const rows = await listAgents(await context.database());
      context.print(
        { agents: rows },
        rows.length === 0
          ? [context.style.dim('No agents.')]
          : table(
              context.style,
              [{ title: 'agent' }, { title: 'owner' }, { title: 'state' }],
              rows.map((row) => [
                row.agent_id,
                row.owner_person ?? 'nobody',
                row.active ? 'active' : context.style.bad('off'),
              ]),
            ),
      );
      return 0;
    }),
  );
  agents
    .add(
      'add <id>',
      'Registers an agent with the person who answers for it',
      'countersign agents add launch-agent --owner p_ada',
    )
    .requiredOption('--owner <person>', 'register id of the owner, p_…')
    .action(
      agents.run(async (context, agentId: string, options: { readonly owner: string }) => {
        checkAgentId(agentId);
        await registerAgent(context, agentId, options.owner);
        context.print({ agentId, owner: options.owner }, [
          `${agentId} may act; ${options.owner} answers for it.`,
        ]);
        return 0;
      }),
    );
  for (const [name, active, said] of [
    ['off', false, 'may no longer start runs'],
    ['on', true, 'may start runs again'],
  ] as const)
    agents
      .add(
        `${name} <id>`,
        active ? 'Lets an agent act again' : 'Keeps an agent from starting runs',
        `countersign agents ${name} launch-agent`,
      )
      .action(
        agents.run(async (context, agentId: string) => {
          const db = await context.database();
          const known = await db.transaction().execute((tx) => setAgentActive(tx, agentId, active));
          if (!known)
            throw new UsageError({
              what: `there is no agent ${JSON.stringify(agentId.slice(0, 80))}`,
              remedy: 'See which there are: countersign agents list',
            });
          context.print({ agentId, active }, [`${agentId} ${said}.`]);
          return 0;
        }),
      );
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

async function keysRevoke(
  context: Context,
  keyId: string,
  options: { readonly reason: string; readonly compromised?: boolean },
): Promise<0> {
  const db = await context.database();
  const as = options.compromised === true ? 'compromised' : 'retired';
  const revoked = await db
    .transaction()
    .execute((tx) => revokeKey(tx, { keyId, as, reason: options.reason }));
  if (!revoked)
    throw new UsageError({
      what: `no key ${JSON.stringify(keyId.slice(0, 80))} is enrolled, or it was revoked before`,
      remedy: 'See which there are: countersign people',
    });
  context.print({ keyId, revokedAs: as }, [`The key ${keyId} is revoked (${as}).`]);
  return 0;
}

async function people(context: Context): Promise<0> {
  const { style } = context;
  const everybody = await listPeople(await context.database());
  const rows = everybody.flatMap(({ person, keys }) =>
    (keys.length === 0 ? [undefined] : keys).map((key, i) => [
      i === 0 ? person.person_id : '',
      i === 0 ? person.name : '',
      i === 0 ? person.groups.join(', ') : '',
      key?.key_id ?? style.dim('no key'),
      key === undefined ? '' : key.revoked_at === null ? 'active' : style.bad('revoked'),
    ]),
  );
  const titles = ['person', 'name', 'groups', 'key', 'state'];
  context.print(
    { people: everybody },
    rows.length === 0
      ? [
          style.dim(
            'Nobody is enrolled. The first enrols with the code that `countersign up` prints.',
          ),
        ]
      : table(
          style,
          titles.map((title) => ({ title })),
          rows,
        ),
  );
  return 0;
}

function checkAgentId(agentId: string): void {
  if (/^[a-z][a-z0-9_-]{0,62}$/.test(agentId)) return;
  throw new UsageError({
    what: `the agent id ${JSON.stringify(agentId.slice(0, 80))} is not of the form launch-agent`,
    remedy: 'Write lower-case letters, digits, _ or -, beginning with a letter',
  });
}
