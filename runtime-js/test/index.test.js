import { expect, test } from "vitest";
import * as wire from "../src/constants.js";
import { MizuLive } from "../src/index.js";
import { FakeSocket, open, setup, socket } from "./support.js";

setup();

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

test("a document without a page has nothing to start", () => {
  expect(() => new MizuLive()).toThrow("data-lv");
});

test("starting twice listens once", () => {
  open(`<p data-lv-click="x">x</p>`).connect();
  document.querySelector("p")?.click();
  expect(socket().of(wire.EVENT)).toHaveLength(1);
});
