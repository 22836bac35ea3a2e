// Mocha's own report, and behind it how long each part took, and one plain line: `N passed, N failed, N skipped`.
// Usage: mocha --reporter test/support/reporter.cjs
const { reporters, Runner } = require('mocha');

class Reporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const { EVENT_HOOK_END, EVENT_RUN_END, EVENT_TEST_END } = Runner.constants;
    // Files may run side by side: what counts is how long each test and hook took.
    const parts = new Map();
    const count = (runnable) => {
      const [title] = runnable.titlePath();
      parts.set(title, (parts.get(title) ?? 0) + (runnable.duration ?? 0) / 1000);
    };
    runner.on(EVENT_HOOK_END, count).on(EVENT_TEST_END, count);
    runner.once(EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      const long = [...parts].filter(([, seconds]) => seconds >= 10);
      for (const [title, seconds] of long.sort((a, b) => b[1] - a[1]))
        console.log(`${seconds.toFixed(0).padStart(5)} s  ${title}`);
      console.log(`${passes} passed, ${failures} failed, ${pending} skipped`);
    });
  }
}

module.exports = Reporter;
