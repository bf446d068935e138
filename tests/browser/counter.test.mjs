/** The counter: a page joins, a click goes to the server and comes back as a patch. */
import assert from "node:assert/strict";
import { EVENT, JOIN } from "../../runtime-js/src/constants.js";
import { answer, browser, frames, heard, sockets, stamp, text, texts, visit } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";
import { becomes } from "./support/wait.mjs";

const scene = browser();
const counter = serve("counter");

scene("clicks count, change the title and are logged, newest first", async ({ page }) => {
  await visit(page, `${counter.url}/counter`);
  const same = await stamp(page);
  assert.equal(await text(page, "#stats"), "Count: 0");
  assert.equal(await page.title(), "Counter: 0");
  for (const button of ["#inc", "#inc", "#inc", "#dec"]) await page.click(button);
  await becomes(() => text(page, "#stats"), "Count: 2");
  assert.equal(await page.title(), "Counter: 2");
  assert.deepEqual(await texts(page, "#log li"), ["dec to 2", "inc to 3", "inc to 2", "inc to 1"]);
  await same();
});

scene("the log keeps the last ten actions", async ({ page }) => {
  await visit(page, `${counter.url}/counter`);
  for (let click = 0; click < 13; click++) await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 13");
  assert.deepEqual(await texts(page, "#log li"), [13, 12, 11, 10, 9, 8, 7, 6, 5, 4].map((count) => `inc to ${count}`));
});

scene("frames are binary, the join of an unchanged page ships no HTML, and a click costs little", async ({ page }) => {
  await visit(page, `${counter.url}/counter`);
  const join = await answer(page, JOIN);
  assert.equal(join.body[1] ?? null, null, "the page is as it was served, so there is nothing to patch");
  assert.equal(join.body[2][5] ?? false, false, "the session of the GET is adopted, not mounted again");
  assert.ok(join.size < 100, `the answer to the join has ${join.size} bytes`);

  await page.click("#inc");
  const click = await answer(page, EVENT);
  assert.ok(click.size < 80, `the answer to the first click has ${click.size} bytes`);
  await becomes(() => text(page, "#stats"), "Count: 1");
  assert.deepEqual(sockets(page), [`${counter.url.replace("http", "ws")}/_live`]);
  assert.ok(frames(page).length >= 4 && frames(page).every((frame) => frame.binary));
});

scene("clicks in quick succession are all counted, in order", async ({ page }) => {
  await visit(page, `${counter.url}/counter`);
  await page.evaluate(() => {
    for (let click = 0; click < 40; click++) document.querySelector(click % 4 === 3 ? "#dec" : "#inc").click();
  });
  await becomes(() => text(page, "#stats"), "Count: 20");
  assert.equal((await texts(page, "#log li"))[0], "dec to 20");
});

scene("the page says that it is connected, once", async ({ page }) => {
  await visit(page, `${counter.url}/counter`);
  assert.deepEqual((await heard(page)).map(({ event }) => event), ["connected"]);
  assert.equal(await page.getAttribute("#lv-root", "class"), "lv-connected");
});

scene("a button works from the keyboard", async ({ page }) => {
  await visit(page, `${counter.url}/counter`);
  await page.focus("#inc");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Space");
  await becomes(() => text(page, "#stats"), "Count: 2");
  assert.equal(await page.evaluate(() => document.activeElement.id), "inc", "the focus stays on the button");
});
