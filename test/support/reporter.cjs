// Mocha's own report, and behind it how long each part took, which single tests took longest, and one plain line:
// `N passed, N failed, N skipped`.
// While it waits it says for which files.
// Usage: mocha --reporter test/support/reporter.cjs
const path = require('node:path');
const { reporters, Runner } = require('mocha');

/** After so many milliseconds without a file that ends, the ones that are at work are named. */
const QUIET = 300_000;

/** So many of the slowest tests are named, of those that took a second at least. */
const SLOWEST = 20;

class Reporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const { EVENT_HOOK_END, EVENT_RUN_END, EVENT_TEST_END } = Runner.constants;
    // Files may run side by side: what counts is how long each test and hook took.
    const parts = new Map();
    const single = [];
    const ended = new Set();
    const count = (runnable) => {
      const [title] = runnable.titlePath();
      const seconds = (runnable.duration ?? 0) / 1000;
      parts.set(title, (parts.get(title) ?? 0) + seconds);
      const file = path.relative(process.cwd(), runnable.file ?? '');
      if (seconds >= 1)
        single.push({ seconds, text: `${file}: ${runnable.titlePath().join(' › ')}` });
    };
    runner.on(EVENT_HOOK_END, count).on(EVENT_TEST_END, count);
    if (runner.isParallelMode()) {
      // Here a file's tests are told of when all of it has ended.
      const watch = setInterval(() => {
        const left = options.files.filter((file) => !ended.has(file)); // they begin in this order
        console.log(`  … still at work: ${left.slice(0, options.jobs).join(', ')}`);
      }, QUIET);
      runner.on(EVENT_TEST_END, ({ file }) => {
        ended.add(file);
        watch.refresh();
      });
      runner.once(EVENT_RUN_END, () => clearInterval(watch));
    }
    runner.once(EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      const long = [...parts].filter(([, seconds]) => seconds >= 10);
      for (const [title, seconds] of long.sort((a, b) => b[1] - a[1]))
        console.log(`${seconds.toFixed(0).padStart(5)} s  ${title}`);
      const slowest = single.sort((a, b) => b.seconds - a.seconds).slice(0, SLOWEST);
      if (slowest.length > 0) console.log('The slowest tests:');
      for (const { seconds, text } of slowest)
        console.log(`${seconds.toFixed(1).padStart(7)} s  ${text}`);
      console.log(`${passes} passed, ${failures} failed, ${pending} skipped`);
    });
  }
}

module.exports = Reporter;
