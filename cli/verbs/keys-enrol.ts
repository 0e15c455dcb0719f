import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { readKeyFile, type KeyFile, type SigningKey } from '../../client/keys.js';
import { UsageError } from '../../config/errors.js';
import { canonicalBytes, canonicalize } from '../../domain/canonical.js';
import { personIdSchema } from '../../domain/documents.js';
import { cleanWords } from '../../domain/untrusted.js';
import { decodeBase64url } from '../../domain/base64url.js';
import { publicKeyProblem } from '../../domain/signature.js';
import { databaseNow } from '../../store/clock.js';
import {
  addKey,
  addPerson,
  countPersons,
  findKey,
  listPeople,
  lockRegister,
} from '../../store/people.js';
import { ownerOf, unlock } from '../approver.js';
import { spendBootstrapCode, useBootstrapCode } from '../bootstrap-code.js';
import type { Context } from '../context.js';
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
    const evidence = await enrolment(context, terminal, { file, header, person, by: options.by });
    const db = await context.database();
    await db.transaction().execute(async (tx) => {
      await lockRegister(tx);
      if (options.by === undefined && (await countPersons(tx)) > 0) throw notFirst();
      const known = await listPeople(tx);
      if (!known.some((one) => one.person.person_id === person.personId))
        await addPerson(tx, { ...person, groups: options.group });
      await addKey(tx, {
        keyId: header.keyId,
        personId: person.personId,
        publicKey: header.publicKey,
        label: path.basename(file),
        evidence,
      });
    });
    if (options.by === undefined) spendBootstrapCode(context.config.dataDir);
  } finally {
    terminal.close();
  }
  context.print({ ...person, keyId: header.keyId, groups: options.group }, [
    `${context.style.good('Enrolled')} ${person.name} as ${context.style.bold(person.personId)} with the key ${header.keyId}.`,
  ]);
  return 0;
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
  readonly by: string | undefined;
}

async function enrolment(
  context: Context,
  terminal: Terminal,
  { file, header, person, by }: Enrolling,
): Promise<Record<string, string>> {
  const statement = {
    type: 'countersign.enrol.v1',
    instance: await context.instance(),
    person: person.personId,
    keyId: header.keyId,
    alg: 'ed25519',
    publicKey: header.publicKey,
    label: path.basename(file),
    nonce: randomBytes(16).toString('hex'),
    enrolledAt: (await databaseNow(await context.database())).toISOString(),
  };
  const signed = (key: SigningKey): string => key.sign(canonicalBytes(statement));
  const possession = signed(await unlock(context, terminal, file));
  const evidence = { statement: canonicalize(statement), possession };
  if (by === undefined) return evidence;
  const voucher = await ownerOf(context, by);
  const key = await unlock(context, terminal, by);
  return { ...evidence, vouchedBy: voucher.personId, vouchKeyId: key.keyId, vouch: signed(key) };
}
