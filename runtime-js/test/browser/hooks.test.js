import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import * as wire from "../../src/constants.js";
import { launch, Server, until } from "./support.js";

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
});

/** @param {string} content */
async function open(content) {
  server.content = content;
  await page.goto(server.url);
  await joined();
}

const joined = () => page.waitForSelector("#lv-root.lv-connected", { state: "attached" });

/** Registers a hook that notes each of its calls with the element's id and text. @param {string} name */
const hook = (name) =>
  page.evaluate((name) => {
    const live = Reflect.get(document, Symbol.for("mizu"));
    /** @type {string[]} */
    const calls = Reflect.get(window, "calls") ?? [];
    Object.assign(window, { calls });
    const all = ["mounted", "beforeUpdate", "updated", "destroyed", "disconnected", "reconnected"];
    const tell = (/** @type {string} */ what) => (/** @type {Element} */ { id, textContent }) => void calls.push(`${what} ${id} ${textContent}`);
    live.hook(name, Object.fromEntries(all.map((what) => [what, tell(what)])));
  }, name);

/** What was called since it was asked for last, when that is as much as it is to be. @param {string[]} expected */
async function called(...expected) {
  const calls = await until(() => page.evaluate((most) => {
    const calls = Reflect.get(window, "calls") ?? [];
    return calls.length >= most && calls.splice(0);
  }, expected.length), expected.join());
  assert.deepEqual(calls, expected);
}

/** @param {string} id @param {string} inside */
const chart = (id, inside) => `<div id="${id}" data-lv-hook="Chart">${inside}</div>`;

test("a hook lives as its element does, through patches, moves and connections", async () => {
  await open(`<div id="box">${chart("a", "1")}</div><ul id="log" data-lv-stream></ul>`);
  await hook("Chart");
  await called("mounted a 1");
  server.patch(["box", wire.STEPS, [[wire.TEXT, "a", [0], 1, "2"]]]);
  await called("beforeUpdate a 1", "updated a 2");
  server.patch(["box", wire.INNER, `<p>x</p>${chart("b", "1")}${chart("a", "3")}`]);
  await called("beforeUpdate a 2", "mounted b 1", "updated a 3");
  server.patch(["box", wire.STEPS, [[wire.CHILDREN, null, [], 3, [[2], [1], [0]]]]]);
  server.patch(["log", wire.STREAM, [[0, `<li id="item">${chart("c", "1")}</li>`]]]);
  await called("mounted c 1");
  server.patch(["log", wire.STREAM, [[0, `<li id="other"></li>`], [0, `<li id="item">${chart("c", "2")}</li>`]]]);
  await called("beforeUpdate c 1", "updated c 2");
  server.patch(["log", wire.STREAM, [[4, "item"]]], ["box", wire.INNER, chart("a", "3")]);
  await called("destroyed b 1", "destroyed c 2");
  server.down = true;
  server.drop();
  await called("disconnected a 3");
  server.down = false;
  server.mount = { fresh: true, patch: [0, [["box", wire.INNER, chart("a", "4") + chart("d", "1")]]] };
  await page.evaluate(() => window.dispatchEvent(new Event("online")));
  await joined();
  await called("beforeUpdate a 3", "mounted d 1", "updated a 4", "reconnected a 4");
});

test("hooks are called before anything of the patch is painted", async () => {
  await open(`<div id="box">${chart("a", "0")}</div>`);
  await page.evaluate(() => {
    const live = Reflect.get(document, Symbol.for("mizu"));
    const draw = (/** @type {Element} */ element) => element.setAttribute("title", element.textContent ?? "");
    live.hook("Chart", { mounted: draw, updated: draw });
    /** @type {string[]} */
    const wrong = [];
    const paint = () => {
      for (const { id, title, textContent } of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-lv-hook]"))) if (title !== textContent) wrong.push(`${id} ${title}`);
      requestAnimationFrame(paint);
    };
    paint();
    Object.assign(window, { wrong });
  });
  for (let n = 1; n <= 30; n++) server.patch(["box", wire.INNER, chart("a", String(n)) + chart(`b${n}`, String(n))]);
  await page.waitForSelector("#b30");
  await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
  assert.deepEqual(await page.evaluate(() => Reflect.get(window, "wrong")), []);
});

test("what a person and a widget do in it is no update", async () => {
  const inside = `<input id="i"><details id="d"><summary>s</summary></details><div data-lv-ignore></div>`;
  await open(`<div id="box">${chart("a", inside)}<p id="p">0</p></div>`);
  await hook("Chart");
  await called(`mounted a s`);
  await page.fill("#i", "typed");
  await page.click("#d summary");
  await page.evaluate(() => document.querySelector("#a [data-lv-ignore]")?.append(document.createElement("canvas")));
  server.patch(["box", wire.INNER, `${chart("a", inside)}<p id="p">1</p>`]);
  await page.waitForFunction(() => document.querySelector("#p")?.textContent === "1");
  server.patch(["box", wire.INNER, `${chart("a", `${inside}!`)}<p id="p">1</p>`]);
  await called("beforeUpdate a s", "updated a s!");
  assert.equal(await page.$eval("#a canvas", () => true), true);
});
