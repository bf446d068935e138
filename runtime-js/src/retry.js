/**
 * Tries again what failed: after a delay that doubles, at most five times in a row. What lived well for a while before
 * it failed begins a new row.
 */

/** Attempts in a row. */
const MAX_FAILURES = 5;
/** The delay before the first of them, in milliseconds. */
const FIRST_DELAY = 250;
/** What lived for this long, in milliseconds, has not failed at once. */
const HEALTHY = 30_000;

export class Retry {
  #failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => void} attempt @param {number} age of what failed, in milliseconds @returns {boolean} false when it failed too often */
  again(attempt, age) {
    if (age > HEALTHY) this.#failures = 0;
    if (++this.#failures > MAX_FAILURES) return false;
    this.#timer = setTimeout(attempt, FIRST_DELAY * 2 ** (this.#failures - 1));
    return true;
  }

  stop() {
    clearTimeout(this.#timer);
  }
}
