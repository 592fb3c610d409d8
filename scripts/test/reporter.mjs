// A vitest reporter that writes the counts of a run, and why tests were skipped, to the file named by NODELAND_TEST_REPORT.
import { writeFileSync } from 'node:fs';

export default class CountingReporter {
  onTestRunEnd(testModules, unhandledErrors) {
    const report = { passed: 0, failed: unhandledErrors.length, skipped: [], failedFiles: [] };
    for (const testModule of testModules) {
      let failedHere = 0;
      let passedHere = 0;
      for (const test of testModule.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') passedHere++;
        else if (result.state === 'failed') failedHere++;
        else report.skipped.push({ name: test.fullName, reason: result.note });
      }
      // A file that could not be loaded, or whose hook failed, has errors of its own.
      failedHere ||= testModule.state() === 'failed' ? 1 : 0;
      report.passed += passedHere;
      report.failed += failedHere;
      if (failedHere > 0) {
        report.failedFiles.push({ file: testModule.moduleId, passed: passedHere, failed: failedHere });
      }
    }
    writeFileSync(process.env.NODELAND_TEST_REPORT, JSON.stringify(report));
  }
}
