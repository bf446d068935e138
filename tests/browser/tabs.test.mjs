/**
 * Several tabs: what is published reaches all, what is done in one stays in it. A tab is brought to the front before it is
 * clicked in: in one behind, the browser paints once a second, and a click waits for that.
 */
import assert from "node:assert/strict";
import { JOIN } from "../../runtime-js/src/constants.js";
import { answer, browser, joined, text, texts, visit } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";
import { becomes } from "./support/wait.mjs";

const scene = browser();
const counter = serve("counter");
const feed = serve("feed");

/** @param {string} body */
async function publish(body) {
  const response = await fetch(`${feed.url}/publish`, { method: "POST", body });
  assert.equal(response.status, 204);
}

scene("what is published reaches every open tab", async ({ context, page }) => {
  const other = await context.newPage();
  for (const tab of [page, other]) await visit(tab, `${feed.url}/feed`);
  await publish("Good morning.");
  for (const tab of [page, other]) await becomes(async () => (await texts(tab, "#feed li"))[0], "Good morning.");
  await page.bringToFront();
  await page.fill("input[name=text]", "From the first tab.");
  await page.click("form button");
  for (const tab of [page, other]) {
    await becomes(async () => (await texts(tab, "#feed li")).slice(0, 2), ["From the first tab.", "Good morning."]);
  }
  await becomes(() => page.inputValue("input[name=text]"), "");
});

scene("fifty items are kept, newest first, in open tabs and in new ones", async ({ context, page }) => {
  await visit(page, `${feed.url}/feed`);
  for (let item = 1; item <= 55; item++) await publish(`item ${item}`);
  const expected = Array.from({ length: 50 }, (_, at) => `item ${55 - at}`);
  await becomes(() => texts(page, "#feed li"), expected);
  const other = await context.newPage();
  await visit(other, `${feed.url}/feed`);
  assert.deepEqual(await texts(other, "#feed li"), expected);
});

scene("what is published between the GET and the join is not missed", async ({ page }) => {
  /** @type {() => void} */
  let release = () => {};
  const held = new Promise((resolve) => (release = () => resolve(undefined)));
  await page.route("**/mizu-live.js", async (route) => {
    await held;
    await route.continue();
  });
  // The script is a module, so the document is complete only when it has run.
  await page.goto(`${feed.url}/feed`, { waitUntil: "commit" });
  await page.locator("#feed").waitFor({ state: "attached" });
  await publish("in between");
  release();
  await joined(page);
  await becomes(async () => (await texts(page, "#feed li"))[0], "in between");
});

scene("D28 two tabs of the counter are independent", async ({ context, page }) => {
  const other = await context.newPage();
  for (const tab of [page, other]) await visit(tab, `${counter.url}/counter`);
  await other.click("#dec");
  await page.bringToFront();
  await page.click("#inc");
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 2");
  await becomes(() => text(other, "#stats"), "Count: -1");
});

scene("a duplicated tab mounts anew and takes nothing from the first", async ({ context, page }) => {
  const html = await (await fetch(`${counter.url}/counter`)).text();
  // A document that the test serves has no address in the network, which keeps it from sockets of this machine.
  await context.grantPermissions(["local-network-access"]);
  await context.route("**/counter", (route) => route.fulfill({ contentType: "text/html; charset=utf-8", body: html }));
  await visit(page, `${counter.url}/counter`);
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 1");

  const copy = await context.newPage();
  await visit(copy, `${counter.url}/counter`);
  const join = await answer(copy, JOIN);
  assert.equal(join.body[2][5], true, "mounted anew");
  assert.equal(join.body[1] ?? null, null, "a fresh mount looks like the HTML it came with, so no HTML is shipped");
  assert.equal(await text(copy, "#stats"), "Count: 0");
  await copy.click("#dec");
  await becomes(() => text(copy, "#stats"), "Count: -1");

  await page.bringToFront();
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 2");
  assert.deepEqual(await texts(page, "#log li"), ["inc to 2", "inc to 1"]);
});
