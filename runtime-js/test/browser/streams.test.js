import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import * as wire from "../../src/constants.js";
import { launch, Server, until } from "./support.js";

/** @typedef {import("../../src/msgpack.js").Value} Value */

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("playwright-core").Page} */
let page;
/** @type {Server} */
let server;
/** @type {string[]} */
let complaints;

before(async () => {
  browser = await launch();
});
after(() => browser.close());
beforeEach(async () => {
  server = await new Server().start();
  page = await browser.newPage();
  complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
});
afterEach(async () => {
  await page.close();
  server.stop();
  assert.deepEqual(complaints.filter((text) => !text.includes("WebSocket")), []);
  assert.deepEqual(server.all(wire.RESYNC), []);
});

/** @param {string} id @param {string} [text] */
const item = (id, text = id) => `<li id="${id}">${text}<input id="i-${id}"><details id="d-${id}"><summary>more</summary>of it</details></li>`;

/** Opens a page with a stream of these. @param {string[]} ids */
async function open(...ids) {
  server.content = `<h1 id="title">0</h1><div id="box"><ul id="log" data-lv-stream>${ids.map((id) => item(id)).join("")}</ul></div>`;
  await page.goto(server.url);
  await page.waitForSelector("#lv-root.lv-connected", { state: "attached" });
}

/** @param {...Value} ops */
const stream = (...ops) => server.patch(["log", wire.STREAM, ops]);
const ids = () => page.$$eval("#log > *", (items) => items.map(({ id }) => id).join(" "));
/** @param {string} expected */
const shows = (expected) => until(async () => (await ids()) === expected, expected);

/** What a person has done in the item `me`: it is the same element, with all of that. */
const kept = () =>
  page.evaluate(() => {
    const input = /** @type {HTMLInputElement} */ (document.querySelector("#i-me"));
    const details = /** @type {HTMLDetailsElement} */ (document.querySelector("#d-me"));
    return [input === document.activeElement, input.value, input.selectionStart, input.selectionEnd, details.open, Reflect.get(window, "me") === input.parentElement];
  });

/** A person works in the item `me`. */
async function work() {
  await page.click("#d-me summary");
  await page.fill("#i-me", "some words");
  await page.$eval("#i-me", (input) => /** @type {HTMLInputElement} */ (input).setSelectionRange(2, 6));
  await page.evaluate(() => Reflect.set(window, "me", document.querySelector("#me")));
  await page.evaluate(() => {
    const counted = { blurs: 0 };
    document.addEventListener("focusout", () => counted.blurs++);
    Object.assign(window, { counted });
  });
}

const KEPT = [true, "some words", 2, 6, true, true];

test("what a person does in an item stays through all steps around it and on it", async () => {
  await open("a", "me", "b");
  await work();
  for (const [op, expected] of /** @type {[Value[], string][]} */ ([
    [[0, item("c")], "a me b c"],
    [[1, item("z") + item("y")], "z y a me b c"],
    [[2, item("c"), 2], "z y c a me b"],
    [[3, item("me", "new") + item("d")], "z y c a me b d"],
    [[4, "z"], "y c a me b d"],
    [[0, item("e"), 5], "a me b d e"],
    [[1, item("e"), 3], "e a me"],
    [[1, item("me", "first")], "me e a"],
    [[2, item("me", "second"), 1], "e me a"],
    [[0, item("me", "last")], "e a me"],
    [[3, item("me", "again"), 2], "a me"],
    [[0, item("f"), 2], "me f"],
  ])) {
    stream(op);
    await shows(expected);
    assert.deepEqual(await kept(), KEPT, expected);
  }
  assert.equal(await page.$eval("#me", (element) => element.firstChild?.nodeValue), "again");
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).counted.blurs), 0);
});

