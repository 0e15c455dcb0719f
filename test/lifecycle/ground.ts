import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { pino } from 'pino';
import { quoteReaders } from '../../activities/quote-readers.js';
import { stepEffects } from '../../activities/step-effects.js';
import { eventually } from '../../cli/demo/stage.js';
import { visit } from '../../cli/demo/verdict.js';
import { loadKeyFile, newKeyFile, type SigningKey } from '../../client/keys.js';
import type { RunHandle } from '../../client/run-handle.js';
import { parseInstance } from '../../domain/ids.js';
import type { RunState } from '../../domain/plan.js';
import type { Policy } from '../../domain/policy/schema.js';
import { createParts } from '../../gateway/create-gateway.js';
import { createDoor } from '../../gateway/door.js';
import { createEgress } from '../../gateway/egress.js';
import { openGates } from '../../store/inbox.js';
import { addKey, addPerson } from '../../store/people.js';
import { gatewaySettings } from '../../workers/settings.js';
import { startSweeper } from '../../workers/sweeper.js';
import { callCli, type Outcome } from '../cli/run-in-process.js';
import { openTestStage, PATIENCE_MS, ROOMY, type TestStage } from '../helpers/stage.js';

const PASSPHRASE = 'tide and barnacle 7';
const WORKER = 'export default { fetch: (request, env) => env.ASSETS.fetch(request) };\n';

