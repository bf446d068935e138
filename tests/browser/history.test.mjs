/** Away from the page and back to it. */
import assert from "node:assert/strict";
import { browser, joined, stamp, text, visit } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";
import { becomes } from "./support/wait.mjs";

const scene = browser();
// The driver switches the back/forward cache off, which users have.
const cached = browser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
const lab = serve("lab");

/** How many sessions of the page ended. */
async function left() {
  return Number(await (await fetch(`${lab.url}/counts/left`)).text());
}

scene("back to a page that is loaded again: it joins and works, and the old session is over", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
  const before = await left();
  await page.click("#away");
  await page.waitForURL("**/plain");
  await becomes(left, before + 1);
  await page.goBack();
  await joined(page);
  assert.equal(await text(page, "#count"), "0");
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
  await page.goForward();
  await page.waitForURL("**/plain");
  await page.click("#back");
  await joined(page);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
});

scene("D17 back to a page that is loaded again: the browser's restored input is kept", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.fill("#unsent", "half a sentence");
  await page.click("#away");
  await page.waitForURL("**/plain");
  await page.goBack();
  await joined(page);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
  assert.equal(await page.inputValue("#unsent"), "half a sentence");
});

scene("loading the page again starts a session of its own and ends the old one", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
  const before = await left();
  await page.reload();
  await joined(page);
  assert.equal(await text(page, "#count"), "0");
  await becomes(left, before + 1);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
});

scene("closing the tab ends the session", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  const before = await left();
  await page.close({ runBeforeUnload: true });
  await becomes(left, before + 1);
});

cached("D27 back from the back/forward cache: the document, its input and its session go on", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  const same = await stamp(page);
  await page.evaluate(() => addEventListener("pageshow", ({ persisted }) => (window.restored = persisted)));
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
  await page.fill("#unsent", "half a sentence");
  const before = await left();
  await page.click("#away");
  await page.waitForURL("**/plain");
  // A document from the cache was loaded long ago.
  await page.goBack({ waitUntil: "commit" });
  await joined(page);
  await same();
  assert.equal(await page.evaluate(() => window.restored), true, "it came from the cache");
  assert.equal(await text(page, "#count"), "1");
  assert.equal(await page.inputValue("#unsent"), "half a sentence");
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "2");
  assert.equal(await left(), before);
});