test("the items stay through patches of what is around, a resumed session and a new one", async () => {
  await open("a", "me");
  await work();
  server.patch(["box", wire.INNER, `<p id="p">1</p><ul id="log" data-lv-stream class="one"></ul>`]);
  await page.waitForSelector("#log.one");
  assert.deepEqual([await ids(), await kept()], ["a me", KEPT]);
  server.patch(["lv-root", wire.INNER, `<h1 id="title">1</h1><section id="box"><ul id="log" data-lv-stream class="two"></ul></section>`]);
  await page.waitForSelector("#log.two");
  assert.deepEqual([await ids(), await kept()], ["a me", KEPT]);
  server.mount = { fresh: true, patch: [0, [["log", wire.OUTER, `<ul id="log" data-lv-stream class="three"></ul>`]]] };
  server.drop();
  await page.waitForSelector("#log.three");
  await page.waitForSelector("#lv-root.lv-connected", { state: "attached" });
  assert.deepEqual([await ids(), await kept()], ["a me", KEPT]);
  stream([0, item("b")]);
  await shows("a me b");
  server.patch(["log", wire.INNER, item("me") + item("c")]);
  await shows("me c");
  assert.deepEqual(await kept(), KEPT);
});

test("what is read stays in sight while items come above it", async () => {
  await open(...Array.from({ length: 60 }, (_, n) => `i${n}`));
  await page.evaluate(() => document.querySelector("#i40")?.scrollIntoView());
  const top = () => page.$eval("#i40", (element) => Math.round(element.getBoundingClientRect().top));
  const before = await top();
  stream([1, item("above1") + item("above2")], [0, item("below")]);
  await page.waitForSelector("#below", { state: "attached" });
  await until(async () => (await top()) === before, "the same place");
});

test("what an item shows isn't loaded anew when it moves", async () => {
  await open("a", "b");
  const can = await page.evaluate(() => "moveBefore" in Element.prototype);
  stream([3, `<li id="a">a<iframe id="frame" srcdoc="x"></iframe></li>`]);
  await page.frameLocator("#frame").getByText("x").waitFor();
  await page.$eval("#frame", (frame) => {
    const { contentWindow } = /** @type {HTMLIFrameElement} */ (frame);
    Object.assign(window, { inside: contentWindow?.document });
  });
  stream([0, `<li id="a">a<iframe id="frame" srcdoc="x"></iframe></li>`]);
  await shows("b a");
  const same = await page.$eval("#frame", (frame) => Reflect.get(window, "inside") === /** @type {HTMLIFrameElement} */ (frame).contentDocument);
  assert.equal(same, can);
});

test("all regions of a frame are painted together", async () => {
  await open("me");
  await page.evaluate(() => {
    /** @type {Set<string>} */
    const seen = new Set();
    const look = () => seen.add(`${document.querySelector("#title")?.textContent} ${document.querySelector("#log")?.children.length}`);
    const paint = () => {
      look();
      requestAnimationFrame(paint);
    };
    paint();
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    Object.assign(window, { seen });
  });
  for (let n = 1; n <= 20; n++) {
    server.patch(["title", wire.INNER, String(n)], ["log", wire.STREAM, [[0, item(`n${n}`)]]], ["box", wire.STEPS, [[wire.ATTRIBUTES, null, [], "div", ["class", `c${n}`]]]]);
  }
  await page.waitForSelector("#box.c20");
  const seen = await page.evaluate(() => [.../** @type {any} */ (window).seen]);
  for (const pair of seen) assert.match(pair, /^(\d+) (\d+)$/);
  for (const pair of seen) assert.equal(Number(pair.split(" ")[0]) + 1, Number(pair.split(" ")[1]));
  assert.ok(seen.includes("20 21"));
});

test("the server hears how far the page has come, after a while and not too often", async () => {
  await open();
  await server.frame(wire.ACK);
  const start = Date.now();
  stream([0, item("a")]);
  stream([0, item("b")]);
  assert.deepEqual((await server.frame(wire.ACK, 2)).body, [2]);
  assert.ok(Date.now() - start >= 1_900);
  stream([0, item("c")]);
  assert.deepEqual((await server.frame(wire.ACK, 3)).body, [3]);
  assert.ok(Date.now() - start >= 3_800);
  assert.equal(server.all(wire.ACK).length, 3);
});
