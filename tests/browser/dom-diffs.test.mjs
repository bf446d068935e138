/**
 * Random pages and the patches between them, made by the server's own code from a seed, and applied by the runtime as pages get
 * it. A socket that the test speaks for brings them, thousands in one turn. `DIFFS_SEED` and `DIFFS_COUNT` try others.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { INNER, PATCH, REPLY, RESYNC } from "../../runtime-js/src/constants.js";
import { decodeFrame, encodeFrame } from "../../runtime-js/src/frame.js";
import { decode, encode } from "../../runtime-js/src/msgpack.js";
import { browser, joined } from "./support/browser.mjs";
import { example } from "./support/server.mjs";

const scene = browser();
const seed = Number(process.env.DIFFS_SEED ?? randomInt(2 ** 32));
const count = Number(process.env.DIFFS_COUNT ?? 2_000);

const ORIGIN = "http://page.test";
const DOCUMENT = `<!doctype html><meta charset="utf-8"><title>Diffs</title><script type="module" src="/mizu-live.js"></script>
<div id="lv-root" data-lv></div><form id="lv" method="post" hidden><input type="hidden" name="lv-token" value="TOKEN"></form>`;

/** @typedef {{ old: string, new: string, patch: import("../../runtime-js/src/msgpack.js").Value }} Case */

/** @returns {Promise<Case[]>} */
async function cases() {
  const { stdout } = await promisify(execFile)(example("diffs"), [String(seed), String(count)], { maxBuffer: 1 << 30 });
  const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  return lines.map((one) => ({ ...one, patch: decode(Buffer.from(one.patch, "base64")) }));
}

/** @param {number} kind @param {string} topic @param {number} ref @param {import("../../runtime-js/src/msgpack.js").Value} body */
const frame = (kind, topic, ref, body) => Buffer.from(encodeFrame(kind, topic, ref, encode(body))).toString("base64");

/** A page that is joined, over a socket that is none. @param {import("./support/browser.mjs").Page} page */
async function open(page) {
  const script = await readFile(new URL("../../runtime-js/dist/mizu-live.js", import.meta.url));
  await page.route(`${ORIGIN}/**`, (route) =>
    route.request().url().endsWith(".js")
      ? route.fulfill({ contentType: "text/javascript", body: script })
      : route.fulfill({ contentType: "text/html", body: DOCUMENT }),
  );
  await page.addInitScript(() => {
    window.sent = [];
    window.WebSocket = class {
      static OPEN = 1;
      readyState = 1;
      constructor() {
        window.socket = this;
      }
      send(bytes) {
        window.sent.push(btoa(String.fromCharCode(...bytes)));
      }
      close() {}
    };
    window.receive = (frame) => window.socket.onmessage({ data: Uint8Array.from(atob(frame), (byte) => byte.charCodeAt(0)).buffer });
  });
  await page.goto(ORIGIN);
  await page.evaluate((welcome) => {
    window.socket.onopen();
    window.receive(welcome);
  }, frame(REPLY, "", 1, [0, null, ["1", "SESSION", 0, 25_000, false, false]]));
  await joined(page);
}

/** What is not as it should be after each page was led to the next one. @param {import("./support/browser.mjs").Page} page @param {{ new: string, frames: string[] }[]} all the frames make a new page of nothing, and lead to the next */
function lead(page, all) {
  return page.evaluate((all) => {
    const root = document.querySelector("#lv-root");
    // HTML in which attributes stand by their names: the order in which they came says nothing.
    const html = (element) => {
      const copy = element.cloneNode(true);
      for (const node of copy.querySelectorAll("*")) {
        const all = [...node.attributes].sort((a, b) => (a.name < b.name ? -1 : 1));
        for (const { name } of all) node.removeAttribute(name);
        for (const { name, value } of all) node.setAttribute(name, value);
      }
      return copy.innerHTML;
    };
    const named = () => [...root.querySelectorAll("[id]")].map((element) => [element.id, element]);
    const wrong = [];
    let kept = 0;
    // What a template holds belongs to no tree that can be compared.
    const templates = (element) => [...element.querySelectorAll("template")].map(({ innerHTML }) => innerHTML).join();
    for (const { old, new: next, frames } of all) {
      for (const frame of frames.slice(0, 2)) window.receive(frame);
      const before = new Map(named());
      for (const frame of frames.slice(2)) window.receive(frame);
      const fresh = root.cloneNode(false);
      fresh.innerHTML = next;
      if (!root.isEqualNode(fresh) || templates(root) !== templates(fresh)) wrong.push({ old, next, shown: html(root), expected: html(fresh) });
      for (const [id, element] of named()) {
        if (before.get(id)?.localName !== element.localName) continue;
        if (before.get(id) === element) kept++;
        else wrong.push({ old, next, id, why: "another node" });
      }
    }
    return { wrong: wrong.slice(0, 5), count: wrong.length, kept };
  }, all);
}

scene(`D29 patches lead from any page to any other, in steps and as a whole, and what has an id stays the node it was (seed ${seed})`, async ({ page }) => {
  const all = await cases();
  assert.equal(all.length, count);
  await open(page);
  let seq = 0;
  /** @param {import("../../runtime-js/src/msgpack.js").Value} regions */
  const patch = (regions) => frame(PATCH, "1", 0, [++seq, regions]);
  /** @param {string} html */
  const whole = (html) => [["lv-root", INNER, html]];
  const ways = {
    steps: all.map((one) => ({ ...one, frames: [whole(""), whole(one.old), ...(one.patch.length ? [one.patch] : [])].map(patch) })),
    whole: all.map((one) => ({ ...one, frames: [whole(""), whole(one.old), whole(one.new)].map(patch) })),
  };
  const inSteps = all.filter(({ patch }) => patch.length && patch.every(([, kind]) => kind !== INNER)).length;
  assert.ok(inSteps > count / 4, `${inSteps} of ${count} go in steps`);
  for (const [way, cases] of Object.entries(ways)) {
    const { wrong, count: failed, kept } = await lead(page, cases);
    assert.equal(failed, 0, `seed ${seed}, ${way}: ${failed} are wrong, such as ${JSON.stringify(wrong, null, 1)}`);
    assert.ok(kept > count / 2, `${kept} elements were looked at`);
  }
  const sent = (await page.evaluate(() => window.sent)).map((bytes) => decodeFrame(Buffer.from(bytes, "base64")).kind);
  assert.deepEqual(sent.filter((kind) => kind === RESYNC), [], "nothing was asked for whole");
});
