import { accountsOf, voidAccount } from '../../store/accounts.js';
import { setPersonActive } from '../../store/agents.js';
import { listAgents, listPeople } from '../../store/people.js';
import { UsageError } from '../../config/errors.js';
import type { Register, Verbs } from '../cli.js';
import type { Context } from '../context.js';
import { mustHaveChanged, quoted, signChange } from '../register-change.js';
import { fields, table } from '../style.js';

interface Keyed {
  readonly key?: string;
}
interface AccountOptions extends Keyed {
  readonly iss: string;
  readonly sub: string;
}

/** `people`: persons, whether they are active, and the accounts by which they sign in. */
export const registerPeople: Register = (verbs) => {
  const people = verbs.group('people', 'Persons, and the accounts by which they sign in');
  people
    .add('list', 'Lists persons and their keys', 'countersign people list', { default: true })
    .action(people.run(list));
  people
    .add(
      'show <person>',
      'Shows a person with keys, accounts and agents',
      'countersign people show p_ada',
    )
    .action(people.run(show));
  people
    .add(
      'add <person>',
      'Registers a person without a key, to sign in only; an administrator signs',
      'countersign people add p_eve --name "Eve" --group viewers --key ~/keys/ada.json',
    )
    .requiredOption('--name <name>', 'as others read it')
    .option('--group <group...>', 'groups of the policy', [])
    .option('--key <file>', 'key file of the administrator who signs')
    .action(people.run(add));
  people
    .add(
      'deactivate <person>',
      'Takes a person out at once: nothing of theirs counts, their agents do nothing more',
      'countersign people deactivate p_eve --reason "has left"',
    )
    .requiredOption('--reason <text>', 'why, for the record')
    .action(people.run(deactivate));
  registerAccounts(people);
};

const registerAccounts = (people: ReturnType<Verbs['group']>): void => {
  people
    .add(
      'reactivate <person>',
      'Brings a person back; another administrator signs',
      'countersign people reactivate p_eve --key ~/keys/ada.json',
    )
    .option('--key <file>', 'key file of the administrator who signs')
    .action(
      people.run(async (context, person: string, options: Keyed) => {
        await signChange(context, options, { kind: 'reactivate-person', person });
        context.print({ person, active: true }, [`${person} is active again.`]);
        return 0;
      }),
    );
  people
    .add(
      'link <person>',
      'Links an account to a person; another administrator signs, no e-mail address ever does',
      'countersign people link p_eve --iss https://login.example.com --sub 00u1a2b3 --key ~/keys/ada.json',
    )
    .requiredOption('--iss <issuer>', 'the issuer, exactly as in its tokens')
    .requiredOption('--sub <subject>', 'the subject, exactly as in its tokens')
    .option('--key <file>', 'key file of the administrator who signs')
    .action(
      people.run(async (context, person: string, options: AccountOptions) => {
        const { iss, sub } = options;
        const change = { kind: 'link-account', iss, sub, holder: { person } } as const;
        await signChange(context, options, change);
        context.print({ person, iss, sub }, [
          `${person} signs in as ${sub} at ${iss} from now on.`,
        ]);
        return 0;
      }),
    );
  people
    .add(
      'unlink <person>',
      'Makes an account of a person void at once',
      'countersign people unlink p_eve --iss https://login.example.com --sub 00u1a2b3',
    )
    .requiredOption('--iss <issuer>', 'the issuer')
    .requiredOption('--sub <subject>', 'the subject')
    .action(people.run(unlink));
};

async function list(context: Context): Promise<0> {
  const { style } = context;
  const everybody = await listPeople(await context.database());
  const rows = everybody.flatMap(({ person, keys }) =>
    (keys.length === 0 ? [undefined] : keys).map((key, i) => [
      i === 0 ? person.person_id : '',
      i === 0 ? person.name : '',
      i === 0 ? person.groups.join(', ') : '',
      key?.key_id ?? style.dim('no key'),
      !person.active
        ? style.bad('not active')
        : key === undefined
          ? ''
          : key.revoked_at === null
            ? 'active'
            : style.bad('revoked'),
    ]),
  );
  const titles = ['person', 'name', 'groups', 'key', 'state'];
  const none = 'Nobody is enrolled. The first enrols with the code that `countersign up` prints.';
  context.print(
    { people: everybody },
    rows.length === 0
      ? [style.dim(none)]
      : table(
          style,
          titles.map((title) => ({ title })),
          rows,
        ),
  );
  return 0;
}

