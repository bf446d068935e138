import { describe, expect, test } from "vitest";
import { decode, encode, MalformedError } from "../src/msgpack.js";

/** @typedef {import("../src/msgpack.js").Value} Value */

/** @param {string} text */
const bytes = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
/** @param {Uint8Array} bytes */
const hex = (bytes) => Buffer.from(bytes).toString("hex");

/** Numbers that look random and are the same in each run. @param {number} seed */
function random(seed) {
  return () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };
}

/** @param {() => number} next @param {number} depth @returns {Value} */
function any(next, depth) {
  const size = () => Math.floor(next() * 20 ** (1 + Math.floor(next() * 3 - depth / 2)));
  const kinds = depth < 4 ? 9 : 7;
  switch (Math.floor(next() * kinds)) {
    case 0: return null;
    case 1: return next() < 0.5;
    case 2: return Math.floor((next() - 0.5) * 2 ** (next() * 54));
    case 3: return (next() - 0.5) * 1e9 + 0.1;
    case 4: return String.fromCodePoint(...Array.from({ length: size() % 300 }, () => 1 + Math.floor(next() * 0xd000)));
    case 5: return "a".repeat(size() * 10);
    case 6: return Uint8Array.from({ length: size() }, () => next() * 256);
    case 7: return Array.from({ length: size() % 40 }, () => any(next, depth + 1));
    default: return new Map(Array.from({ length: size() % 40 }, (_, n) => [`k${n}`, any(next, depth + 1)]));
  }
}

test.each([
  [null, "c0"], [true, "c3"], [false, "c2"],
  [0, "00"], [127, "7f"], [128, "cc80"], [255, "ccff"], [256, "cd0100"], [65_535, "cdffff"], [65_536, "ce00010000"],
  [4_294_967_295, "ceffffffff"], [4_294_967_296, "cf0000000100000000"], [Number.MAX_SAFE_INTEGER, "cf001fffffffffffff"],
  [-1, "ff"], [-32, "e0"], [-33, "d0df"], [-128, "d080"], [-129, "d1ff7f"], [-32_768, "d18000"], [-32_769, "d2ffff7fff"],
  [-2_147_483_648, "d280000000"], [-2_147_483_649, "d3ffffffff7fffffff"], [Number.MIN_SAFE_INTEGER, "d3ffe0000000000001"],
  [1.5, "cb3ff8000000000000"],
  ["", "a0"], ["a", "a161"], ["é", "a2c3a9"], ["a".repeat(31), `bf${"61".repeat(31)}`], ["a".repeat(32), `d920${"61".repeat(32)}`],
  [new Uint8Array([1, 2]), "c4020102"], [new Uint8Array(), "c400"],
  [[], "90"], [[1, [null]], "920191c0"], [new Map([["a", 1]]), "81a16101"],
])("%j is %s", (value, expected) => {
  expect(hex(encode(value))).toBe(expected);
  expect(decode(bytes(expected))).toEqual(value);
});

test.each([["a".repeat(256), "da0100"], ["a".repeat(65_536), "db00010000"], [Array(16).fill(null), "dc0010"], [Array(65_536).fill(null), "dd00010000"]])(
  "longer values have longer heads (%#)",
  (value, head) => {
    const encoded = encode(value);
    expect(hex(encoded.subarray(0, head.length / 2))).toBe(head);
    expect(decode(encoded)).toEqual(value);
  },
);

test("what is encoded is decoded", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const value = any(random(seed), 0);
    expect(decode(encode(value)), `seed ${seed}`).toEqual(value);
  }
});

test("what is cut off or has more behind it is malformed", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const encoded = encode(any(random(seed), 0));
    const cut = encoded.length - 1 - (seed % Math.min(encoded.length, 7));
    if (cut >= 0) expect(() => decode(encoded.subarray(0, cut)), `seed ${seed}`).toThrow(MalformedError);
    expect(() => decode(Uint8Array.from([...encoded, 0]))).toThrow(MalformedError);
  }
});

test("any bytes are a value or malformed, and nothing else happens", () => {
  const next = random(7);
  for (let n = 0; n < 5_000; n++) {
    const noise = Uint8Array.from({ length: next() * 24 }, () => next() * 256);
    try {
      decode(noise);
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedError);
    }
  }
});

test("a slice of a larger buffer is read as it is", () => {
  const larger = Uint8Array.from([9, 9, ...encode([1.5, "x", 70_000]), 9]);
  expect(decode(larger.subarray(2, -1))).toEqual([1.5, "x", 70_000]);
});

describe("refused", () => {
  test.each([2 ** 53, -(2 ** 53), 1e300])("%d can't be sent", (n) => expect(() => encode(n)).toThrow(RangeError));

  test.each([
    ["an empty body", ""], ["a reserved tag", "c1"], ["float32", "ca00000000"], ["an extension", "d40100"], ["ext 8", "c7000100"],
    ["2^53", "cf0020000000000000"], ["2^64 - 1", "cfffffffffffffffff"], ["-2^63", "d38000000000000000"],
    ["a length beyond the end", "dd7fffffff"], ["a map beyond the end", "df7fffffff"], ["a binary beyond the end", "c67fffffff"],
    ["a number as key", "8101c0"], ["broken UTF-8", "a1ff"], ["a surrogate in UTF-8", "a3eda080"], ["deep nesting", "91".repeat(40) + "c0"],
  ])("%s", (_, text) => expect(() => decode(bytes(text))).toThrow(MalformedError));
});
