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
    if (bytes(text) <= ARGS_BYTES && !HALF.test(text) && depth(copy) <= DEPTH && equal(copy, args)) return copy;
  } catch {
    // It has no JSON at all, or contains itself.
  }
  throw new SyncError(INVALID, "args must be JSON of at most 64 KiB, 100 deep");
}

/** Bytes of a text when it travels. @param {string} text */
export const bytes = (text) => new TextEncoder().encode(text).length;

/** @param {unknown} value @returns {number} */
function depth(value) {
  return value && typeof value === "object" ? 1 + Math.max(0, ...Object.values(value).map(depth)) : 0;
}

/**
 * The same JSON, whatever the order of its names.
 *
 * @param {unknown} one @param {unknown} other @returns {boolean}
 */
export function equal(one, other) {
  if (one === other) return true;
  if (!one || !other || typeof one !== "object" || typeof other !== "object") return false;
  const [a, b] = /** @type {Record<string, unknown>[]} */ ([one, other]);
  const names = Object.keys(a);
  return (
    kind(one) === kind(other) && names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && equal(a[name], b[name]))
  );
}

/** Tells arrays, maps and dates from plain objects, those of other windows as well. @param {unknown} value */
const kind = (value) => Object.prototype.toString.call(value);
