// Prints `N passed, N failed` for a results file of the test runner (its JSON reporter); exits 1 unless all passed.

import { existsSync, readFileSync } from 'node:fs';

const file = process.argv[2] ?? 'build/test-results.json';

/** @returns {{ passed: number, failed: number }} */
function summarize() {
  // No results: the tests never ran, and that is one failure.
  if (!existsSync(file)) return { passed: 0, failed: 1 };
  const results = JSON.parse(readFileSync(file, 'utf8'));
  // A test file that could not even be loaded has no failed test in it and still failed.
  const unloaded = results.testResults.filter(
    (suite) => suite.status === 'failed' && !suite.assertionResults.some(({ status }) => status === 'failed'),
  ).length;
  const failed = results.numFailedTests + unloaded;
  // An error outside of every test (an unhandled rejection) fails the run without failing a test.
  return { passed: results.numPassedTests, failed: failed === 0 && !results.success ? 1 : failed };
}

const { passed, failed } = summarize();
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0 || passed === 0) process.exit(1);
