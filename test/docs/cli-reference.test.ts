import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { callCli, programForHelp } from '../cli/run-in-process.js';

const PAGE = fileURLToPath(new URL('../../docs/reference/cli.md', import.meta.url));

const HEAD = `# The command line

Made from the program's own help: \`WRITE_DOCS=1 npm test -- test/docs\` writes it anew, and a test compares it.

From a checkout: \`npm run -s countersign -- VERB\`.

| exit code | means |
|---|---|
| 0 | done |
| 1 | it ran, and ended otherwise than asked: denied, rejected, reversed, unconfirmed |
| 2 | the call or a file is wrong; nothing was done |
| 3 | something it needs cannot be reached; nothing was done |

Each verb takes \`--json\` (one JSON document on stdout and nothing else; a failure is \`{"error": {code, message, exitCode}}\`) and
\`--data FOLDER\` (the data folder of the stack, or \`COUNTERSIGN_DATA\`). Progress and the one message of a failure go to stderr. A
passphrase is asked for on the terminal alone.
`;

function leaves(command: Command, path: readonly string[] = []): string[][] {
  return command.commands.flatMap((child) => {
    const here = [...path, child.name()];
    return child.commands.length > 0 ? leaves(child, here) : [here];
  });
}

/** The help of one verb without what every verb has. */
function particular(help: string): string {
  return help
    .replace(/\nCommon options:\n(?: {2}.*\n)+/, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

async function page(): Promise<string> {
  const program = programForHelp();
  const sections: string[] = [];
  for (const path of leaves(program)) {
    const { out } = await callCli([...path, '--help']);
    sections.push(`## ${path.join(' ')}\n\n\`\`\`text\n${particular(out)}\n\`\`\`\n`);
  }
  return [HEAD, ...sections].join('\n');
}

test('the reference of the command line is the help of every verb', async () => {
  const text = await page();
  if (process.env['WRITE_DOCS'] === '1') writeFileSync(PAGE, text);
  expect(readFileSync(PAGE, 'utf8')).toBe(text);
});
