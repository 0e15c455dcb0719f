import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { packSite } from '../../client/bundle.js';
import { bundleFiles, bundleSize } from '../../store/bundle-files.js';
import { storeBundle } from '../../store/bundle-writes.js';
import { connect, type Database } from '../../store/connect.js';
import { sqlState, STATES } from '../../store/failures.js';
import { migrate } from '../../store/migrate.js';
import { freshDatabase, type FreshDatabase } from '../helpers/database.js';
import { asOwner } from './as-owner.js';

const site = packSite('examples/superseal/site');
let fresh: FreshDatabase;
let db: Database;

beforeAll(async () => {
  fresh = await freshDatabase();
  await migrate(fresh.url, { mode: 'embedded' });
  db = connect(fresh.url, { max: 2 });
  await storeBundle(db, site);
});
afterAll(async () => {
  await db.destroy();
  await fresh.drop();
});

test('a bundle comes back as it was stored, and its size is what its manifest says', async () => {
  const files = await bundleFiles(db, site.digest);
  expect(files.map(({ path }) => path)).toEqual(site.files.map(({ path }) => path));
  expect(await bundleSize(db, site.digest)).toEqual({
    files: site.files.length,
    bytes: site.files.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
  });
  expect(await storeBundle(db, site)).toBe(false);
  const unknown = `sha256:${'f'.repeat(64)}`;
  expect(await bundleFiles(db, unknown)).toEqual([]);
  expect(await bundleSize(db, unknown)).toBeUndefined();
});

test('a bundle under a digest that is not its own is not stored', async () => {
  const digest = `sha256:${'e'.repeat(64)}`;
  await expect(storeBundle(db, { ...site, digest })).rejects.toMatchObject({
    code: 'BUNDLE_DAMAGED',
  });
  const [first, ...rest] = site.files;
  const files = [{ ...first!, bytes: Buffer.from('other bytes') }, ...rest];
  await expect(storeBundle(db, { digest: site.digest, files })).rejects.toMatchObject({
    code: 'BUNDLE_DAMAGED',
  });
  expect(await bundleSize(db, digest)).toBeUndefined();
});

test.each(['bundles', 'bundle_files'])('what is in %s is written once', async (table) => {
  for (const statement of [
    `update ${table} set digest = digest`,
    `delete from ${table}`,
    `truncate ${table} cascade`,
  ]) {
    const error: unknown = await sql
      .raw(statement)
      .execute(db)
      .catch((caught: unknown) => caught);
    expect(sqlState(error)).toBe(STATES.forbidden);
  }
});

test.each([
  ['a changed byte', `update bundle_files set content = 'x' where path = 'public/index.html'`],
  [
    'a changed byte with its own hash',
    `update bundle_files set content = 'x', sha256 = encode(sha256('x'), 'hex')
      where path = 'public/index.html'`,
  ],
  ['a missing file', `delete from bundle_files where path = 'public/index.html'`],
  [
    'a file too many',
    `insert into bundle_files (digest, path, sha256, content)
      select digest, 'public/more.txt', sha256, content from bundle_files
       where path = 'public/index.html'`,
  ],
  [
    'another name',
    `update bundle_files set path = 'public/a.html' where path = 'public/index.html'`,
  ],
  ['no files at all', `delete from bundle_files`],
])('%s in the store is never read as the approved site', async (_, statement) => {
  await asOwner(db, ['bundle_files'], statement);
  await expect(bundleFiles(db, site.digest)).rejects.toMatchObject({ code: 'BUNDLE_DAMAGED' });
  await asOwner(db, ['bundle_files', 'bundles'], 'delete from bundle_files; delete from bundles');
  await storeBundle(db, site);
});

test('a size on a card is never one that somebody wrote beside the manifest', async () => {
  await asOwner(db, ['bundles'], 'update bundles set files = 1, bytes = 1');
  expect(await bundleSize(db, site.digest)).toMatchObject({ files: site.files.length });
  await asOwner(db, ['bundles'], `update bundles set manifest = '{"files":[]}'`);
  await expect(bundleSize(db, site.digest)).rejects.toMatchObject({ code: 'BUNDLE_DAMAGED' });
});
