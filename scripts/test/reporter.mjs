// A vitest reporter that writes what became of every file of a run, and why tests were skipped, to the file named by
// NODELAND_TEST_REPORT: [{ file, passed, failed, skipped: [{ name, reason }] }]. An error outside of all files has none (null).
import { writeFileSync } from 'node:fs';

export default class CountingReporter {
  onTestRunEnd(testModules, unhandledErrors) {
    const report = testModules.map((testModule) => {
      const counts = { file: testModule.moduleId, passed: 0, failed: 0, skipped: [] };
      for (const test of testModule.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') counts.passed++;
        else if (result.state === 'failed') counts.failed++;
        else counts.skipped.push({ name: test.fullName, reason: result.note });
      }
      // A file that could not be loaded, or whose hook failed, has errors of its own.
      if (counts.failed === 0 && testModule.state() === 'failed') counts.failed = 1;
      return counts;
    });
    if (unhandledErrors.length > 0) {
      report.push({ file: null, passed: 0, failed: unhandledErrors.length, skipped: [] });
    }
    writeFileSync(process.env.NODELAND_TEST_REPORT, JSON.stringify(report));
  }
}
