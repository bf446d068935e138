import { expect, test, vi } from "vitest";
import * as wire from "../src/constants.js";
import { hear, open, setup, socket } from "./support.js";

setup();

/** What was told of a name. @param {string} name */
const told = (name) => socket().of(wire.EPHEMERAL).filter(({ body }) => body[0] === name).map(({ body }) => body[1]);

test("is sent to the page at once, and is no request", () => {
  open("").ephemeral("cursor", { x: 1, at: [2.5, null, { deep: true }], gone: undefined });
  const payload = new Map(/** @type {[string, import("./support.js").Value][]} */ ([["x", 1], ["at", [2.5, null, new Map([["deep", true]])]]]));
  expect(socket().of(wire.EPHEMERAL)).toEqual([{ kind: wire.EPHEMERAL, topic: "1", ref: 0, body: ["cursor", payload] }]);
});

test("needs no payload", () => {
  open("").ephemeral("typing");
  expect(told("typing")).toEqual([null]);
});

test("goes out at most once in 50 ms, and the last one always", () => {
  const live = open("");
  for (const x of [1, 2, 3]) live.ephemeral("cursor", x);
  expect(told("cursor")).toEqual([1]);
  vi.advanceTimersByTime(49);
  live.ephemeral("cursor", 4);
  expect(told("cursor")).toEqual([1]);
  vi.advanceTimersByTime(1);
  expect(told("cursor")).toEqual([1, 4]);
  live.ephemeral("cursor", 5);
  vi.advanceTimersByTime(49);
  expect(told("cursor")).toEqual([1, 4]);
  vi.advanceTimersByTime(1);
  expect(told("cursor")).toEqual([1, 4, 5]);
  vi.advanceTimersByTime(50);
  live.ephemeral("cursor", 6);
  expect(told("cursor")).toEqual([1, 4, 5, 6]);
  vi.advanceTimersByTime(1_000);
  expect(told("cursor")).toEqual([1, 4, 5, 6]);
});

test("each name has a pace of its own", () => {
  const live = open("");
  for (const n of [1, 2]) for (const name of ["a", "b"]) live.ephemeral(name, n);
  expect([told("a"), told("b")]).toEqual([[1], [1]]);
  vi.advanceTimersByTime(50);
  expect([told("a"), told("b")]).toEqual([[1, 2], [1, 2]]);
});

test("a payload is what it was when it was told", () => {
  const live = open("");
  const place = { x: 1 };
  live.ephemeral("cursor", place);
  live.ephemeral("cursor", place);
  place.x = 2;
  vi.advanceTimersByTime(50);
  expect(told("cursor")).toEqual([new Map([["x", 1]]), new Map([["x", 1]])]);
});

test("is dropped while the page is not joined, and never sent later", () => {
  const live = open("", { join: false });
  live.ephemeral("cursor", 1);
  socket().open();
  live.ephemeral("cursor", 2);
  vi.advanceTimersByTime(1_000);
  socket().welcome();
  live.ephemeral("cursor", 3);
  live.ephemeral("cursor", 4);
  socket().end();
  live.ephemeral("cursor", 5);
  vi.advanceTimersByTime(250);
  socket().open().welcome({ topic: "2" });
  vi.advanceTimersByTime(1_000);
  expect(told("cursor")).toEqual([]);
  live.ephemeral("cursor", 6);
  expect(told("cursor")).toEqual([6]);
});

test("what others say is heard, from the page that is joined", () => {
  open("");
  const heard = hear("ephemeral");
  socket().receive(wire.EPHEMERAL, 0, ["u1", "cursor", new Map(/** @type {[string, import("./support.js").Value][]} */ ([["x", 1], ["in", [new Map([["y", 2]])]]]))]);
  socket().receive(wire.EPHEMERAL, 0, ["u2", "typing"]);
  socket().receive(wire.EPHEMERAL, 0, ["u3", "typing", 1], "7");
  expect(heard).toEqual([
    { from: "u1", name: "cursor", payload: { x: 1, in: [{ y: 2 }] } },
    { from: "u2", name: "typing", payload: null },
  ]);
});
