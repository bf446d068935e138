import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { launch, until } from "./support.js";
import { create, shown, shows, SyncHost } from "./sync-support.js";

/** @typedef {import("./sync-support.js").AppWindow} AppWindow */

/** @type {import("playwright-core").Browser} */
let browser;
/** A profile of its own for each test. @type {import("playwright-core").BrowserContext} */
let context;
/** @type {SyncHost} */
let host;
/** What the pages threw. @type {string[]} */
let complaints;

before(async () => {
  browser = await launch();
});
after(() => browser.close());
beforeEach(async () => {
  host = await new SyncHost().start();
  context = await browser.newContext();
  complaints = [];
});
afterEach(async () => {
  await context.close();
  host.stop();
  assert.deepEqual(complaints, []);
});

/** @param {string} [path] */
async function open(path = "/plain") {
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(host.url + path);
  await page.waitForSelector("body[data-ready]", { state: "attached" });
  return page;
}

test("P18 a row is shown at once, pushed, acked by a pull, and there after a reload", async () => {
  const page = await open();
  await create(page, "a");
  await shows(page, "a");
  assert.deepEqual(host.titles, ["Title of a"]);
  await page.reload();
  await shows(page, "a");
  assert.equal(host.sync.ran.length, 1);
});

test("P20 a page that is closed right after writing has written", async () => {
  host.sync.unavailable = Infinity;
  const page = await open();
  await page.evaluate(() => {
    const { sync, SCOPE } = /** @type {AppWindow} */ (/** @type {unknown} */ (window));
    // Nobody waits for the disk here.
    for (const id of ["a", "b", "c"]) sync.mutate("todo.create", { id, title: id }, { scope: SCOPE });
  });
  await page.close();
  host.sync.unavailable = 0;
  const again = await open();
  await shows(again, "a b c");
  assert.deepEqual(host.titles, ["a", "b", "c"]);
});

test("P21 one tab leads, the other one shows the same, and takes over when it is closed", async () => {
  const first = await open();
  await first.waitForSelector("body[data-state$=leader]", { state: "attached" });
  const second = await open();
  await create(second, "a");
  await shows(first, "a");
  await shows(second, "a");
  assert.equal(await second.$("body[data-state$=leader]"), null);
  await first.close();
  await second.waitForSelector("body[data-state$=leader]", { state: "attached" });
  await create(second, "b");
  await shows(second, "a b");
  assert.equal(host.sync.ran.length, 2);
});

test("P23 another user of the browser has another database", async () => {
  host.sync.unavailable = Infinity;
  const page = await open();
  await create(page, "secret");
  await page.close();
  host.sync.unavailable = 0;
  host.sync.user = "bob";
  const bobs = await open();
  await create(bobs, "b");
  await shows(bobs, "b");
  assert.deepEqual(host.titles, ["Title of b"]);
  await bobs.close();
  host.sync.user = "ann";
  await shows(await open(), "secret");
});

test("an offline page is reloaded with its rows and what is pending, and sends it later", async () => {
  const page = await open("/todos");
  await create(page, "a");
  await shows(page, "a");
  await page.waitForSelector("body[data-kept]", { state: "attached" });
  await until(() => page.evaluate(async () => (await caches.keys()).length === 2));
  host.down = true;
  await create(page, "b");
  await page.reload();
  await shows(page, "a b*");
  assert.equal(await page.$eval("ul", (list) => getComputedStyle(list).listStyleType), "none");
  await page.reload();
  await shows(page, "a b*");
  host.down = false;
  await page.evaluate(() => window.dispatchEvent(new Event("online")));
  await shows(page, "a b");
  assert.deepEqual(host.titles, ["Title of a", "Title of b"]);
});

test("a page that was not named is not kept, and requests of the engine never are", async () => {
  const page = await open("/todos");
  await page.waitForSelector("body[data-kept]", { state: "attached" });
  await until(() => page.evaluate(async () => (await caches.keys()).length === 2));
  await page.goto(`${host.url}/plain`);
  await page.waitForSelector("body[data-ready]", { state: "attached" });
  const kept = await page.evaluate(async () => {
    const caches = await Promise.all((await self.caches.keys()).map((name) => self.caches.open(name)));
    return (await Promise.all(caches.map((cache) => cache.keys()))).flat().map(({ url }) => new URL(url).pathname);
  });
  assert.deepEqual(kept.sort(), ["/_mizu/1/mizu-sync.js", "/app.js", "/mizu-config", "/style.css", "/todos"]);
  host.down = true;
  await assert.rejects(page.reload());
});

test("a deploy is taken over on the next load, and what was kept of the old build goes", async () => {
  const page = await open("/todos");
  await page.waitForSelector("body[data-kept]", { state: "attached" });
  const builds = () => page.evaluate(async () => (await caches.keys()).filter((name) => name !== "mizu-config"));
  await until(async () => (await builds()).length === 1);
  host.build = "b2";
  await page.reload();
  assert.equal(await page.title(), "b2");
  await until(async () => (await builds()).join() === `mizu-["ann","b2"]`);
  host.down = true;
  await page.reload();
  assert.equal(await page.title(), "b2");
});

test("P23 signing out forgets the pages and the rows; another user's page replaces what was kept", async () => {
  const page = await open("/todos");
  await create(page, "a");
  await page.waitForSelector("body[data-kept]", { state: "attached" });
  const caches = () => page.evaluate(async () => (await self.caches.keys()).sort());
  await until(async () => (await caches()).length === 2);
  host.sync.user = "bob";
  await page.reload();
  await page.waitForSelector("body[data-kept]", { state: "attached" });
  await until(async () => (await caches()).join() === `mizu-["bob","b1"],mizu-config`);
  await page.evaluate(() => /** @type {AppWindow} */ (/** @type {unknown} */ (window)).sync.signOut({ discard: true }));
  assert.deepEqual(await caches(), []);
  assert.deepEqual(await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name)), [`mizu ["/_sync","ann"]`]);
  host.down = true;
  await assert.rejects(page.reload());
});

test("P23 signing out in one tab empties the other one at once, which says so", async () => {
  const first = await open();
  const second = await open();
  await create(first, "a");
  await shows(second, "a");
  host.sync.unavailable = Infinity;
  await create(second, "b");
  await shows(first, "a b*");
  await first.evaluate(() => /** @type {AppWindow} */ (/** @type {unknown} */ (window)).sync.signOut());
  for (const page of [first, second]) {
    await page.waitForSelector("body[data-state=ended]", { state: "attached" });
    await shows(page, "");
  }
  host.sync.unavailable = 0;
  await shows(await open(), "a b");
  assert.deepEqual(await Promise.all([first, second].map(shown)), ["", ""]);
});

test("the inspector shows rows, queue and cursor, live", async () => {
  const page = await open();
  await page.evaluate(async () => {
    const { sync } = /** @type {AppWindow} */ (/** @type {unknown} */ (window));
    const { inspector } = await import(/** @type {string} */ ("/_mizu/1/mizu-inspector.js"));
    document.body.append(inspector(sync));
  });
  const text = () => page.$eval("details", (panel) => panel.textContent);
  host.sync.unavailable = Infinity;
  await create(page, "a");
  await until(async () => /1 pending.*queue: 1.*todo\.create.*Title of a.*at e1\.0/s.test((await text()) ?? ""));
  host.sync.unavailable = 0;
  await page.evaluate(() => /** @type {AppWindow} */ (/** @type {unknown} */ (window)).sync.sync());
  await until(async () => /0 pending.*queue: 0.*at e1\.1/s.test((await text()) ?? ""));
  assert.equal(await shown(page), "a");
});
