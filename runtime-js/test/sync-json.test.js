// @vitest-environment node
import { describe, expect, test } from "vitest";
import { copyOf, equal } from "../src/sync/json.js";

describe("arguments", () => {
  test.each([[null], [true], ["ä 🦀"], [-1.5], [[]], [{}], [{ a: [{ b: null }] }], ["\\ud800 as text"], [Object.create(null)]])("%j travel", (args) => {
    expect(copyOf(args)).toEqual(args);
  });

  const circle = { own: {} };
  circle.own = circle;
  test.each([
    ["undefined", undefined],
    ["a name without a value", { a: undefined }],
    ["NaN", Number.NaN],
    ["infinity", [Number.POSITIVE_INFINITY]],
    ["a function", { f() {} }],
    ["a symbol", Symbol("x")],
    ["a bigint", { n: 1n }],
    ["a date", new Date(0)],
    ["a map", new Map([[1, 2]])],
    ["half a character", { a: "x\ud800" }],
    ["half a character in a name", { "\udc00": 1 }],
    ["a circle", circle],
    ["a hole", [, 1]],
    ["too much", "x".repeat(65_535)],
    ["too deep", JSON.parse("[".repeat(120) + "]".repeat(120))],
  ])("%s doesn't", (_, args) => {
    expect(() => copyOf(args)).toThrow(expect.objectContaining({ code: "invalid" }));
  });

  test("64 KiB are enough", () => expect(copyOf("x".repeat(65_534))).toHaveLength(65_534));
});

test.each([
  [{ a: 1, b: [2, { c: null }] }, { b: [2, { c: null }], a: 1 }, true],
  [{ a: 1 }, { a: 1, b: undefined }, false],
  [{ a: 1 }, { b: 1 }, false],
  [[1, 2], [2, 1], false],
  [[], {}, false],
  [null, {}, false],
  ["1", 1, false],
])("%j and %j are the same: %s", (one, other, same) => {
  expect(equal(one, other)).toBe(same);
  expect(equal(other, one)).toBe(same);
});
