import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const page = read('docs/guarantees.md');

test('each test that the guarantees name exists under its title', () => {
  const rows = [...page.matchAll(/`(test\/[a-z0-9/-]+\.test\.ts)`: ([^|\n]+?) \|/g)];
  expect(rows.length).toBeGreaterThan(30);
  const missing = rows.filter(([, file = '', title = '']) => {
    if (!existsSync(join(root, file))) return true;
    return !read(file).replaceAll("\\'", "'").includes(title);
  });
  expect(missing.map(([, file, title]) => `${file ?? ''}: ${title ?? ''}`)).toEqual([]);
});

test('no guard of the database is missing from the guarantees', () => {
  const guards = readdirSync(join(root, 'store/door-sql')).flatMap((file) =>
    [...read(`store/door-sql/${file}`).matchAll(/guard:([a-z0-9-]+) else/g)].map(
      ([, name]) => name ?? '',
    ),
  );
  expect(guards.length).toBeGreaterThan(30);
  expect([...new Set(guards)].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