/** A whole stack, and people at terminals of their own who use nothing but the command line. */
export interface Ground {
  readonly stage: TestStage;
  readonly temporal: Client;
  /** One call of the command line; `typed` is what the person at the terminal types, the passphrase last. */
  cli(args: readonly string[], typed?: readonly string[]): Promise<Outcome>;
  /** A verb signed by one of the persons, who types the passphrase. */
  signed(person: Person, args: readonly string[]): Promise<Outcome>;
  /** Writes request and site, and starts the run as a customer would. */
  provision(of: Asked): Promise<RunHandle>;
  /** Waits for the gate, then ada approves it at her terminal. */
  approve(handle: RunHandle, gate: string): Promise<Outcome>;
  keyOf(person: Person): Promise<SigningKey>;
  /** What a visitor gets under the name. */
  page(domain: string): Promise<string>;
  /** Has a worker sweep at once, by starting it anew. */
  sweep(): Promise<void>;
  /** One whole sweep by the worker's own parts, in this process; answers what it logs when it finds something. */
  sweepHere(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** ada approves; owner answers for the agent, and may approve for others; nobody is in no group. */
export const PERSONS = ['ada', 'owner', 'nobody'] as const;
export type Person = (typeof PERSONS)[number];

export interface Asked {
  readonly runId: string;
  readonly domain: string;
  /** What the start page says. */
  readonly page: string;
  readonly principal: string;
  readonly environment?: string;
  readonly account?: string;
  readonly txt?: readonly string[];
  /** Where the page lies; absent: as the start page. */
  readonly file?: string;
  /** Another program than the one that serves the files. */
  readonly worker?: string;
}

export async function openGround(
  options: Parameters<typeof openTestStage>[0] = {},
  policy: Partial<Policy> = {},
): Promise<Ground> {
  const stage = await openTestStage(options);
  await stage.policy({ ...ROOMY, ...policy });
  const folder = mkdtempSync(path.join(tmpdir(), 'countersign-lifecycle-'));
  const connection = await Connection.connect({ address: stage.stack.endpoints.temporalAddress });
  await enrol(stage, folder);
  const cli: Ground['cli'] = (args, typed) =>
    callCli([...args, '--data', stage.stack.dataDir], {
      cwd: folder,
      variables: { HOME: folder, PATH: process.env['PATH'] ?? '' },
      ...(typed === undefined ? {} : { typed }),
    });
  const signed: Ground['signed'] = (person, args) =>
    cli([...args, '--key', `${person}.json`], [PASSPHRASE]);
  return {
    stage,
    temporal: new Client({ connection }),
    cli,
    signed,
    provision: async (of) => {
      write(folder, of);
      const { exitCode, err } = await cli(['provision', `${of.runId}.yaml`, '--run-id', of.runId]);
      if (exitCode !== 0) throw new Error(`provision ${of.runId}: ${err}`);
      return stage.client.run(of.runId);
    },
    approve: async (handle, gate) => {
      await gateOpen(stage, handle, gate);
      const { typeToConfirm } = (await stage.gate(handle.runId, gate)).card;
      const words = typeToConfirm === undefined ? [] : [typeToConfirm];
      const args = ['approve', handle.runId, '--gate', gate, '--key', 'ada.json'];
      const outcome = await cli(args, [...words, PASSPHRASE]);
      if (outcome.exitCode !== 0) throw new Error(`approve ${handle.runId}: ${outcome.err}`);
      return outcome;
    },
    keyOf: (person) => loadKeyFile(path.join(folder, `${person}.json`), PASSPHRASE),
    page: async (domain) => {
      const { body, status } = await visit(stage.stack.endpoints.sandbox?.edgeUrl ?? '', domain);
      return `${status} ${body.toString('utf8').trim()}`;
    },
    sweep: () => sweep(stage),
    sweepHere: () => sweepHere(stage),
    close: async () => {
      await connection.close();
      await stage.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function enrol({ db }: TestStage, folder: string): Promise<void> {
  const groups = { ada: ['approvers'], owner: ['approvers'], nobody: [] };
  for (const person of PERSONS) {
    const key = await newKeyFile(path.join(folder, `${person}.json`), PASSPHRASE);
    await db.transaction().execute(async (tx) => {
      const personId = `p_${person}`;
      if (person === 'owner')
        await tx
          .updateTable('persons')
          .set({ groups: groups[person] })
          .where('person_id', '=', personId)
          .execute();
      else await addPerson(tx, { personId, name: person, groups: groups[person] });
      await addKey(tx, {
        keyId: key.keyId,
        personId,
        publicKey: key.publicKey,
        label: `${person}.json`,
        evidence: { how: 'enrolled by a test' },
      });
    });
  }
}

function write(folder: string, of: Asked): void {
  const site = path.join(folder, of.runId);
  mkdirSync(path.join(site, 'public'), { recursive: true });
  writeFileSync(path.join(site, 'worker.mjs'), of.worker ?? WORKER);
  writeFileSync(path.join(site, 'public', of.file ?? 'index.html'), `${of.page}\n`);
  const request = {
    goal: `Put the landing page online at ${of.domain}`,
    principal: of.principal,
    agent: 'launch-agent',
    environment: of.environment ?? 'staging',
    subscription: { plan: 'starter' },
    hosting: { plan: 'free', ...(of.account === undefined ? {} : { account: of.account }) },
    domain: { name: of.domain, years: 1 },
    dns: (of.txt ?? []).map((content) => ({ type: 'TXT', name: '@', content })),
    site: `./${of.runId}`,
    budget: '60.00 USD',
  };
  // JSON is YAML.
  writeFileSync(path.join(folder, `${of.runId}.yaml`), JSON.stringify(request));
}

async function gateOpen({ db }: TestStage, { runId }: RunHandle, gate: string): Promise<void> {
  await eventually(
    `the gate ${gate} of ${runId}`,
    async () => (await openGates(db, runId)).find((row) => row.gate === gate),
    PATIENCE_MS,
  );
}

/** Workers sweep when they start, so one that is started anew sweeps now and not within a minute. */
async function sweep({ stack }: TestStage): Promise<void> {
  const name = stack.names.find((one) => one === 'worker' || one === 'worker-compensations')!;
  const started = new Promise<void>((resolve) => {
    const onChild = (child: { readonly name: string; readonly kind: string }): void => {
      if (child.name !== name || child.kind !== 'ready') return;
      stack.events.off('child', onChild);
      resolve();
    };
    stack.events.on('child', onChild);
  });
  stack.kill(name, 'SIGKILL');
  await started;
}

async function sweepHere({ context, db, instance, stack }: TestStage): Promise<readonly string[]> {
  const { temporalAddress, namespace } = stack.endpoints;
  const settings = await gatewaySettings(context.config, 'compensations');
  const connection = await NativeConnection.connect({ address: temporalAddress });
  const logged: string[] = [];
  try {
    await startSweeper({
      parts: createParts({
        ...settings,
        db,
        door: createDoor(db),
        instance: parseInstance(instance),
        operations: stepEffects,
        readers: quoteReaders,
        egress: createEgress({}),
      }),
      connection,
      namespace,
      log: pino({}, { write: (line) => logged.push(line) }),
      everyMs: 3_600_000,
    })();
  } finally {
    await connection.close();
  }
  return logged;
}

/** A step and how it ended, for each step. */
export const outcomes = ({ steps }: RunState): Record<string, string> =>
  Object.fromEntries(steps.map(({ step, outcome }) => [step, outcome]));

/** Everything a person sees of one call. */
export const shown = ({ out, err, seen }: Outcome): string => `${seen}${out}${err}`;
