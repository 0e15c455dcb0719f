// Prints `N passed, N failed` from jest's own reports, as the last line. A skipped test, a suite that did not run, or
// no test at all is a failure: nothing in this project may be skipped where CI runs.
//   node scripts/count-tests.mjs REPORT [SECOND]   the second report holds the files that were run again, alone
//   node scripts/count-tests.mjs --failed REPORT   prints the files that did not pass, one a line
import { existsSync, readFileSync } from 'node:fs';

const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const [first = '', second = ''] = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const hasFailed = (suite) =>
  suite.status !== 'passed' || suite.assertionResults.some(({ status }) => status !== 'passed');

if (process.argv[2] === '--failed') {
  for (const suite of read(first).testResults) if (hasFailed(suite)) console.log(suite.name);
} else {
  const again = existsSync(second) ? read(second).testResults : [];
  const redone = new Set(again.map(({ name }) => name));
  const suites = [...read(first).testResults.filter(({ name }) => !redone.has(name)), ...again];
  const tests = suites.flatMap((suite) =>
    suite.assertionResults.map((test) => ({ ...test, file: suite.name })),
  );
  const passed = tests.filter(({ status }) => status === 'passed').length;
  const bad = tests.filter(({ status }) => status !== 'passed');
  const broken = suites.filter(
    (suite) =>
      suite.status === 'failed' && !suite.assertionResults.some((t) => t.status === 'failed'),
  );
  for (const { status, file, fullName } of bad) console.log(`${status}: ${file}: ${fullName}`);
  for (const { name, message } of broken)
    console.log(`did not run: ${name}: ${message.slice(0, 300)}`);
  if (redone.size > 0) console.log(`run a second time, alone: ${[...redone].join(', ')}`);
  const failed = bad.length + broken.length;
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}
