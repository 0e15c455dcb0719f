/**
 * Verbs whose work needs Temporal's packages, with what the overview says of them. Their files load a second's worth
 * of code, so a program of their own does them and everything else starts without it.
 */
export const TEMPORAL_VERBS = {
  up: 'Runs everything on this machine until interrupted: Temporal, PostgreSQL, sandbox, workers',
  demo: 'Plays the stories of the README on a stack of its own, then ends',
  'provision <file>': 'Starts a run: quoted, planned, approved by people, carried out, verified',
  'teardown <run>': 'Starts the run that takes down what a completed run made, with plan and gates',
  runs: 'Lists runs, newest first',
  'show <run>': 'Shows where a run stands',
  'watch <run>': 'Follows a run until it ends or needs a person for good',
  'why <run>': 'Says what a run waits for, of whom, and the exact next command',
  'approve <run>': 'Shows the card of an open gate and signs an approval',
  'reject <run>': 'Rejects what an open gate asks, with a reason',
  'break-glass <run>':
    'Passes an open gate alone, as the policy allows one person; reviewed by another',
  stop: 'The off switch: no new effect from now on; runs unwind, or hold still with --hold',
  resume: 'Lifts a stop, or lets a held run go on; signed',
  'resolve <run>': 'The way on for a stuck run; signed',
  status: 'Says what runs where, and how much is going on',
  doctor: 'Checks everything a run leans on, and names what mends it',
} as const;

export type TemporalVerb = keyof typeof TEMPORAL_VERBS;
