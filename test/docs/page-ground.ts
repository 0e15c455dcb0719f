import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from '@jest/globals';
import { drawBootstrapCode } from '../../cli/bootstrap-code.js';
import { prepareEmbedded } from '../../cli/prepare.js';
import { newKeyFile } from '../../client/keys.js';
import { databaseNow } from '../../store/clock.js';
import { connect, type Database } from '../../store/connect.js';
import { callCli, type Outcome } from '../cli/run-in-process.js';
import { freshDatabase } from '../helpers/database.js';

const PASSPHRASE = 'tide and barnacle 7';

/** Where the commands of a page are run: a folder, a database, and Ada, who is enrolled with `ada.json`. */
export interface PageGround {
  readonly folder: string;
  readonly db: Database;
  /** As a shell would take the line: words, and what stands in double quotes. */
  run(line: string): Promise<Outcome>;
  close(): Promise<void>;
}

export async function openPageGround(): Promise<PageGround> {
  const folder = mkdtempSync(path.join(tmpdir(), 'countersign-docs-'));
  const data = path.join(folder, 'data');
  mkdirSync(path.join(data, 'secrets'), { recursive: true, mode: 0o700 });
  const database = await freshDatabase();
  await prepareEmbedded({ ownerUrl: database.url, url: database.applicationUrl }, data);
  const db = connect(database.url, { max: 1 });
  const run: PageGround['run'] = (line) => {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(
      ([, quoted, word]) => quoted ?? word ?? '',
    );
    expect(words[0]).toBe('countersign');
    return callCli(words.slice(1), {
      cwd: folder,
      variables: {
        HOME: folder,
        COUNTERSIGN_DATA: data,
        COUNTERSIGN_DATABASE_URL: database.applicationUrl,
      },
      typed: [PASSPHRASE],
    });
  };
  await newKeyFile(path.join(folder, 'ada.json'), PASSPHRASE);
  const code = drawBootstrapCode(data, (await databaseNow(db)).getTime());
  expect(await run(`countersign keys enrol ada.json --name Ada --code ${code}`)).toMatchObject({
    exitCode: 0,
  });
  return {
    folder,
    db,
    run,
    close: async () => {
      await db.destroy();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
