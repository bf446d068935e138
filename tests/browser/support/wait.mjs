/** Waiting for conditions. Nothing in these tests waits for time to pass. */
import assert from "node:assert/strict";

/** How long a condition may take to come true, in milliseconds. */
export const PATIENCE = 15_000;

/**
 * Asks again and again until the answer is true, and returns it. What throws is asked again as well: a page may be
 * on its way to another document.
 *
 * @template T
 * @param {() => T | Promise<T>} ask @param {string} what is waited for @param {number} [patience]
 * @returns {Promise<T>}
 */
export async function until(ask, what, patience = PATIENCE) {
  const deadline = Date.now() + patience;
  let last;
  do {
    try {
      last = await ask();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 15));
  } while (Date.now() < deadline);
  throw new Error(`waited ${patience} ms for ${what}; at the end: ${last}`, { cause: last });
}

/**
 * Waits until `ask` gives what is expected, and says what it gave instead when it doesn't.
 *
 * @template T
 * @param {() => Promise<T>} ask @param {T} expected
 */
export async function becomes(ask, expected) {
  let last;
  try {
    await until(async () => {
      last = await ask();
      assert.deepEqual(last, expected);
      return true;
    }, JSON.stringify(expected));
  } catch (error) {
    if (last === undefined) throw error;
    assert.deepEqual(last, expected);
  }
}
