/** What may travel: JSON, and only what arrives as it was sent. */
import { ARGS_BYTES, INVALID } from "./constants.js";
import { SyncError } from "./error.js";

/** @typedef {null | boolean | number | string | Json[] | { [name: string]: Json }} Json */

/** Levels that arguments may nest; the server's parser has a limit, too. */
const DEPTH = 100;
/** Half a character, which UTF-8 can't carry: JSON text has it escaped, by an odd number of backslashes. */
const HALF = /(?<!\\)(\\\\)*\\ud[89a-f]/;

/**
 * A copy of `args` that nobody else holds.
 *
 * @param {unknown} args @returns {Json}
 * @throws {SyncError} `invalid` when something in it isn't JSON, or there is more than 64 KiB of it
 */
export function copyOf(args) {
  try {
    const text = JSON.stringify(args);
    const copy = JSON.parse(text);
    if (bytes(text) <= ARGS_BYTES && !HALF.test(text) && equal(copy, args)) return copy;
  } catch {
    // It has no JSON at all, or contains itself.
  }
  throw new SyncError(INVALID, "args must be JSON of at most 64 KiB, 100 deep");
}

/** Bytes of a text when it travels. @param {string} text */
export const bytes = (text) => new TextEncoder().encode(text).length;

/**
 * The same JSON, whatever the order of its names. What nests too deep is the same as nothing.
 *
 * @param {unknown} one @param {unknown} other @param {number} [depth] that is left @returns {boolean}
 */
export function equal(one, other, depth = DEPTH) {
  if (one === other) return true;
  if (!isObject(one) || !isObject(other) || !depth) return false;
  const names = Object.keys(one);
  return (
    kind(one) === kind(other) && names.length === Object.keys(other).length && names.every((name) => Object.hasOwn(other, name) && equal(one[name], other[name], depth - 1))
  );
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isObject = (value) => Object(value) === value;

/** Tells arrays, maps and dates from plain objects, those of other windows as well. @param {unknown} value */
const kind = (value) => ({}).toString.call(value);
