import { describe, expect, test } from '@jest/globals';
import { UsageError } from '../../config/errors.js';
import { loadConfig, type Config } from '../../config/load.js';
import { trustOf } from '../../config/trust.js';

const [ONE, TWO] = ['A'.repeat(43), 'B'.repeat(43)];

const configOf = (mode: Config['mode'], rootKeys: string): Config => ({
  ...loadConfig({ env: { HOME: '/h', COUNTERSIGN_ROOT_KEYS: rootKeys }, cwd: '/', args: {} }),
  mode,
});

describe('in production', () => {
  test('two pinned root keys are trusted', () => {
    expect(trustOf(configOf('production', `${ONE},${TWO}`)).rootKeys).toEqual([ONE, TWO]);
  });

  test.each([
    ['none', '', 'names 0'],
    ['one', ONE, 'names 1'],
    ['one twice', `${ONE},${ONE}`, 'names 1'],
    ['what is no fingerprint', `${ONE},short`, '"short", which is no fingerprint'],
  ])('%s of them is an error of the configuration that says what to do', (_, keys, what) => {
    const refused = (): unknown => trustOf(configOf('production', keys));
    expect(refused).toThrow(UsageError);
    expect(refused).toThrow(what);
    expect(refused).toThrow('countersign keys new');
  });
});

test('on one’s own machine no root is pinned', () => {
  expect(trustOf(configOf('embedded', `${ONE},${TWO}`)).rootKeys).toEqual([]);
});
