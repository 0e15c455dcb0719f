import type { RunListing } from '../client/client.js';
import type { RunState, StepReport } from '../domain/plan.js';
import { ENDS } from '../domain/steps.js';
import { visible } from '../domain/untrusted.js';
import { duration, fields, money, pad, table, wrap, type Style } from './style.js';

/** How a run is shown, wherever it is shown. */

type Outcome = StepReport['outcome'];
type Phase = RunState['phase'];

const MARKS: Readonly<Record<Outcome, string>> = {
  pending: '·',
  adopted: '✓',
  skipped: '–',
  running: '…',
  succeeded: '✓',
  failed: '✗',
  unknown: '?',
  reversing: '…',
  reversed: '↺',
  mitigated: '↺',
  'never-happened': '–',
  stuck: '!',
  verified: '✓',
};

const GOOD: readonly string[] = ['adopted', 'succeeded', 'verified', 'completed'];
const BAD: readonly string[] = ['failed', 'stuck', 'unknown', 'denied', 'rejected', 'expired'];
const MIND: readonly string[] = [
  'reversing',
  'reversed',
  'mitigated',
  'unwinding',
  'held',
  'awaiting-approval',
  'needs-input',
];

/** The colour that a phase or an outcome has everywhere. */
export function coloured(style: Style, word: string, text = word): string {
  if (GOOD.includes(word)) return style.good(text);
  if (BAD.includes(word)) return style.bad(text);
  if (MIND.includes(word)) return style.warn(text);
  return text;
}

/** One line of a step. */
export function stepLine(style: Style, step: StepReport, currency: string): string {
  const cost = step.spentMinor > 0 ? money(step.spentMinor, currency) : '';
  const residue =
    step.residue === undefined || (step.residue.minor === 0 && step.residue.text === '')
      ? ''
      : `left: ${money(step.residue.minor, currency)} ${step.residue.text}`;
  const facts = [cost, step.object ?? '', step.note ?? '', residue]
    .filter((text) => text !== '')
    .map(visible)
    .join(' · ');
  const mark = coloured(style, step.outcome, MARKS[step.outcome]);
  const outcome = coloured(style, step.outcome, pad(step.outcome, 15));
  return `  ${mark} ${pad(step.step, 19)} ${outcome} ${style.dim(facts)}`.trimEnd();
}

/** The whole state of a run. */
export function stateLines(style: Style, state: RunState): readonly string[] {
  const phase = coloured(style, state.phase, state.phase);
  return [
    `${style.bold(state.runId)}  ${phase}`,
    ...(state.why === '' ? [] : wrap(visible(state.why), style.columns).map(style.dim)),
    ...tornLines(style, state),
    '',
    ...state.steps.map((step) => stepLine(style, step, state.currency)),
    '',
    ...moneyLines(style, state),
    ...residueLines(style, state),
    ...(state.cases ?? []).map((text) => style.warn(`  case: ${visible(text)}`)),
    ...waitLines(style, state),
  ];
}

function tornLines(style: Style, { tearsDown, tornDownBy }: RunState): readonly string[] {
  return [
    ...(tearsDown === undefined ? [] : [style.dim(`takes down what ${tearsDown} made`)]),
    ...(tornDownBy === undefined ? [] : [style.warn(`torn down by ${tornDownBy}`)]),
  ];
}

function moneyLines(style: Style, state: RunState): readonly string[] {
  return fields(
    style,
    [
      ['spent', money(state.spentMinor, state.currency)],
      ['reserved', money(state.reservedMinor, state.currency)],
    ],
    '  ',
  );
}

function residueLines(style: Style, state: RunState): readonly string[] {
  return state.residue.map((residue) =>
    style.warn(
      `  left by ${residue.step}: ${money(residue.minor, state.currency)}` +
        (residue.text === '' ? '' : `; ${visible(residue.text)}`),
    ),
  );
}

/** What it waits for, of whom, and the exact next command. */
export function waitLines(style: Style, state: RunState): readonly string[] {
  const denials = (state.denials ?? []).map(
    (denial) => `  ${style.bad('denied')} by ${denial.rule}: ${visible(denial.message)}`,
  );
  const unusual = (state.anomalies ?? []).map(({ kind, text }) =>
    style.warn(`  unusual (${kind}): ${visible(text)}`),
  );
  const waits = nextStep(state);
  if (waits === undefined) return [...denials, ...unusual];
  return [
    ...denials,
    ...unusual,
    '',
    ...fields(style, [
      ['waits for', visible(waits.what)],
      ['of', visible(waits.who)],
      ['next', style.accent(waits.command)],
    ]),
  ];
}

/** What a run waits for: its own words, or what its phase means. Undefined when it waits for nobody. */
export function nextStep(state: RunState): RunState['waitsFor'] {
  if (state.waitsFor !== undefined) return state.waitsFor;
  const { runId } = state;
  const byPhase: Partial<Record<Phase, NonNullable<RunState['waitsFor']>>> = {
    'awaiting-approval': {
      what: 'a signed decision',
      who: 'an approver',
      command: `countersign approve ${runId} --key FILE`,
    },
    held: {
      what: 'a signed resume',
      who: 'an operator',
      command: `countersign resume --run ${runId} --key FILE --reason "…"`,
    },
    stuck: {
      what: 'a signed way on',
      who: 'an operator',
      command: `countersign resolve ${runId} --step STEP --retry --key FILE --reason "…"`,
    },
  };
  return byPhase[state.phase];
}

/** Has the run stopped moving by itself, for good or until a person acts? */
export function restsNow(state: RunState): boolean {
  return (
    ENDS.some((end) => end === state.phase) || state.phase === 'stuck' || state.phase === 'held'
  );
}

/** The table of `runs`. */
export function listingLines(style: Style, runs: readonly RunListing[]): readonly string[] {
  if (runs.length === 0) return [style.dim('No runs.')];
  return table(
    style,
    [
      { title: 'run' },
      { title: 'phase' },
      { title: 'domain' },
      { title: 'environment' },
      { title: 'spent', align: 'right' },
      { title: 'started' },
    ],
    runs.map((run) => {
      const phase = run.phase ?? run.status.toLowerCase();
      return [
        run.runId,
        coloured(style, phase),
        run.domain ?? '',
        run.environment ?? '',
        run.spentMinor === undefined ? '' : money(run.spentMinor, '').trim(),
        `${duration(Date.now() - run.startedAt.getTime())} ago`,
      ];
    }),
  );
}
