import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { readKeyFile, type KeyFile, type SigningKey } from '../../client/keys.js';
import { UsageError } from '../../config/errors.js';
import { canonicalBytes } from '../../domain/canonical.js';
import { personIdSchema } from '../../domain/documents.js';
import type { ApproveEnrolMessage, EnrolMessage } from '../../domain/key-statements.js';
import { cleanWords } from '../../domain/untrusted.js';
import { decodeBase64url } from '../../domain/base64url.js';
import { publicKeyProblem } from '../../domain/signature.js';
import { databaseNow } from '../../store/clock.js';
import { approveEnrolment, requestEnrolment, type EnrolVerdict } from '../../gateway/enrol-key.js';
import { countPersons, findKey } from '../../store/people.js';
import { ownerOf, unlock } from '../approver.js';
import { spendBootstrapCode, useBootstrapCode } from '../bootstrap-code.js';
import { ceremonyOf } from '../ceremony.js';
import type { Context } from '../context.js';
import { refusalWords } from '../refusal-words.js';
import type { Terminal } from '../../client/terminal.js';

export interface EnrolOptions {
  readonly name: string;
  readonly id?: string;
  readonly code?: string;
  readonly by?: string;
  readonly group: readonly string[];
}

/**
 * `keys enrol FILE`: the first person with the code that `up` printed, every further one vouched for by the key of
 * a person who is enrolled. Either way the new key signs, so nobody enrols a key they do not hold.
 */
export async function keysEnrol(context: Context, file: string, options: EnrolOptions): Promise<0> {
  const person = personOf(options);
  const header = readKeyFile(path.resolve(context.io.cwd, file));
  await checkKey(context, header);
  await checkRoad(context, options);
  const terminal = context.io.openTerminal();
  try {
    const message = await enrolMessage(context, terminal, { file, header, person });
    const approval = await vouch(context, terminal, options.by, {
      message,
      groups: options.group,
    });
    const ceremony = await ceremonyOf(context);
    const first = options.by === undefined && ceremony.trust.rootKeys.length === 0;
    const asked = { message, name: person.name, groups: options.group, first };
    const requested = counted(await requestEnrolment(ceremony, asked));
    const answer =
      approval === undefined
        ? requested
        : counted(await approveEnrolment(ceremony, await approval(requested.enrolment)));
    if (first) spendBootstrapCode(context.config.dataDir);
    report(context, { person, keyId: header.keyId, groups: options.group, answer });
  } finally {
    terminal.close();
  }
  return 0;
}

type Accepted = EnrolVerdict & { readonly accepted: true };

function counted(verdict: EnrolVerdict): Accepted {
  if (verdict.accepted) return verdict;
  throw new UsageError({
    what: `the key was not enrolled: ${refusalWords(verdict.reason)}`,
    remedy: 'See who may admit keys: countersign people, countersign policy explain',
  });
}

function report(
  context: Context,
  of: {
    readonly person: { readonly personId: string; readonly name: string };
    readonly keyId: string;
    readonly groups: readonly string[];
    readonly answer: Accepted;
  },
): void {
  const { answer, groups, keyId, person } = of;
  const { enrolment, missing } = answer;
  context.print(
    { ...person, keyId, groups, enrolment, missing },
    missing === 0
      ? [
          `${context.style.good('Enrolled')} ${person.name} as ${context.style.bold(person.personId)} with the key ${keyId}.`,
        ]
      : [
          `The key ${keyId} of ${person.personId} waits for ${missing} more of those who admit keys.`,
          `Each of them: countersign keys approve ${enrolment} --key THEIR_KEY_FILE`,
        ],
  );
}

function personOf(options: EnrolOptions): { personId: string; name: string } {
  const name = cleanWords(options.name, { charactersMax: 80, linesMax: 1 });
  if (name === undefined || name.trim() === '')
    throw new UsageError({
      what: '--name is empty, too long, or holds hidden characters',
      remedy: 'Write a name of at most 80 plain characters',
    });
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40);
  const personId = options.id ?? `p_${slug === '' ? randomBytes(4).toString('hex') : slug}`;
  if (personIdSchema.safeParse(personId).success) return { personId, name };
  throw new UsageError({
    what: `--id ${JSON.stringify(personId.slice(0, 80))} is no person id`,
    remedy: 'Write it as p_ada: lower-case letters, digits, _ or -',
  });
}

