import { expect, test } from '@jest/globals';
import { Command } from 'commander';
import { callCli, programForHelp } from './run-in-process.js';

const VERBS = (
  'up, demo, provision FILE, runs, show RUN, watch RUN, why RUN, inbox, approve RUN, reject RUN, withdraw RUN, stop, resume, resolve RUN, teardown RUN, ' +
  'plan FILE, ledger, cases list, cases show ID, cases close ID, reconcile, status, doctor, keys new FILE, keys enrol FILE, keys revoke KEYID, keys list, keys approve ENROLMENT, people list, people show PERSON, people add PERSON, people deactivate PERSON, people reactivate PERSON, people link PERSON, people unlink PERSON, ' +
  'agents list, agents show ID, agents suspend ID, agents remove ID, agents resume ID, agents own ID, agents rotate ID, delegations list, delegations add, delegations revoke ID, ' +
  'agents add ID, agents allow ID, agents off ID, agents on ID, break-glass RUN, principals list, principals add EMAIL, principals erase PRINCIPAL, services new ID, services link ID, services unlink ID, services list, services revoke KEYID, login, logout, whoami, ' +
  'policy check FILE, policy explain FILE, policy diff OLD NEW, policy activate FILE, policy show, policy history, policy at DATE, worker, sandbox, server, migrate, pretend DOING MEMBERS'
).split(', ');

const program = programForHelp();

/** All commands that do something, by their path. */
function leaves(command: Command, path: readonly string[] = []): [string[], Command][] {
  return command.commands.flatMap((child) => {
    const here = [...path, child.name()];
    return child.commands.length > 0 ? leaves(child, here) : [[here, child] as [string[], Command]];
  });
}

const found = leaves(program);

test('there is every verb that scripts rely on', () => {
  const usages = found.map(([path, command]) =>
    [...path, ...command.registeredArguments.map((arg) => arg.name().toUpperCase())].join(' '),
  );
  expect(usages.sort()).toEqual([...VERBS].sort());
});

test('the overview reads as it should', async () => {
  const { out, exitCode } = await callCli(['--help']);
  expect(exitCode).toBe(0);
  expect(out).toMatchSnapshot();
});

test.each(found.map(([path, command]) => [path.join(' '), path, command] as const))(
  'the help of %s has an example that its own parser takes',
  async (name, path, command) => {
    const { out, err, exitCode } = await callCli([...path, '--help']);
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    expect(out).toContain(`\nExample:\n`);
    expect(out).toContain('--json');
    expect(out).toMatchSnapshot(name);
    for (const line of examplesOf(out)) {
      const known = command.options.flatMap(({ long }) => (long === undefined ? [] : [long]));
      const used = line.match(/(?<= )--[a-z-]+/g) ?? [];
      expect(used.filter((flag) => !known.includes(flag))).toEqual([]);
      expect(line).toContain(`countersign ${name}`);
    }
  },
);

function examplesOf(help: string): string[] {
  return (help.split('\nExample:\n')[1] ?? '').split('\n').filter((line) => line.trim() !== '');
}

test('nothing asked for: the help, and exit code 2', async () => {
  const { err, out, exitCode } = await callCli([]);
  expect(exitCode).toBe(2);
  expect(out).toBe('');
  expect(err).toContain('Usage: countersign');
});