async function known(
  context: Context,
  personId: string,
): Promise<Awaited<ReturnType<typeof listPeople>>[number]> {
  const everybody = await listPeople(await context.database());
  const found = everybody.find(({ person }) => person.person_id === personId);
  if (found !== undefined) return found;
  throw new UsageError({
    what: `there is no person ${quoted(personId)}`,
    remedy: 'See who there is: countersign people',
  });
}

async function show(context: Context, personId: string): Promise<0> {
  const { person, keys } = await known(context, personId);
  const db = await context.database();
  const accounts = await accountsOf(db, { person: personId });
  const agents = (await listAgents(db)).filter((agent) => agent.owner_person === personId);
  const { style } = context;
  const or = (lines: readonly string[]): string => (lines.length === 0 ? 'none' : lines.join('; '));
  context.print({ person, keys, accounts, agents }, [
    `${style.bold(person.person_id)} ${person.name}`,
    ...fields(
      style,
      [
        ['state', person.active ? 'active' : style.bad('not active')],
        ['groups', or(person.groups)],
        ['keys', or(keys.map((key) => key.key_id + (key.revoked_at === null ? '' : ' (revoked)')))],
        [
          'accounts',
          or(
            accounts.map(({ email, email_verified: verified, iss, sub, void_at: gone }) => {
              const mail = email === null ? '' : ` <${email}${verified ? '' : ', not verified'}>`;
              return `${sub} at ${iss}${mail}${gone === null ? '' : ' (void)'}`;
            }),
          ),
        ],
        ['agents', or(agents.map((agent) => agent.agent_id))],
      ],
      '  ',
    ),
  ]);
  return 0;
}

async function add(
  context: Context,
  person: string,
  options: Keyed & { readonly name: string; readonly group: readonly string[] },
): Promise<0> {
  const { name, group } = options;
  await signChange(context, options, { kind: 'add-person', person, name, groups: [...group] });
  context.print({ person, name, groups: group }, [`${person} is registered.`]);
  return 0;
}

async function deactivate(
  context: Context,
  personId: string,
  { reason }: { readonly reason: string },
): Promise<0> {
  await known(context, personId);
  const db = await context.database();
  const of = { personId, active: false, reason, by: 'operator' };
  const changed = await db.transaction().execute((tx) => setPersonActive(tx, of));
  mustHaveChanged(changed, `${personId} is not active already`, `people show ${personId}`);
  const agents = (await listAgents(db)).filter((agent) => agent.owner_person === personId);
  const named = agents.map((agent) => agent.agent_id);
  context.print({ personId, active: false, agents: named }, [
    `${personId} is not active any more: nothing they signed and nothing they sign counts.`,
    ...(named.length === 0
      ? []
      : [
          `Nobody answers for ${named.join(', ')} now: countersign agents own AGENT --owner PERSON`,
        ]),
  ]);
  return 0;
}

async function unlink(context: Context, person: string, of: AccountOptions): Promise<0> {
  await known(context, person);
  const db = await context.database();
  const held = (await accountsOf(db, { person })).some(
    ({ iss, sub }) => iss === of.iss && sub === of.sub,
  );
  const { iss, sub } = of;
  const gone =
    held &&
    (await db
      .transaction()
      .execute((tx) => voidAccount(tx, { iss, sub, reason: 'unlinked', by: 'operator' })));
  mustHaveChanged(gone, `${person} has no such account`, `people show ${quoted(person)}`);
  context.print({ person, iss, sub, void: true }, [`${sub} at ${iss} is nobody’s any more.`]);
  return 0;
}
