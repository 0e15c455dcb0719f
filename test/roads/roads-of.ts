import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createActivities } from '../../activities/index.js';
import type { Gateway } from '../../gateway/contract.js';
import { ROUTES } from '../../server/routes.js';
import { CALLS } from '../../store/roles.js';
import * as messages from '../../workflows/messages.js';

/** Ways on which the decision of a person may arrive without Temporal. */
export const DECISION_ROADS = ['gateway', 'cli', 'http', 'sql'] as const;
export type DirectRoad = (typeof DECISION_ROADS)[number];

/** The same through Temporal: to a run’s own workflow, to a repair that somebody has started, by an activity. */
export const TEMPORAL_DECISION_ROADS = [
  'provision: signal decide',
  'provision: update decide',
  'teardown: signal decide',
  'teardown: update decide',
  'repair: signal decide',
  'repair: update decide',
  'recordDecision',
] as const;
export type TemporalRoad = (typeof TEMPORAL_DECISION_ROADS)[number];
export type RoadName = DirectRoad | TemporalRoad;

/** Ways on which a signed order may arrive: the way on for a stuck run, the lifting of a stop. */
export const ORDER_ROADS = ['resolve', 'resume', 'ordered-repair', 'lift'] as const;
export type OrderRoad = (typeof ORDER_ROADS)[number];

/** The same through Temporal, and which order each of them takes. */
export const TEMPORAL_ORDER_ROADS = {
  'provision: signal resolve': 'resolve',
  'repair: signal resolve': 'resolve',
  resolveStep: 'resolve',
  'provision: signal resume': 'resume',
  'teardown: signal resume': 'resume',
  resumeRun: 'resume',
} as const satisfies Readonly<Record<string, OrderRoad>>;
export type TemporalOrderRoad = keyof typeof TEMPORAL_ORDER_ROADS;

/** Straight at a function of the database, as the role of our processes. */
export const SQL_ROADS = [
  'door_authorize',
  'door_claim',
  'door_authorize_undo',
  'door_close',
  'door_close_row',
  'door_mark_closing',
  'door_complete',
  'door_finish',
  'door_resume',
] as const;

/** Straight at the gateway, as whoever reaches it, with no decision at all. */
export const CALL_ROADS = [
  'perform',
  'reverse',
  'closeDoor',
  'complete',
  'finish',
  'admit',
] as const;

/** Rows of table.test.ts, of temporal-table.test.ts, of another file, or no authority at all and why. */
type Where =
  | { readonly rows: string }
  | { readonly temporal: string }
  | { readonly file: string }
  | { readonly none: string };
const rows = (road: string): Where => ({ rows: road });
const temporal = (...names: readonly string[]): Record<string, Where> =>
  Object.fromEntries(names.map((name) => [name, { temporal: name }]));
const file = (name: string): Where => ({ file: name });
const none = (why: string): Where => ({ none: why });
const all = (names: readonly string[], where: Where): Record<string, Where> =>
  Object.fromEntries(names.map((name) => [name, where]));

const READS = none('reads only');
const SAFE = none('the safe direction: it takes away and gives nothing');
const OUTCOME = none('says what came of a send that was authorized before; opens nothing');
const REGISTER = file('test/gateway/register.test.ts');

