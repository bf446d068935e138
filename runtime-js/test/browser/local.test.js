import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { add, kept, LocalHost, mirrors, press, says, SCOPE, seen, shows, watch } from "./local-support.js";
import { launch, until } from "./support.js";

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("playwright-core").BrowserContext} */
let context;
/** @type {LocalHost} */
let host;
/** What the pages threw, or their policy forbade. @type {string[]} */
let complaints;

before(async () => {
  browser = await launch();
});
after(() => browser.close());
beforeEach(async () => {
  host = await new LocalHost().start();
  context = await browser.newContext();
  complaints = [];
});
afterEach(async () => {
  await context.close();
  host.stop();
  assert.deepEqual(complaints, []);
});

async function open() {
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !/Failed to load resource|WebSocket/.test(text)) complaints.push(text);
  });
  await page.goto(host.url);
  await says(page, "#status", "online · all saved");
  await page.waitForSelector("#lv-root.lv-connected", { state: "attached" });
  return page;
}

/** The network is back. @param {import("playwright-core").Page} page */
async function reconnect(page) {
  host.down = false;
  await page.evaluate(() => window.dispatchEvent(new Event("online")));
  await page.waitForSelector("#lv-root.lv-connected", { state: "attached" });
}

test("one click is one mutation, and no event", async () => {
  const page = await open();
  await add(page, "Tea");
  await shows(page, "Tea");
  await press(page, "Tea", "toggle");
  await shows(page, "Tea+");
  await add(page, "Milk");
  await press(page, "Tea", "delete");
  await shows(page, "Milk");
  await says(page, "#status", "online · all saved");
  assert.deepEqual(host.todos.map(({ title }) => title), ["Milk"]);
  assert.equal(host.sync.ran.length, 4);
  assert.deepEqual([host.events, host.posts], [[], 0]);
  await mirrors(page, host);
});

test("adding, toggling and deleting work without a network, survive reloads, and merge afterwards", async () => {
  for (const [id, title] of [["00a", "Tea"], ["00b", "Milk"], ["00c", "Salt"]]) host.write({ id, title, done: false });
  const page = await open();
  const other = await (await browser.newContext()).newPage();
  await other.goto(host.url);
  await other.waitForSelector("#lv-root.lv-connected", { state: "attached" });
  await kept(page);
  host.down = true;
  await page.waitForSelector("#lv-root.lv-disconnected", { state: "attached" });
  await add(page, "Rice");
  await press(page, "Rice", "toggle");
  await press(page, "Tea", "toggle");
  await press(page, "Milk", "delete");
  await shows(page, "Tea+* Salt Rice+*");
  await says(page, "#status", "offline · 4 pending");
  for (let time = 0; time < 2; time++) {
    await page.reload();
    await shows(page, "Tea+* Salt Rice+*");
    await says(page, "#status", "offline · 4 pending");
    await says(page, "#count", "1 open");
  }
  await press(page, "Rice", "toggle");
  await add(page, "Oil");
  await shows(page, "Tea+* Salt Rice* Oil*");
  await says(page, "#count", "3 open");
  // Meanwhile, elsewhere.
  host.write({ id: "00d", title: "Soap", done: false });
  const looks = await Promise.all(["Rice", "Oil", "Salt"].map((title) => watch(page, title)));
  await reconnect(page);
  await says(page, "#status", "online · all saved");
  await shows(page, "Tea+ Salt Soap Rice Oil");
  for (const look of looks) assert.deepEqual(await look(), ["1"]);
  await mirrors(page, host);
  await says(page, "#count", "4 open");
  await other.waitForSelector("#lv-root.lv-connected", { state: "attached" });
  await shows(other, "Tea+ Salt Soap Rice Oil");
  assert.equal(host.sync.ran.length, 6);
  assert.deepEqual([host.events, host.posts], [[], 0]);
  await other.context().close();
});

test("the server's row takes over in place, whichever comes first, the answer or the patch", async () => {
  const page = await open();
  host.quiet = true;
  await add(page, "Answer");
  const first = await page.waitForSelector("#todos li");
  const answer = await watch(page, "Answer");
  await page.focus("#todos li .toggle");
  await says(page, "#status", "online · all saved");
  assert.equal(await seen(page), "Answer");
  host.tell();
  await until(() => first.evaluate((row) => !row.hasAttribute("data-lv-drawn")), "the server's row");
  assert.deepEqual(await answer(), ["1"]);
  assert.equal(await page.evaluate(() => document.activeElement?.className), "toggle");

  let pulls = 0;
  let released = () => {};
  const hold = new Promise((release) => (released = () => release(undefined)));
  await page.route("**/_sync/pull", async (route) => {
    pulls++;
    await hold;
    await route.continue();
  });
  await add(page, "Patch");
  const patch = await watch(page, "Patch");
  const second = await page.waitForSelector("#todos li:nth-child(2)");
  await until(() => second.evaluate((row) => !row.hasAttribute("data-lv-drawn")), "the server's row");
  assert.equal(await seen(page), "Answer Patch*");
  assert.ok(pulls);
  released();
  await shows(page, "Answer Patch");
  assert.deepEqual(await patch(), ["1"]);
  for (const element of [first, second]) assert.equal(await element.evaluate((row) => row.isConnected), true);
  await mirrors(page, host);
});

