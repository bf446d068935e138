/** The golden vectors that the server's tests read as well: both write and read the same bytes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bodyOf, decodeFrame, encodeFrame } from "../src/frame.js";
import { encode, MalformedError } from "../src/msgpack.js";

/** @type {{ name: string, kind: number, topic: string, ref: number, body_hex: string, msgpack_hex: string }[]} */
const vectors = JSON.parse(readFileSync(join(import.meta.dirname, "../../tests/vectors/frames.json"), "utf8"));

/** @param {string} hex */
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));

test("there are vectors", () => expect(vectors.length).toBeGreaterThan(20));

test.each(vectors)("$name", ({ kind, topic, ref, body_hex, msgpack_hex }) => {
  const frame = { kind, topic, ref, body: bytes(body_hex) };
  expect(decodeFrame(bytes(msgpack_hex))).toEqual(frame);
  expect(Buffer.from(encodeFrame(kind, topic, ref, frame.body)).toString("hex")).toBe(msgpack_hex);
});

test.each([
  ["no array", null], ["a map", new Map()], ["too short", [1, "", 0]], ["a kind that is none", ["1", "", 0, new Uint8Array()]],
  ["a topic that is none", [1, 1, 0, new Uint8Array()]], ["a ref that is none", [1, "", null, new Uint8Array()]], ["a body that is none", [1, "", 0, "x"]],
])("%s is no frame", (_, value) => expect(() => decodeFrame(encode(value))).toThrow(MalformedError));

test("a longer envelope is one of a newer server", () => {
  expect(decodeFrame(encode([1, "", 0, new Uint8Array(), "more"]))).toMatchObject({ kind: 1, ref: 0 });
});

test("a body is a list, whatever it is", () => {
  expect(bodyOf(new Uint8Array())).toEqual([null]);
  expect(bodyOf(encode(5))).toEqual([5]);
  expect(bodyOf(encode([1, 2]))).toEqual([1, 2]);
});
