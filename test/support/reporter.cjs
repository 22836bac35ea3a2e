// Mocha's own report, and behind it how long each part took, and one plain line: `N passed, N failed, N skipped`.
// Usage: mocha --reporter test/support/reporter.cjs
const { reporters, Runner } = require('mocha');

class Reporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const { EVENT_RUN_END, EVENT_SUITE_BEGIN, EVENT_SUITE_END } = Runner.constants;
    const parts = [];
    let start;
    runner.on(EVENT_SUITE_BEGIN, (suite) => {
      if (suite.parent?.root) start = Date.now();
    });
    runner.on(EVENT_SUITE_END, (suite) => {
      if (suite.parent?.root)
        parts.push({ title: suite.title, seconds: (Date.now() - start) / 1000 });
    });
    runner.once(EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      const long = parts.filter(({ seconds }) => seconds >= 10);
      for (const { title, seconds } of long.sort((a, b) => b.seconds - a.seconds))
        console.log(`${seconds.toFixed(0).padStart(5)} s  ${title}`);
      console.log(`${passes} passed, ${failures} failed, ${pending} skipped`);
    });
  }
}

module.exports = Reporter;
