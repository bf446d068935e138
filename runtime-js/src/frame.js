/** The envelope around every message: an array of kind, topic, reference and body. */
import { decode, encode, MalformedError } from "./msgpack.js";

/** @typedef {import("./msgpack.js").Value} Value */

/**
 * @typedef {object} Frame
 * @property {number} kind one byte
 * @property {string} topic empty for the connection itself
 * @property {number} ref of the request this belongs to; 0 for a push
 * @property {Uint8Array} body opaque here
 */

/** @param {number} kind @param {string} topic @param {number} ref @param {Uint8Array} body */
export function encodeFrame(kind, topic, ref, body) {
  return encode([kind, topic, ref, body]);
}

/**
 * @param {Uint8Array} bytes
 * @returns {Frame}
 * @throws {MalformedError}
 */
export function decodeFrame(bytes) {
  const value = decode(bytes);
  if (Array.isArray(value)) {
    const [kind, topic, ref, body] = value;
    if (
      typeof kind === "number" &&
      typeof topic === "string" &&
      typeof ref === "number" &&
      body instanceof Uint8Array
    ) {
      return { kind, topic, ref, body };
    }
  }
  throw new MalformedError("not an envelope");
}

/**
 * The elements of a body. A sender may leave trailing nils out, so a short or empty body is a valid one.
 *
 * @param {Uint8Array} body
 * @throws {MalformedError}
 */
export function bodyOf(body) {
  const value = body.length ? decode(body) : null;
  return Array.isArray(value) ? value : [value];
}

/** A list of a body; none is an empty one. @param {Value | undefined} value */
export function list(value) {
  return Array.isArray(value) ? value : [];
}