/** Where the rows of every road of the product are. A road that is not named here fails the test. */
export const COVERED: Readonly<Record<string, Readonly<Record<string, Where>>>> = {
  messages: {
    ...temporal(...TEMPORAL_DECISION_ROADS.filter((road) => road.includes(': '))),
    ...temporal(...Object.keys(TEMPORAL_ORDER_ROADS).filter((road) => road.includes(': '))),
    'teardown: signal resolve': none('the same code; nothing of a teardown is taken back'),
    'repair: signal resume': none('a repair is never held: nobody takes such a word up'),
    ...all(['provision: signal stop', 'teardown: signal stop', 'repair: signal stop'], SAFE),
    ...all(['provision: query state', 'teardown: query state', 'repair: query state'], READS),
  },
  workflows: temporal('provision', 'teardown', 'repair'),
  activities: {
    ...temporal('recordDecision', 'resolveStep', 'resumeRun'),
    ...temporal('admit', 'completeRun', 'closeDoor', 'finishRun'),
    ...temporal('createCustomer', 'linkAccount', 'startSubscription', 'registerDomain'),
    ...temporal('configureDns', 'deploySite', 'attachDomain'),
    ...temporal('tearDownDomain', 'tearDownSite', 'tearDownDns'),
    ...temporal('tearDownRegistration', 'tearDownSubscription', 'tearDownCustomer'),
    ...temporal('deleteCustomer', 'releaseAccount', 'cancelSubscription'),
    ...temporal('disableAutoRenew', 'removeDnsRecords', 'restoreSite', 'detachDomain'),
    ...all(['planRun', 'openGate'], none('asks people; grants nothing')),
    ...all(['gateStatus', 'readiness', 'verifySite', 'reportRun'], READS),
    ...all(['recordFailure', 'stopRun'], SAFE),
  },
  gateway: {
    recordDecision: rows('gateway'),
    resolve: rows('resolve'),
    resume: rows('resume'),
    ...Object.fromEntries(CALL_ROADS.map((name) => [name, rows(name)])),
    ...all(['plan', 'openGate'], none('asks people; grants nothing')),
    ...all(['gateStatus', 'readiness', 'verify', 'report'], READS),
    ...all(['stopRun', 'recordFailure'], SAFE),
    stray: none('refuses, always'),
  },
  verbs: {
    'approve <run>': rows('cli'),
    'reject <run>': rows('cli'),
    'withdraw <run>': rows('cli'),
    'break-glass: break-glass <run>': file('test/gateway/break-glass.test.ts'),
    'resolve <run>': rows('ordered-repair'),
    resume: rows('lift'),
    'policy: activate <file>': file('test/gateway/activate-policy.test.ts'),
    'cases: close <id>': file('test/gateway/close-case.test.ts'),
    'register: approve <enrolment>': file('test/gateway/approver-keys.test.ts'),
    'register: revoke <keyId>': file('test/gateway/revoke-key.test.ts'),
    ...all(['agents: add <id>', 'agents: resume <id>'], REGISTER),
    ...all(['agents: own <id>', 'agents: rotate <id>', 'delegations: add'], REGISTER),
    ...all(['people: add <person>', 'people: reactivate <person>'], REGISTER),
    'people: link <person>': REGISTER,
    ...all(['agents: on <id>', 'agents-allow: allow <id>'], REGISTER),
    ...all(['services: link <id>', 'services: new <id>'], REGISTER),
  },
  routes: {
    'POST /api/v1/runs/:run/decisions': rows('http'),
    'POST /api/v1/runs': file('test/server/server.test.ts'),
    ...all(
      ['POST /api/v1/keys', 'POST /api/v1/keys/:enrolment/approvals'],
      file('test/server/passkey.test.ts'),
    ),
    'POST /api/v1/bundles': none('stores bytes under their digest; a gate names the digest'),
    'POST /api/v1/runs/:run/stop': SAFE,
    'POST /api/v1/stops': SAFE,
    'POST /webhooks/stripe': none('wakes a reader; what it says is never believed'),
  },
  calls: {
    ...Object.fromEntries(SQL_ROADS.map((name) => [name, rows(name)])),
    ...all(['door_settle', 'door_settled', 'door_fail_absent'], OUTCOME),
    ...all(['door_start_read', 'door_record_read', 'finding_seen', 'findings_gone'], OUTCOME),
    ...all(['commitment_seen_ended', 'dispute_read', 'refund_failed'], OUTCOME),
    ...all(['door_rows', 'door_drained', 'door_layers', 'door_enter', 'token_due'], READS),
    ...all(['renewals_that_fit', 'effects_held', 'door_still', 'token_still'], READS),
    ...all(['door_stop', 'token_revoked', 'tokens_end'], SAFE),
    ...all(['calls_note', 'calls_take'], none('how often a provider is called; opens nothing')),
    ...all(['anomaly_add', 'log_append', 'log_refusal', 'notice_add', 'open_case'], SAFE),
    ...all(['reserve_plan', 'hold_plan', 'month_begins', 'capture_renewal'], SAFE),
    ...all(['token_mint', 'token_minted'], file('test/tokens/token-door.test.ts')),
    pause_begin: file('test/gateway/pauses.test.ts'),
    pause_settle: OUTCOME,
    pause_still: READS,
  },
};

/** The roads that the product itself lists, by where it lists them. */
export function productRoads(gateway: Gateway): Readonly<Record<string, readonly string[]>> {
  return {
    messages: Object.values(messages.WORKFLOWS).flatMap((workflow) =>
      Object.values(messages).flatMap((one) =>
        typeof one === 'object' && 'type' in one && 'name' in one
          ? [`${workflow}: ${one.type} ${one.name}`]
          : [],
      ),
    ),
    workflows: Object.values(messages.WORKFLOWS),
    activities: Object.keys(createActivities({ gateway })),
    gateway: Object.keys(gateway),
    verbs: signingVerbs(),
    routes: ROUTES.filter(({ method }) => method === 'POST').map(
      ({ method, path: route }) => `${method} ${route}`,
    ),
    calls: [...new Set(CALLS.gateway)],
  };
}

const VERBS = path.resolve(import.meta.dirname, '../../cli/verbs');

/** Verbs of the command line that take a key to sign with, by their source: group and usage. */
function signingVerbs(): readonly string[] {
  return readdirSync(VERBS).flatMap((name) => {
    const [, ...added] = readFileSync(path.join(VERBS, name), 'utf8').split(/\.(?:add|group)\(/);
    return added.flatMap((text) => {
      const [, usage = ''] = /^\s*'([^']+)'/.exec(text) ?? [];
      const signs = (text.split('.action(')[0] ?? '').includes(`'--key <`);
      const group = name.replace('.ts', '');
      if (!signs) return [];
      return [/^(?:decide|signed|withdraw)$/.test(group) ? usage : `${group}: ${usage}`];
    });
  });
}
