import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { WORLD } from '../../cli/demo/stage.js';
import { readKeyFile } from '../../client/keys.js';
import type { RunHandle } from '../../client/run-handle.js';
import type { FaultRuleInput } from '../../sandbox/control-client.js';
import { addKey, addPerson } from '../../store/people.js';
import { callCli } from '../cli/run-in-process.js';
import { tables } from '../helpers/dump.js';
import { openTestStage, type TestStage } from '../helpers/stage.js';
import { heldIn, privateKeyIn, secretsOf, type Secrets } from './secrets.js';

const PASSPHRASE = 'plinth-canary-harvest-quill';

/** A stack with one more approver, whose key lies in a file behind a passphrase, and all that must stay secret. */
export interface Scene {
  readonly stage: TestStage;
  readonly secrets: Secrets;
  /** A provider that quotes what it was asked, for as long as said. */
  echo(...faults: Echo[]): Promise<void>;
  /** Approves by the command line, with the key file and its passphrase. */
  approve(handle: RunHandle, gate: string, typed?: readonly string[]): Promise<void>;
  /** Everything that is left for others to read, by the road on which it got there. */
  read(runIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  close(): Promise<void>;
}

export type Echo = Pick<
  FaultRuleInput,
  'provider' | 'method' | 'path' | 'nth' | 'times' | 'status'
>;

/** `principals`: ids of the runs to come, each of which has an address of its own. */
export async function openScene(principals: readonly string[], worker?: string): Promise<Scene> {
  const stage = await openTestStage(worker === undefined ? {} : { worker });
  const { dataDir, endpoints } = stage.stack;
  const folder = mkdtempSync(path.join(tmpdir(), 'countersign-canary-'));
  const connection = await Connection.connect({ address: endpoints.temporalAddress });
  let said = '';
  const call = async (args: readonly string[], typed?: readonly string[]): Promise<number> => {
    const outcome = await callCli(
      [...args, '--data', dataDir],
      typed === undefined ? {} : { typed },
    );
    said += `${outcome.out}\n${outcome.err}\n${outcome.seen}\n`;
    return outcome.exitCode;
  };
  const file = path.join(folder, 'key.json');
  await call(['keys', 'new', file], [PASSPHRASE, PASSPHRASE]);
  await enrol(stage, file);
  const secrets = new Map(await secretsOf(dataDir, stage.sandbox));
  secrets.set('approver’s private key', privateKeyIn(file, PASSPHRASE));
  secrets.set('approver’s passphrase', PASSPHRASE);
  principals.forEach((runId, at) => secrets.set(`e-mail ${at + 1}`, `${runId}@example.com`));
  // What no worker holds, for a worker without redaction to find: see leaky-worker.mjs.
  writeFileSync(
    path.join(dataDir, 'left-lying.txt'),
    [secrets.get('approver’s private key'), PASSPHRASE].join(' '),
    { mode: 0o600 },
  );
  return {
    stage,
    secrets,
    echo: async (...faults) => {
      await stage.sandbox.faults(WORLD, []);
      if (faults.length > 0)
        await stage.sandbox.faults(
          WORLD,
          faults.map((fault) => ({ ...fault, fault: 'echo' as const })),
        );
    },
    approve: async (handle, gate, typed = []) => {
      await stage.card(handle.runId, gate);
      const args = ['approve', handle.runId, '--gate', gate, '--key', file];
      const code = await call(args, [...typed, PASSPHRASE]);
      if (code !== 0) throw new Error(`approve ended with ${code}: ${said.slice(-2_000)}`);
    },
    read: async (runIds) => {
      for (const runId of runIds)
        for (const verb of ['show', 'why']) {
          await call([verb, runId]);
          await call([verb, runId, '--json']);
        }
      for (const verb of ['runs', 'inbox', 'ledger', 'cases', 'status', 'doctor', 'people']) {
        await call([verb]);
        await call([verb, '--json']);
      }
      const dumped = await tables(stage.db);
      return new Map([
        ['history', await histories(connection)],
        ...[...dumped].map(([name, text]) => [`table ${name}`, text] as const),
        ['log', logs(dataDir)],
        ['command line', `${said}\n${stage.said()}`],
      ]);
    },
    close: async () => {
      await connection.close();
      rmSync(folder, { recursive: true, force: true });
      await stage.close();
    },
  };
}

async function enrol({ db }: TestStage, file: string): Promise<void> {
  const { keyId, publicKey } = readKeyFile(file);
  await db.transaction().execute(async (tx) => {
    await addPerson(tx, { personId: 'p_canary', name: 'Canary', groups: ['approvers'] });
    await addKey(tx, {
      keyId,
      personId: 'p_canary',
      publicKey,
      label: 'canary',
      evidence: { how: 'by a test' },
    });
  });
}

/** Every history with its failures, details, memos and search attributes; bytes as base64. */
async function histories(connection: Connection): Promise<string> {
  const { workflow } = new Client({ connection });
  const texts: string[] = [];
  for await (const info of workflow.list()) {
    const handle = workflow.getHandle(info.workflowId, info.runId);
    const { raw, memo } = await handle.describe();
    texts.push(JSON.stringify([raw, memo, await handle.fetchHistory()]));
  }
  return texts.join('\n');
}

/** What every process has written, on either stream. */
function logs(dataDir: string): string {
  const folder = path.join(dataDir, 'logs');
  return readdirSync(folder)
    .map((name) => readFileSync(path.join(folder, name), 'utf8'))
    .join('\n');
}

/** Which secrets are found on which road; a road that holds none is left out. */
export function found(
  roads: ReadonlyMap<string, string>,
  secrets: Secrets,
): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    [...roads].flatMap(([road, text]) => {
      const held = heldIn(text, secrets);
      return held.length === 0 ? [] : [[road, held]];
    }),
  );
}
