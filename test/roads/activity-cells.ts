import { EFFECT_STEPS, type EffectStep } from '../../domain/steps.js';
import { TASK_QUEUES } from '../../workflows/messages.js';
import type { GateSeen } from './defects.js';
import { ACTIVITIES, TEARDOWNS } from './remote-gateway.js';
import type { TableHouse } from './table-house.js';

/** The runs that the activities are asked about. */
export interface Runs {
  readonly table: TableHouse;
  /** A teardown that waits at its gate. */
  readonly teardown: GateSeen;
  /** It has paid, and the gate over its domain lacks a person. */
  readonly paid: GateSeen;
}

/** A run in a state in which the activities of its steps are refused. */
interface State {
  readonly name: string;
  readonly run: (runs: Runs) => Pick<GateSeen, 'runId'>;
  /** Why a step may not be done. */
  readonly forward: string;
  /** The steps that are refused for that; others are missing what a former one makes. All, where none are named. */
  readonly steps?: readonly EffectStep[];
  /** Steps that are nothing to be refused, and why. */
  readonly not?: readonly [steps: readonly EffectStep[], why: string];
  /** Why no step may be taken back; nothing where taking it back is what is asked for. */
  readonly backward?: string;
}

/** They take nothing from a step before them. */
const BEGIN = ['create-customer', 'link-account'] as const;
const PAID = [...BEGIN, 'start-subscription'] as const;
/** All that the runs of the table plan. */
const MADE = EFFECT_STEPS.filter((step) => step !== 'configure-dns');
const TORN = MADE.filter((step) => step !== 'link-account');
const LATER = 'OUT_OF_ORDER';
const ON_RECORD = 'what is on record is answered again, and nothing is done';
const ASKED_FOR = 'its door is closed with a cause on record: taking it back is what is asked for';

const STATES: readonly State[] = [
  {
    name: 'a run whose gate lacks a person',
    run: ({ table }) => table.places.open,
    ...{ forward: 'gate-open', steps: BEGIN, backward: 'NO_CAUSE' },
  },
  {
    name: 'a run whose gate was rejected',
    run: ({ table }) => table.places.rejected,
    ...{ forward: 'gate-rejected', steps: BEGIN, backward: 'NO_CAUSE' },
  },
  {
    name: 'a run whose gate has expired',
    run: ({ table }) => table.places.expired,
    ...{ forward: 'gate-expired', steps: BEGIN, backward: 'NO_CAUSE' },
  },
  {
    name: 'a run whose gate is void',
    run: ({ table }) => table.places.void,
    ...{ forward: 'gate-void', steps: BEGIN, backward: 'NO_CAUSE' },
  },
  {
    name: 'a run whose plan is granted',
    run: ({ table }) => table.grantedGate,
    not: [['create-customer'], 'it is what was granted: nothing is wrong with it'],
    ...{ forward: LATER, backward: 'NO_CAUSE' },
  },
  {
    name: 'a run that has paid, and the gate over its domain lacks a person',
    run: ({ paid }) => paid,
    not: [PAID, ON_RECORD],
    ...{ forward: 'gate-open', steps: ['register-domain'], backward: 'NO_CAUSE' },
  },
  {
    name: 'a run that is stopped',
    run: ({ table }) => table.stoppedGate,
    ...{ forward: 'FENCED', steps: BEGIN, backward: 'NO_CAUSE' },
  },
  {
    name: 'a run whose door is closed',
    run: ({ table }) => table.closedGate,
    ...{ forward: 'DOOR_CLOSED', steps: BEGIN },
  },
  {
    name: 'a run that has completed',
    run: ({ table }) => table.completedGate,
    not: [MADE, ON_RECORD],
    ...{ forward: LATER, backward: 'NO_CAUSE' },
  },
  {
    name: 'a teardown whose gate lacks a person',
    run: ({ teardown }) => teardown,
    ...{ forward: 'gate-open', steps: TORN, backward: 'NO_CAUSE' },
  },
  {
    name: 'a run that was never admitted',
    run: () => ({ runId: 'table-nowhere' }),
    ...{ forward: 'RUN_UNKNOWN', backward: 'RUN_UNKNOWN' },
  },
  {
    name: 'a run id that is none',
    run: () => ({ runId: '../table-1' }),
    ...{ forward: 'REQUEST_INVALID', backward: 'REQUEST_INVALID' },
  },
];

/** One activity asked about one run: why it has to refuse. */
export interface ActivityCell {
  /** The queue on which the saga has it done. */
  readonly queue: string;
  readonly run: State['run'];
  readonly reason: string;
}
type Row = readonly [activity: string, state: string, cell: ActivityCell];
/** What is no cell, and why. */
export type LeftOut = readonly [road: string, defect: string, why: string];

/** Each activity of each step, forward, backward and of a teardown, asked about runs that it may not touch. */
export function activityCells(): {
  readonly cells: readonly Row[];
  readonly left: readonly LeftOut[];
} {
  const cells: Row[] = [];
  const left: LeftOut[] = [];
  const { actions, compensations } = TASK_QUEUES;
  for (const step of EFFECT_STEPS)
    for (const { backward, forward, name, not, run, steps } of STATES) {
      const [act, undo] = ACTIVITIES[step];
      const down = TEARDOWNS[step];
      const [nothing, why] = not ?? [[], ''];
      const reason = steps?.includes(step) === false ? LATER : forward;
      for (const activity of [act, ...(down === undefined ? [] : [down])])
        if (nothing.includes(step)) left.push([activity, name, why]);
        else cells.push([activity, name, { queue: actions, run, reason }]);
      if (backward === undefined) left.push([undo, name, ASKED_FOR]);
      else cells.push([undo, name, { queue: compensations, run, reason: backward }]);
    }
  // Each worker knows every activity: the queue gives nothing.
  const other = ({ queue }: ActivityCell): string => (queue === actions ? compensations : actions);
  const [one] = STATES;
  for (const [activity, name, cell] of cells.filter(([, state]) => state === one?.name))
    cells.push([activity, `${name}, on the other queue`, { ...cell, queue: other(cell) }]);
  return { cells, left };
}