/** One's own change was taken for the server's word on what one had opened, and closed it when it was confirmed. */
test("what is open in a row stays open through one's own change of it, offline and confirmed", async () => {
  const page = await open();
  await add(page, "Tea");
  await mirrors(page, host);
  await page.click("#todos summary");
  await page.$eval("#todos dialog", (dialog) => /** @type {HTMLDialogElement} */ (dialog).showModal());
  await page.fill("#todos dialog .note", "half a thought");
  const state = () =>
    page.evaluate(() => {
      const note = /** @type {HTMLInputElement} */ (document.querySelector("#todos .note"));
      return [!!document.querySelector("#todos details[open]"), !!document.querySelector("#todos dialog:modal"), note.value, document.activeElement === note];
    });
  const kept = [true, true, "half a thought", true];
  // A modal dialog keeps the mouse out of the page below, but not a script.
  const toggle = () => page.$eval("#todos .toggle", (button) => /** @type {HTMLElement} */ (button).click());
  assert.deepEqual(await state(), kept);
  host.down = true;
  await toggle();
  await shows(page, "Tea+*");
  assert.deepEqual(await state(), kept);
  host.down = false;
  await shows(page, "Tea+");
  await says(page, "#status", "online · all saved");
  assert.deepEqual(await state(), kept);
  await toggle();
  await shows(page, "Tea");
  await says(page, "#status", "online · all saved");
  assert.deepEqual(await state(), kept);
});

test("what the server refuses is taken back, and said", async () => {
  host.write({ id: "00a", title: "Tea", done: false });
  const page = await open();
  await page.evaluate(() => {
    const root = /** @type {HTMLElement} */ (document.querySelector("#lv-root"));
    root.addEventListener("lv:rejected", (event) => (root.dataset.rejected = JSON.stringify(/** @type {CustomEvent} */ (event).detail)));
  });
  host.sync.mutator("todo.merge", () => {
    throw new Error("It is gone.");
  });
  host.sync.unavailable = 1;
  await press(page, "Tea", "toggle");
  await shows(page, "Tea+*");
  await shows(page, "Tea");
  await says(page, "#problem", "Error: It is gone.");
  assert.equal(await page.isVisible("#problem"), true);
  const detail = JSON.parse((await page.getAttribute("#lv-root", "data-rejected")) ?? "");
  assert.deepEqual([detail.name, detail.scope, detail.code], ["todo.merge", SCOPE, "failed"]);
  await mirrors(page, host);
});

test("what is typed is text, and no address is run", async () => {
  const page = await open();
  host.down = true;
  await page.waitForSelector("#lv-root.lv-disconnected", { state: "attached" });
  const titles = ["<img src=x onerror=alert(1)>", "\u{F0000}%F3%B0%80%80", "javascript:alert(1)", `"><script>alert(1)</script>`];
  for (const title of titles) await add(page, title);
  await until(async () => (await page.$$("#todos li")).length === titles.length);
  assert.deepEqual(await page.$$eval("#todos a", (links) => links.map((link) => link.textContent)), titles);
  assert.deepEqual(await page.$$eval("#todos a", (links) => links.map((link) => link.getAttribute("href"))), [titles[0], titles[1], null, titles[3]]);
  assert.equal(await page.$("#todos img, #todos script"), null);
});

test("two tabs show the same, without a network", async () => {
  const first = await open();
  await kept(first);
  const second = await open();
  host.down = true;
  await add(first, "Tea");
  await shows(second, "Tea*");
  await press(second, "Tea", "toggle");
  await shows(first, "Tea+*");
  await second.reload();
  await shows(second, "Tea+*");
  host.down = false;
  for (const page of [first, second]) await reconnect(page);
  for (const page of [first, second]) await shows(page, "Tea+");
  assert.equal(host.sync.ran.length, 2);
});

test("another user's page shows nothing of the first one's", async () => {
  const page = await open();
  await kept(page);
  host.down = true;
  await add(page, "Secret");
  await shows(page, "Secret*");
  await page.close();
  host.down = false;
  host.sync.user = "ben";
  const bens = await open();
  await until(() => bens.evaluate(async () => (await caches.keys()).some((name) => name.includes("ben"))), "the other page to be kept");
  assert.equal(await seen(bens), "");
  host.down = true;
  await bens.reload();
  await says(bens, "#status", "offline · all saved");
  assert.equal(await seen(bens), "");
  host.down = false;
  host.sync.user = "ann";
  await bens.goto(host.url);
  await shows(bens, "Secret");
});

test("without storage it works for as long as the page is open", async () => {
  await context.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("storage is switched off", "SecurityError");
    };
  });
  const page = await context.newPage();
  await page.goto(host.url);
  await says(page, "#status", "online · all saved · not kept");
  await add(page, "Tea");
  await shows(page, "Tea");
  host.down = true;
  await add(page, "Milk");
  await shows(page, "Tea Milk*");
  await reconnect(page);
  await shows(page, "Tea Milk");
  assert.equal(host.sync.ran.length, 2);
});
