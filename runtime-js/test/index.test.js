import { beforeEach, expect, test } from "vitest";
import * as wire from "../src/constants.js";
import { MizuLive } from "../src/index.js";
import { FakeSocket, open, setup, socket } from "./support.js";

setup();
// Each test has a document in which nothing has started.
beforeEach(() => Reflect.deleteProperty(document, Symbol.for("mizu")));

/** Evaluates the entry as a script of its own would. @param {string} copy */
const load = (copy) => import(/* @vite-ignore */ `../src/index.js?${copy}`);

test("a page starts by itself, once, whatever loads it again", async () => {
  document.body.innerHTML = `<div id="lv-root" data-lv></div>`;
  const [first, second] = [await load("first"), await load("second")];
  expect(FakeSocket.all).toHaveLength(1);
  expect(first.live).toBe(second.live);
  expect(socket().url).toBe(new URL("/_live", location.href.replace("http", "ws")).href);
  first.live.disconnect();
});

test("a document without a page has nothing to start", async () => {
  expect((await load("third")).live).toBeUndefined();
  expect(FakeSocket.all).toHaveLength(0);
});

test("a connection for scopes leaves the page of its document alone", async () => {
  document.body.innerHTML = `<div id="lv-root" data-lv></div>`;
  const { live } = await load("fourth");
  socket().open().welcome();
  const other = new MizuLive({ scopes: "notes" }).connect();
  expect(FakeSocket.all).toHaveLength(2);
  const peer = socket().open();
  expect(peer.sent.map(({ kind }) => kind)).toEqual([wire.SUBSCRIBE]);
  expect(document.querySelector("#lv-root")?.className).toBe("lv-connected");
  peer.end();
  expect(document.querySelector("#lv-root")?.className).toBe("lv-connected");
  for (const one of [live, other]) one.disconnect();
});

test("starting twice listens once", () => {
  open(`<p data-lv-click="x">x</p>`).connect();
  document.querySelector("p")?.click();
  expect(socket().of(wire.EVENT)).toHaveLength(1);
});
