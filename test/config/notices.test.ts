import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { loadConfig } from '../../config/load.js';
import type { Config } from '../../config/load.js';
import { noticeSecretFile, noticeSettings } from '../../workers/notice-settings.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'notices-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function loaded(text: string): Config {
  const file = path.join(folder, 'countersign.config.yaml');
  writeFileSync(file, text);
  return loadConfig({
    env: { HOME: folder },
    cwd: folder,
    args: { config: file, data: path.join(folder, 'data') },
  });
}

test('in embedded mode the key of a place is made when it is first needed, for its owner alone', () => {
  const { secretOf } = noticeSettings(loaded('mode: embedded\n'));
  const first = secretOf('opsKey', 'sign');
  expect(first?.length).toBeGreaterThanOrEqual(32);
  expect(secretOf('opsKey', 'sign')).toBe(first);
  const file = noticeSecretFile(path.join(folder, 'data'), 'opsKey', 'sign');
  expect([readFileSync(file, 'utf8').trim(), statSync(file).mode & 0o777]).toEqual([first, 0o600]);
  // The rest of an address is nothing that could be drawn.
  expect(secretOf('chat', 'path')).toBeUndefined();
});

test('in production a key is a file that somebody wrote, long enough, and closed to others', () => {
  const { secretOf } = noticeSettings(
    loaded('mode: production\nnotices:\n  secrets: { opsKey: ops.key }\n'),
  );
  expect(secretOf('opsKey', 'sign')).toBeUndefined();
  expect(secretOf('other', 'sign')).toBeUndefined();
  const file = path.join(folder, 'ops.key');
  writeFileSync(file, 'x'.repeat(31), { mode: 0o600 });
  expect(secretOf('opsKey', 'sign')).toBeUndefined();
  writeFileSync(file, `${'x'.repeat(32)}\n`);
  expect(secretOf('opsKey', 'sign')).toBe('x'.repeat(32));
  chmodSync(file, 0o644);
  expect(secretOf('opsKey', 'sign')).toBeUndefined();
});

test.each([
  [
    'mode: production\nnotices: { embeddedReceiver: "http://127.0.0.1:9" }\n',
    'embedded mode alone',
  ],
  ['notices: { embeddedReceiver: "http://10.0.0.1:9" }\n', 'expected http://127.0.0.1:PORT'],
  ['notices: { publicUrl: "ftp://x" }\n', 'expected http:// or https:// and a host'],
  ['notices: { url: "https://x" }\n', 'Known here: secrets, publicUrl, ports, embeddedReceiver'],
])('%j is refused', (text, why) => {
  expect(() => loaded(text)).toThrow(why);
});
