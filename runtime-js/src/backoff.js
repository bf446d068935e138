/**
 * Exponential backoff with full jitter: the n-th attempt waits a random time below `base * 2^n`, at most `cap`. The
 * whole range is drawn from, so that clients that were dropped together come back spread out.
 *
 * Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export class Backoff {
  #base;
  #cap;
  #attempts = 0;

  /** @param {number} base in milliseconds @param {number} cap in milliseconds */
  constructor(base, cap) {
    this.#base = base;
    this.#cap = cap;
  }

  /** Milliseconds to wait before the next attempt. */
  next() {
    return Math.random() * Math.min(this.#cap, this.#base * 2 ** this.#attempts++);
  }

  reset() {
    this.#attempts = 0;
  }
}
