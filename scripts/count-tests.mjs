// Prints `N passed, N failed` from jest's own report, as the last line. A skipped test, a suite that did not
// run, or no test at all is a failure: nothing in this project may be skipped where CI runs.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const skipped = report.numPendingTests + report.numTodoTests;
const broken = report.numRuntimeErrorTestSuites;
const failed = report.numFailedTests + broken;
for (const suite of report.testResults)
  for (const test of suite.assertionResults)
    if (test.status !== 'passed') console.log(`${test.status}: ${suite.name}: ${test.fullName}`);
if (broken > 0) console.log(`${broken} test files did not run`);
if (skipped > 0) console.log(`${skipped} tests were skipped: in CI that is a failure`);
console.log(`${report.numPassedTests} passed, ${failed + skipped} failed`);
process.exitCode = failed + skipped > 0 || report.numPassedTests === 0 ? 1 : 0;
