import { UsageError } from '../../config/errors.js';
import { approveEnrolment } from '../../gateway/enrol-key.js';
import { readEnrolment, waitingEnrolments } from '../../store/key-rows.js';
import { listPeople } from '../../store/people.js';
import { keyOption, ownerOf, unlock } from '../approver.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { refusalWords } from '../refusal-words.js';
import { table } from '../style.js';
import { ceremonyOf } from '../ceremony.js';
import { admitsLine, approvalBy } from './keys-enrol.js';

/** `keys list`: keys, and those that wait to be admitted. */
export async function keysList(context: Context): Promise<0> {
  const db = await context.database();
  const people = await listPeople(db);
  const waiting = await waitingEnrolments(db);
  const rows = [
    ...people.flatMap(({ keys, person }) =>
      keys.map((key) => [
        person.person_id,
        key.key_id,
        key.algorithm,
        key.revoked_as ?? `since ${key.active_from.toISOString()}`,
      ]),
    ),
    ...waiting.map((row) => [row.person_id, row.key_id, row.algorithm, `waits: ${row.enrolment}`]),
  ];
  const titles = ['person', 'key', 'algorithm', 'state'];
  context.print(
    { keys: people.flatMap(({ keys }) => keys), waiting },
    rows.length === 0
      ? [context.style.dim('No keys.')]
      : table(
          context.style,
          titles.map((title) => ({ title })),
          rows,
        ),
  );
  return 0;
}

/** `keys approve ENROLMENT`: an administrator's signed word for another person's key. */
export async function keysApprove(
  context: Context,
  enrolment: string,
  options: { readonly key?: string },
): Promise<ExitCode> {
  const file = keyOption(options, `countersign keys approve ${enrolment.slice(0, 80)}`);
  const db = await context.database();
  const row = await readEnrolment(db, enrolment);
  if (row === undefined)
    throw new UsageError({
      what: `no key waits under ${JSON.stringify(enrolment.slice(0, 80))}`,
      remedy: 'See which do: countersign keys list',
    });
  const terminal = context.io.openTerminal();
  try {
    const { personId } = await ownerOf(context, file);
    const { groups, key_id: keyId, person_id: person } = row;
    terminal.write(admitsLine(personId, { keyId, person, groups }));
    const key = await unlock(context, terminal, file);
    const message = await approvalBy(context, { personId, key, enrolment, groups });
    const answer = await approveEnrolment(await ceremonyOf(context), message);
    if (answer.accepted) {
      context.print({ ...answer, keyId: row.key_id }, [
        answer.missing === 0
          ? `The key ${row.key_id} of ${row.person_id} is admitted.`
          : `On record; ${answer.missing} more of those who admit keys are needed.`,
      ]);
      return EXIT.done;
    }
    context.print(answer, []);
    context.tell(`countersign: this did not count: ${refusalWords(answer.reason)}`);
    return EXIT.otherwise;
  } finally {
    terminal.close();
  }
}
