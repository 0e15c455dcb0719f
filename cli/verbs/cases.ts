import { signCloseCase } from '../../client/decision.js';
import { UsageError } from '../../config/errors.js';
import { caseKind, proposalOf, type Proposal } from '../../domain/cases.js';
import { parseInstance } from '../../domain/ids.js';
import { countCharacters } from '../../domain/text.js';
import { visible } from '../../domain/untrusted.js';
import { closeCase } from '../../gateway/close-case.js';
import { listCases, readCase } from '../../store/case-rows.js';
import { databaseNow } from '../../store/clock.js';
import type { Row } from '../../store/schema.js';
import { keyOption, unlocked } from '../approver.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, Explanation, type ExitCode } from '../explain.js';
import { refusalWords } from '../refusal-words.js';
import { wrap, type Style } from '../style.js';

interface ListOptions {
  readonly all?: boolean;
  readonly kind?: string;
  readonly run?: string;
}

interface CloseOptions {
  readonly reason: string;
  readonly key?: string;
}

/** `cases`: what a person has to look at, with a proposed way out of each. */
export const registerCases: Register = (verbs) => {
  const cases = verbs.group('cases', 'What a person has to look at, with a proposed way out');
  cases
    .add(
      'list',
      'Lists open cases, newest first, with what to do about each',
      'countersign cases list --all',
      { default: true },
    )
    .option('--all', 'closed ones too')
    .option('--kind <kind>', 'only of this kind')
    .option('--run <run>', 'only of this run')
    .action(cases.run(list));
  cases
    .add('show <id>', 'Shows one case whole', 'countersign cases show 7')
    .action(cases.run((context, id: string) => show(context, id)));
  cases
    .add(
      'close <id>',
      'Closes a case; signed by a person of the register, and not by whom it is about',
      'countersign cases close 7 --reason "refunded at Stripe" --key ~/keys/ada.json',
    )
    .requiredOption('--reason <text>', 'what was done, for the record')
    .option('--key <file>', 'your key file')
    .action(cases.run(close));
};

/** A case as scripts read it. Instants are UTC with milliseconds. */
interface CaseView {
  readonly id: number;
  readonly kind: string;
  readonly severity: string;
  readonly runId?: string;
  readonly effectId?: string;
  readonly text: string;
  readonly proposal: Proposal;
  readonly openedAt: string;
  readonly closed?: {
    readonly at: string;
    readonly by: string;
    readonly as: string;
    readonly reason?: string;
  };
}

function viewOf(row: Row<'cases'>): CaseView {
  const runId = row.run_id ?? undefined;
  const effectId = row.effect_id ?? undefined;
  const facts = { caseId: row.case_id, runId, effectId };
  return {
    id: row.case_id,
    kind: row.kind,
    severity: row.severity,
    ...(runId === undefined ? {} : { runId }),
    ...(effectId === undefined ? {} : { effectId }),
    text: row.text,
    proposal: proposalOf(row.kind, facts, row.proposal ?? undefined),
    openedAt: row.opened_at.toISOString(),
    ...(row.closed_at === null
      ? {}
      : {
          closed: {
            at: row.closed_at.toISOString(),
            by: row.closed_by ?? '',
            as: row.closed_as ?? '',
            ...(row.close_reason === null ? {} : { reason: row.close_reason }),
          },
        }),
  };
}

async function list(context: Context, options: ListOptions): Promise<ExitCode> {
  if (options.kind !== undefined && caseKind(options.kind) === undefined)
    throw new UsageError({
      what: `--kind ${JSON.stringify(options.kind.slice(0, 60))} is no kind of case`,
      remedy: 'See docs/cases.md for the kinds there are',
    });
  const rows = await listCases(await context.database(), {
    ...(options.all === undefined ? {} : { all: options.all }),
    ...(options.kind === undefined ? {} : { kind: options.kind }),
    ...(options.run === undefined ? {} : { runId: options.run }),
  });
  const { style } = context;
  const views = rows.map(viewOf);
  context.print(
    { cases: views },
    views.length === 0 ? [style.dim('No open cases.')] : views.flatMap((one) => lines(style, one)),
  );
  return EXIT.done;
}

