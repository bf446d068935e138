/** The same pages without JavaScript: buttons and forms are native posts to the same handlers. */
import assert from "node:assert/strict";
import { browser, sockets, text, texts } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";
import { becomes } from "./support/wait.mjs";

const scene = browser();
const counter = serve("counter");
const feed = serve("feed");
const table = serve("table");
const lab = serve("lab");

/** @param {string} name @param {(scene: import("./support/browser.mjs").Scene) => Promise<void>} run */
const plain = (name, run) => scene(`without JavaScript ${name}`, run, { javaScriptEnabled: false });

plain("inc then dec gives 1 then 0, title and log included", async ({ page }) => {
  await page.goto(`${counter.url}/counter`);
  assert.equal(await text(page, "#stats"), "Count: 0");
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 1");
  assert.equal(await page.title(), "Counter: 1");
  await page.click("#dec");
  await becomes(() => text(page, "#stats"), "Count: 0");
  assert.deepEqual(await texts(page, "#log li"), ["dec to 0", "inc to 1"]);
  assert.deepEqual(sockets(page), []);
  assert.equal(page.url(), `${counter.url}/counter`, "the address is the page's own, fit for a bookmark");
});

plain("loading the page again after a click doesn't ask to send the form again, and starts anew", async ({ page }) => {
  await page.goto(`${counter.url}/counter`);
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 1");
  const response = await page.reload();
  assert.equal(response.request().method(), "GET");
  assert.equal(await text(page, "#stats"), "Count: 0");
});

plain("a post in two tabs counts for each on its own", async ({ context, page }) => {
  const other = await context.newPage();
  for (const tab of [page, other]) await tab.goto(`${counter.url}/counter`);
  await other.click("#dec");
  await becomes(() => text(other, "#stats"), "Count: -1");
  await page.bringToFront();
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 1");
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 2");
});

plain("going back and posting from there still reaches the page", async ({ page }) => {
  await page.goto(`${counter.url}/counter`);
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 1");
  await page.goto(`${lab.url}/plain`);
  await page.goBack();
  const shown = await text(page, "#stats");
  await page.click("#inc");
  await becomes(async () => /^Count: [12]$/.test(await text(page, "#stats")) && page.url().endsWith("/counter"), true);
  assert.match(shown, /^Count: [01]$/);
});

plain("a double click on a button leaves a page that works", async ({ page }) => {
  await page.goto(`${counter.url}/counter`);
  await page.dblclick("#inc");
  // The second post overtakes the answer of the first: both are handled, in whatever order the browser lets them.
  await becomes(async () => /^Count: [12]$/.test(await text(page, "#stats")), true);
  await page.waitForLoadState();
  const before = Number((await text(page, "#stats")).slice("Count: ".length));
  await page.click("#inc");
  await becomes(async () => Number((await text(page, "#stats")).slice("Count: ".length)) > before, true);
});

plain("what is posted to the feed shows after the redirect", async ({ page }) => {
  await page.goto(`${feed.url}/feed`);
  await page.fill("input[name=text]", "It rains & pours <b>");
  await page.click("form button");
  await becomes(async () => (await texts(page, "#feed li"))[0], "It rains & pours <b>");
  assert.equal(page.url(), `${feed.url}/feed`);
  assert.equal(await page.inputValue("input[name=text]"), "");
  await page.fill("input[name=text]", "It stopped.");
  await page.keyboard.press("Enter");
  await becomes(async () => (await texts(page, "#feed li")).slice(0, 2), ["It stopped.", "It rains & pours <b>"]);
});

plain("what the handler refuses is said, with status 422", async ({ page }) => {
  await page.goto(`${feed.url}/feed`);
  await page.fill("input[name=text]", "   ");
  const [response] = await Promise.all([page.waitForNavigation(), page.click("form button")]);
  assert.equal(response.status(), 422);
  assert.equal(await text(page, "#lv-flash"), "Write something first.");
});

plain("touching a row changes that row", async ({ page }) => {
  await page.goto(`${table.url}/table?rows=20`);
  const before = await texts(page, "#rows tr");
  const value = async () => Number(await text(page, "#row-7 td:nth-child(3)"));
  const touched = (await value()) + 1;
  await page.click("#row-7 .touch");
  await becomes(value, touched);
  assert.equal(page.url(), `${table.url}/table?rows=20`, "the query is kept");
  const after = await texts(page, "#rows tr");
  assert.equal(after.length, 20);
  assert.equal(after.filter((row, at) => row !== before[at]).length, 1);
});

plain("a form tells repeated fields in order and the button that was pressed", async ({ page }) => {
  await page.goto(`${lab.url}/events`);
  await page.click("#later");
  await becomes(async () => (await texts(page, "#seen li")).length, 1);
  const line = JSON.parse(await text(page, "#seen li"));
  assert.equal(line.name, "order");
  assert.deepEqual(line.form, [["tag", "a"], ["other", "x"], ["tag", "b"], ["tag", "c"], ["tag", "e"], ["tag", "f"], ["how", "later"]]);
});

plain("a button that names another event is that event", async ({ page }) => {
  await page.goto(`${lab.url}/events`);
  await page.click("#cancel");
  await becomes(async () => (await texts(page, "#seen li")).length, 1);
  const line = JSON.parse(await text(page, "#seen li"));
  assert.deepEqual([line.name, line.values], ["cancel", [["why", "cold"]]]);
});