async function checkKey(context: Context, header: KeyFile): Promise<void> {
  const problem = publicKeyProblem(decodeBase64url(header.publicKey) ?? new Uint8Array());
  if (problem !== undefined)
    throw new UsageError({ what: problem, remedy: 'Make one with: countersign keys new FILE' });
  const found = await findKey(await context.database(), header.keyId);
  if (found !== undefined)
    throw new UsageError({
      what: `the key ${header.keyId} is enrolled already, for ${found.person.person_id}`,
      remedy:
        'One key belongs to one person, for ever; make another with: countersign keys new FILE',
    });
}

/** By the code while nobody is enrolled, by an enrolled person afterwards. */
async function checkRoad(context: Context, { code, by }: EnrolOptions): Promise<void> {
  const db = await context.database();
  // A pinned root needs nobody's word: the configuration has given it.
  if (context.trust().rootKeys.length > 0) return;
  const first = (await countPersons(db)) === 0;
  if (!first && by === undefined) throw notFirst();
  if (!first) return;
  if (context.config.mode === 'production')
    throw new UsageError({
      what: 'the first person of a production register chains to the configured root keys',
      remedy: 'Enrol it with a statement that a root key signed',
    });
  if (code === undefined)
    throw new UsageError({
      what: 'the first person enrols with the code that `countersign up` printed',
      remedy: 'Add --code CODE',
    });
  useBootstrapCode(context.config.dataDir, code, (await databaseNow(db)).getTime());
}

function notFirst(): UsageError {
  return new UsageError({
    what: 'somebody is enrolled already, so the code counts no more',
    remedy: 'Let that person vouch: add --by THEIR_KEY_FILE',
  });
}

interface Enrolling {
  readonly file: string;
  readonly header: KeyFile;
  readonly person: { readonly personId: string };
}

async function enrolMessage(
  context: Context,
  terminal: Terminal,
  { file, header, person }: Enrolling,
): Promise<EnrolMessage> {
  const statement = {
    type: 'countersign.enrol.v1' as const,
    instance: await context.instance(),
    person: person.personId,
    keyId: header.keyId,
    alg: 'ed25519' as const,
    publicKey: header.publicKey,
    label: path.basename(file),
    nonce: randomBytes(16).toString('hex'),
    enrolledAt: (await databaseNow(await context.database())).toISOString(),
  };
  const key = await unlock(context, terminal, file);
  const value = key.sign(canonicalBytes(statement));
  return { ...statement, signature: { kind: 'ed25519', value } };
}

/** The word of `--by`: unlocked now, signed once the enrolment has its name. */
async function vouch(
  context: Context,
  terminal: Terminal,
  by: string | undefined,
  { groups, message }: { readonly message: EnrolMessage; readonly groups: readonly string[] },
): Promise<((enrolment: string) => Promise<ApproveEnrolMessage>) | undefined> {
  if (by === undefined) return undefined;
  const { personId } = await ownerOf(context, by);
  terminal.write(admitsLine(personId, { keyId: message.keyId, person: message.person, groups }));
  const key = await unlock(context, terminal, by);
  return (enrolment) => approvalBy(context, { personId, key, enrolment, groups });
}

/** What an administrator signs, in words. */
export const admitsLine = (
  by: string,
  of: { readonly keyId: string; readonly person: string; readonly groups: readonly string[] },
): string =>
  `${by} admits the key ${of.keyId} of ${of.person}, in ${of.groups.length === 0 ? 'no group' : of.groups.join(', ')}.\n`;

/** An administrator's word for a waiting key. */
export async function approvalBy(
  context: Context,
  of: {
    readonly personId: string;
    readonly key: SigningKey;
    readonly enrolment: string;
    readonly groups: readonly string[];
  },
): Promise<ApproveEnrolMessage> {
  const statement = {
    type: 'countersign.approve-enrol.v1' as const,
    instance: await context.instance(),
    enrolment: of.enrolment,
    groups: [...of.groups],
    by: of.personId,
    keyId: of.key.keyId,
    at: (await databaseNow(await context.database())).toISOString(),
  };
  const value = of.key.sign(canonicalBytes(statement));
  return { ...statement, signature: { kind: 'ed25519', value } };
}
