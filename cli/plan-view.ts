import type { Plan, PlanStep } from '../domain/plan.js';
import { visible } from '../domain/untrusted.js';
import { fields, money, table, type Style } from './style.js';

const KINDS: Readonly<Record<PlanStep['kind'], string>> = {
  act: '',
  adopt: 'exists already',
  skip: 'not asked for',
  read: 'reads only',
};

/** A plan before anything is done: verdict, cost, reversal and residue of each step. */
export function planLines(style: Style, plan: Plan): readonly string[] {
  const amount = (minor: number): string => money(minor, plan.currency);
  const rows = plan.steps.map((step) => [
    `  ${step.step}`,
    step.kind === 'act' ? tier(style, step) : style.dim(KINDS[step.kind]),
    step.kind === 'act' ? amount(step.costMaxMinor) : '',
    step.kind === 'act' ? UNDO[step.reversal] : '',
    step.kind === 'act' ? leaves(step, plan.currency) : '',
  ]);
  return [
    style.bold('Plan') + style.dim(`  (${plan.environment}, policy version ${plan.policyVersion})`),
    ...table(
      style,
      [
        { title: '  step' },
        { title: 'verdict' },
        { title: 'at most', align: 'right' },
        { title: 'can be undone' },
        { title: 'leaves' },
      ],
      rows,
    ),
    '',
    ...fields(
      style,
      [
        ['at most', style.bold(amount(plan.totalMaxMinor))],
        ['each month', amount(plan.monthlyMinor)],
        ['each year', amount(plan.yearlyMinor)],
        ['worst case', worst(plan)],
        [
          'gates',
          plan.gates.map(({ gate, rule }) => `${gate} (${ruleWords(rule)})`).join(', ') || 'none',
        ],
        ...plan.terms.map(
          (term) => ['accepts', `${visible(term.url)}, version ${visible(term.version)}`] as const,
        ),
      ],
      '  ',
    ),
    ...plan.denials.map((denial) =>
      style.bad(`  denied by ${denial.rule}: ${visible(denial.message)}`),
    ),
  ];
}

const UNDO = { compensate: 'yes', mitigate: 'in part', none: 'no' } as const;

function tier(style: Style, step: PlanStep): string {
  return step.tier === 'autonomous' ? style.good('autonomous') : style.warn(step.tier);
}

function leaves({ residue }: PlanStep, currency: string): string {
  const cost = residue.minor > 0 ? `${money(residue.minor, currency)}: ` : '';
  return `${cost}${visible(residue.text)}`;
}

function worst(plan: Plan): string {
  const most = plan.worstCase.reduce<(typeof plan.worstCase)[number] | undefined>(
    (high, one) => (one.lossMinor > (high?.lossMinor ?? 0) ? one : high),
    undefined,
  );
  return most === undefined
    ? 'nothing is lost if it stops half-way'
    : `${money(most.lossMinor, plan.currency)} lost if it stops after ${most.afterStep}`;
}

function ruleWords(rule: Plan['gates'][number]['rule']): string {
  return rule.allOf.map((part) => `${part.count} of ${part.group}`).join(' and ');
}
