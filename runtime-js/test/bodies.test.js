/** The golden bodies that the server's tests write: the browser reads the same from the same bytes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bodyOf } from "../src/frame.js";

/** @type {{ name: string, msgpack_hex: string, json: unknown[] }[]} */
const vectors = JSON.parse(readFileSync(join(import.meta.dirname, "../../tests/vectors/bodies.json"), "utf8"));

test("there are vectors", () => expect(vectors.length).toBeGreaterThan(5));

test.each(vectors)("$name", ({ msgpack_hex, json }) => {
  expect(bodyOf(Uint8Array.from(Buffer.from(msgpack_hex, "hex")))).toEqual(json);
});
