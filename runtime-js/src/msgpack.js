/**
 * MessagePack, the part that the wire uses: nil, booleans, integers up to 2^53, float64, strings, binary, arrays and
 * maps with string keys. Integers take their shortest form, as the server writes them, so that equal values are equal
 * bytes. Decoding is strict: what is not of this subset, reaches past the end, or leaves bytes over is malformed.
 *
 * Source: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** @typedef {null | boolean | number | string | Uint8Array | Value[] | Map<string, Value>} Value */

/** Bytes that are no value of the subset. */
export class MalformedError extends Error {
  /** @override */
  name = "MalformedError";
}

/** Nesting deeper than this is hostile, not data. */
const MAX_DEPTH = 32;

const utf8 = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The bytes of a value.
 *
 * @param {Value} value
 * @throws {RangeError} for an integer beyond 2^53, which a number can't hold exactly
 */
export function encode(value) {
  /** @type {number[]} */
  const out = [];
  write(value);
  return Uint8Array.from(out);

  /** @param {Value} value */
  function write(value) {
    if (value === null) out.push(0xc0);
    else if (typeof value === "boolean") out.push(value ? 0xc3 : 0xc2);
    else if (typeof value === "number") writeNumber(value);
    else if (typeof value === "string") {
      const bytes = utf8.encode(value);
      writeHead(bytes.length, 0xa0, 32, 0xd9);
      writeBytes(bytes);
    } else if (value instanceof Uint8Array) {
      writeHead(value.length, 0, 0, 0xc4);
      writeBytes(value);
    } else if (Array.isArray(value)) {
      writeHead(value.length, 0x90, 16, 0xdb, 1);
      value.forEach(write);
    } else {
      writeHead(value.size, 0x80, 16, 0xdd, 1);
      for (const entry of value) entry.forEach(write);
    }
  }

  /** @param {number} n */
  function writeNumber(n) {
    if (!Number.isInteger(n)) {
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, n);
      out.push(0xcb);
      writeBytes(new Uint8Array(view.buffer));
    } else if (!Number.isSafeInteger(n)) throw new RangeError(`${n} is beyond 2^53: send it as a string`);
    else if (n >= 0) writeHead(n, 0, 128, 0xcc);
    else if (n >= -32) out.push(n & 0xff);
    else writeWide(n, 0xd0, logOf(-2 * (n + 1)));
  }

  /**
   * A number below `limit` in a short tag, any other behind a wide one: `tag` for 8 bits, the next one for 16, and so on.
   *
   * @param {number} n @param {number} short @param {number} limit @param {number} tag
   * @param {number} [least] 1 where there is no tag for 8 bits
   */
  function writeHead(n, short, limit, tag, least = 0) {
    if (n < limit) out.push(short | n);
    else writeWide(n, tag, Math.max(least, logOf(n)));
  }

  /** In `2 ** log` bytes, the highest first. @param {number} n @param {number} tag of one byte @param {number} log */
  function writeWide(n, tag, log) {
    out.push(tag + log);
    for (let byte = 2 ** log; byte--; ) out.push(Math.floor(n / 256 ** byte) & 0xff);
  }

  /** @param {Uint8Array} bytes */
  function writeBytes(bytes) {
    for (const byte of bytes) out.push(byte);
  }
}

/** How wide an unsigned number is: it needs `2 ** log` bytes. @param {number} n */
function logOf(n) {
  return n < 0x100 ? 0 : n < 0x10000 ? 1 : n < 0x100000000 ? 2 : 3;
}

/**
 * The one value that the bytes hold.
 *
 * @param {Uint8Array} bytes
 * @returns {Value}
 * @throws {MalformedError}
 */
export function decode(bytes) {
  let at = 0;
  const value = read(0);
  if (at < bytes.length) throw new MalformedError("bytes after the value");
  return value;

  /** @param {number} depth @returns {Value} */
  function read(depth) {
    if (depth > MAX_DEPTH) throw new MalformedError("nested too deep");
    const tag = readInt(0);
    if (tag < 0x80) return tag;
    if (tag < 0x90) return readMap(tag & 15, depth);
    if (tag < 0xa0) return readArray(tag & 15, depth);
    if (tag < 0xc0) return readString(tag & 31);
    if (tag >= 0xe0) return tag - 0x100;
    if (tag >= 0xde) return readMap(readInt(tag - 0xdd), depth);
    if (tag >= 0xdc) return readArray(readInt(tag - 0xdb), depth);
    if (tag >= 0xd9) return readString(readInt(tag - 0xd9));
    if (tag >= 0xd0 && tag < 0xd4) return readInt(tag - 0xd0, true);
    if (tag >= 0xcc && tag < 0xd0) return readInt(tag - 0xcc);
    if (tag >= 0xc4 && tag < 0xc7) return take(readInt(tag - 0xc4));
    if (tag === 0xcb) return new DataView(take(8).buffer).getFloat64(0);
    if (tag === 0xc0) return null;
    if (tag === 0xc2 || tag === 0xc3) return tag === 0xc3;
    throw new MalformedError(`unsupported tag ${tag}`);
  }

  /** A number of `2 ** log` bytes, the highest first. @param {number} log @param {boolean} [signed] */
  function readInt(log, signed) {
    const end = at + 2 ** log;
    expect(2 ** log);
    let n = bytes[at++];
    if (signed && n > 127) n -= 256;
    while (at < end) n = n * 256 + bytes[at++];
    if (!Number.isSafeInteger(n)) throw new MalformedError("an integer beyond 2^53");
    return n;
  }

  /** @param {number} length */
  function readString(length) {
    const bytes = take(length);
    try {
      return strict.decode(bytes);
    } catch {
      throw new MalformedError("a string is not UTF-8");
    }
  }

  /** @param {number} length @param {number} depth */
  function readArray(length, depth) {
    expect(length);
    return Array.from({ length }, () => read(depth + 1));
  }

  /** @param {number} length @param {number} depth @returns {Map<string, Value>} */
  function readMap(length, depth) {
    const map = new Map();
    while (length--) {
      const key = read(depth + 1);
      if (typeof key !== "string") throw new MalformedError("a key is not a string");
      map.set(key, read(depth + 1));
    }
    return map;
  }

  /** @param {number} length */
  function take(length) {
    expect(length);
    return bytes.slice(at, (at += length));
  }

  /** Every item takes a byte at least, so a length that can't be true never allocates. @param {number} length */
  function expect(length) {
    if (length > bytes.length - at) throw new MalformedError("ends too early");
  }
}
