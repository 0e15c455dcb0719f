import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { CASE_KINDS, proposalOf } from '../../domain/cases.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = path.join(ROOT, 'docs/cases.md');
const FOLDERS = ['activities', 'cli', 'gateway', 'server', 'store', 'workers'];

const HEAD = `# Cases

A case is something that a person has to look at: it is opened in the transaction in which the thing is found, with a notice of
the kind \`case-opened\` (case number, kind, severity), and stays until it is looked after.

\`countersign cases\` lists the open ones with a proposed way out and the exact next command; \`cases show ID\` shows one whole;
\`cases close ID --reason "what was done" --key FILE\` closes it. Closing is a statement (\`countersign.close-case.v1\`) signed by
a person of the register whom the policy asks at gates, recorded with its reason; whoever a case is about does not close it. What
a case says never changes, and none is deleted.

\`urgent\`: money or a name may be lost meanwhile. \`warning\`: somebody has to decide. \`info\`: good to know.
A case that \`reconcile\` opened closes by itself (\`seen-resolved\`) when a later pass sees the difference gone.
Kinds are rows of \`domain/cases.ts\`; \`WRITE_DOCS=1 npm test -- test/docs/cases.test.ts\` writes this page from them.
`;

const page = (): string =>
  [
    HEAD,
    ...Object.entries(CASE_KINDS).map(([kind, row]) => {
      const { command, text } = proposalOf(kind, {
        caseId: 7,
        runId: 'launch-7',
        effectId: undefined,
      });
      return `## ${kind} (${row.severity})\n\n${row.means}\n\n- **Who acts:** ${row.who}\n- **Way out:** ${text}\n- **Next:** \`${command}\`\n- **Closes:** ${row.closes}\n`;
    }),
  ].join('\n');

function sources(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const here = path.join(folder, entry.name);
    if (entry.isDirectory()) return sources(here);
    return entry.name.endsWith('.ts') ? [here] : [];
  });
}

/** Kinds that a source opens cases of: in SQL, through the helpers, and as findings. */
function kindsOf(text: string): string[] {
  const inSql = [...text.matchAll(/open_case\(([^;`]*?)\)?[;`]/gs)].flatMap(([, args = '']) =>
    [...args.matchAll(/,\s*'([a-z][a-z-]+)'\s*,/g)].slice(0, 1).map(([, kind = '']) => kind),
  );
  const opened = [
    ...text.matchAll(/(?:openCaseOnce|openCase)\([^;]*?kind:\s*'([a-z][a-z-]+)'/gs),
  ].map(([, kind = '']) => kind);
  return [...inSql, ...opened];
}

const used = FOLDERS.flatMap((folder) => {
  try {
    return sources(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}).flatMap((file) =>
  kindsOf(readFileSync(path.join(ROOT, file), 'utf8')).map((kind) => [kind, file] as const),
);

test('every kind of case that code opens has its row, with a proposed way out', () => {
  const kinds = Object.keys(CASE_KINDS);
  expect(used.filter(([kind]) => !kinds.includes(kind))).toEqual([]);
  // What is looked for is really there: these are opened by the door, by the sweep and by an unwinding.
  expect(used.map(([kind]) => kind)).toEqual(
    expect.arrayContaining(['overshoot', 'double', 'late-success', 'residue', 'run-lost']),
  );
});

test.each(Object.entries(CASE_KINDS))('%s says what it means, who acts and what to do', (kind) => {
  const { closes, means, who } = CASE_KINDS[kind as keyof typeof CASE_KINDS];
  const { command, text } = proposalOf(kind, {
    caseId: 7,
    runId: undefined,
    effectId: undefined,
  });
  for (const words of [closes, means, who, text]) expect(words).toMatch(/^[A-Z`].{8,}\.$/s);
  expect(command).toMatch(/^countersign [a-z]/);
});

test('the page of cases is made of their rows', () => {
  if (process.env['WRITE_DOCS'] === '1') writeFileSync(PAGE, page());
  expect(readFileSync(PAGE, 'utf8')).toBe(page());
});
