import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { isNoticeKind, NOTICE_KINDS, NOTICE_TITLES } from '../../domain/notices.js';

const ROOT = resolve(import.meta.dirname, '../..');
/** Where notices are written, from TypeScript (whose kinds the compiler checks too) and from SQL (whose nobody else does). */
const FOLDERS = ['store', 'gateway', 'server', 'activities', 'workers', 'cli'];

const sources = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(ROOT, folder, file), 'utf8')),
);
const written = sources.flatMap((text) =>
  [...text.matchAll(/addNotice\(\w+, \{\s*kind: '([^']+)'|notice_add\('([^']+)'/g)].map(
    ([, typed, inSql]) => typed ?? inSql ?? '',
  ),
);

test('every kind of notice that anything writes has a title, so that a policy may name it', () => {
  expect(new Set(written).size).toBeGreaterThan(10);
  expect(written).toEqual(expect.arrayContaining(['cap-alert', 'anomaly', 'key-revoked']));
  expect(written.filter((kind) => !isNoticeKind(kind))).toEqual([]);
});

test('titles are short, plain and of one thing each', () => {
  const titles = Object.values(NOTICE_TITLES);
  expect(new Set(titles).size).toBe(NOTICE_KINDS.length);
  for (const title of titles) expect(title).toMatch(/^[A-Z][A-Za-z ,:’']{8,60}$/);
});
