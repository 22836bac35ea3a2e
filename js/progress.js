// Shows how far a long job is.
// Usage: import { progressBar } from './progress.js';

/** Without a terminal, a line this often, in milliseconds. */
const PAUSE = 30_000;

/**
 * @param {string} title of the job
 * @returns {(fraction: number, what?: string) => void} to be called with 1 at the end
 */
export function progressBar(title) {
  const start = Date.now();
  let last = start;
  return (fraction, what = '') => {
    const now = Date.now();
    const finished = fraction >= 1 && !what;
    if (!process.stderr.isTTY && now - last < PAUSE && !finished) return;
    last = now;
    const elapsed = (now - start) / 1000;
    const left = fraction > 0.02 ? `, ${clock(elapsed / fraction - elapsed)} left` : '';
    const line = finished
      ? `${title}: done in ${clock(elapsed)}`
      : `${title}: ${Math.round(fraction * 100)} %${left} (${what})`;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}${finished ? '\n' : ''}`);
    else process.stderr.write(`${line}\n`);
  };
}

function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
