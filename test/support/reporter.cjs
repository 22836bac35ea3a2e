// Mocha's own report, and behind it one plain line: `N passed, N failed, N skipped`.
// Usage: mocha --reporter test/support/reporter.cjs
const { reporters, Runner } = require('mocha');

class Reporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      console.log(`${passes} passed, ${failures} failed, ${pending} skipped`);
    });
  }
}

module.exports = Reporter;