function lines(style: Style, one: CaseView): string[] {
  const { command, text } = one.proposal;
  const indented = (words: string): string[] =>
    wrap(words, style.columns - 4).map((line) => `    ${line}`);
  const tone = one.severity === 'urgent' ? style.bad : style.warn;
  const head = [
    `${style.bold(`#${one.id}`)} ${one.kind}`,
    ...(one.runId === undefined ? [] : [`run ${one.runId}`]),
    ...(one.closed === undefined ? [] : [style.dim('closed')]),
  ].join('  ');
  return one.closed === undefined
    ? [
        head,
        ...indented(visible(one.text)),
        ...wrap(`${one.severity}: ${text}`, style.columns - 4).map((line) => `    ${tone(line)}`),
        `    ${style.accent(command)}`,
      ]
    : [head, ...indented(visible(one.text))];
}

async function show(context: Context, id: string): Promise<ExitCode> {
  const row = await known(context, id);
  const view = viewOf(row);
  const kind = caseKind(row.kind);
  const { style } = context;
  context.print({ ...view, ...(kind === undefined ? {} : wordsOf(kind)) }, [
    ...lines(style, view),
    '',
    `opened  ${view.openedAt}`,
    ...(view.effectId === undefined ? [] : [`effect  ${view.effectId}`]),
    ...(kind === undefined
      ? []
      : [`means   ${kind.means}`, `who     ${kind.who}`, `closes  ${kind.closes}`]),
    ...(view.closed === undefined
      ? []
      : [
          `closed  ${view.closed.at} by ${visible(view.closed.by)}: ${visible(view.closed.reason ?? view.closed.as)}`,
        ]),
  ]);
  return EXIT.done;
}

const wordsOf = ({ closes, means, who }: { means: string; who: string; closes: string }) => ({
  means,
  who,
  closes,
});

async function known(context: Context, id: string): Promise<Row<'cases'>> {
  if (!/^[1-9]\d{0,9}$/.test(id))
    throw new UsageError({
      what: `${JSON.stringify(id.slice(0, 60))} is no case: cases have numbers`,
      remedy: 'See them with: countersign cases list --all',
    });
  const row = await readCase(await context.database(), Number(id));
  if (row === undefined)
    throw new UsageError({
      what: `there is no case ${id}`,
      remedy: 'See them with: countersign cases list --all',
    });
  return row;
}

async function close(context: Context, id: string, options: CloseOptions): Promise<ExitCode> {
  const file = keyOption(options, `countersign cases close ${id} …`);
  if (options.reason.trim() === '' || countCharacters(options.reason) > 2_000)
    throw new UsageError({
      what: '--reason is empty or longer than 2,000 characters',
      remedy: 'Say in a line what was done about it',
    });
  const row = await known(context, id);
  if (row.closed_at !== null)
    throw new UsageError({
      what: `case ${id} was closed by ${visible(row.closed_by ?? '')}`,
      remedy: `See it with: countersign cases show ${id}`,
    });
  const approver = await unlocked(
    context,
    file,
    `Case ${id}, ${row.kind}: ${visible(row.text)}\nThis closes it.`,
  );
  const instance = await context.instance();
  const db = await context.database();
  const message = signCloseCase(
    {
      instance,
      caseId: row.case_id,
      kind: row.kind,
      by: approver.personId,
      reason: options.reason,
      at: (await databaseNow(db)).toISOString(),
    },
    approver.key,
  );
  const answer = await closeCase(
    { db, instance: parseInstance(instance), trust: context.trust() },
    message,
  );
  if (!answer.closed)
    throw new Explanation({
      message: `case ${id} was not closed: ${refusalWords(answer.reason)}. Nothing was changed.`,
      exitCode: EXIT.otherwise,
      code: 'REFUSED',
    });
  context.print({ case: row.case_id, closed: true, by: answer.by }, [
    `${context.style.good('Closed')} case ${id}.`,
  ]);
  return EXIT.done;
}
