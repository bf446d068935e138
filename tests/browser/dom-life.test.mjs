/** What happens around patches: timers of what is removed (DOM 23), tabs that sleep and come back (27), two tabs of one user (28). */
import assert from "node:assert/strict";
import { EVENT, JOIN } from "../../runtime-js/src/constants.js";
import { answer, browser, frames, joined, stamp } from "./support/browser.mjs";
import { Proxy } from "./support/proxy.mjs";
import { serve } from "./support/server.mjs";
import { plays, Stage } from "./support/stage.mjs";
import { becomes, until } from "./support/wait.mjs";

const scene = browser();
const lab = serve("lab");
const play = plays(scene, lab);

/** How many events the page sent. @param {import("./support/browser.mjs").Page} page */
const sent = (page) => frames(page).filter(({ way, kind }) => way === "sent" && kind === EVENT).length;

/** Names of the events that the server heard. @param {Stage} stage */
const names = async (stage) => (await stage.events()).map(([name, fields]) => [name, ...Object.values(fields)]);

play("D23 input that waits in a field which is removed does no harm, and what comes after it is sent", async ({ page, stage }) => {
  const html = (n, field = "") => `<p>${n}</p>${field}<button id="tap" form="lv" name="lv" value="tap">Tap</button>`;
  const field = `<input id="q" name="q" data-lv-input="search" data-lv-debounce="100">`;
  await stage.open(html(0, field));
  await page.click("#q");
  await page.keyboard.type("tea");
  await stage.show(html(1));
  assert.equal(await page.locator("#q").count(), 0);
  await page.click("#tap");
  await until(async () => (await names(stage)).some(([name]) => name === "tap"), "the click");
  // What was typed is told at most once, and not by a timer of later on.
  const before = await names(stage);
  assert.ok(before.filter(([name]) => name === "search").length <= 1);
  await stage.show(html(2, field));
  await page.click("#q");
  await page.keyboard.type("oolong");
  await becomes(async () => (await names(stage)).at(-1), ["search", "oolong"]);
  assert.deepEqual((await names(stage)).slice(0, before.length), before);
});

play("D23 leaving a field sends what waits in it, also while patches come", async ({ page, stage }) => {
  const html = (n) => `<p>${n}</p><input id="q" name="q" data-lv-input="search" data-lv-debounce="60000" title="${n}"><input id="b" name="b" data-lv-input="typed" data-lv-debounce="blur" title="${n}"><input id="other">`;
  await stage.open(html(0));
  await page.click("#q");
  await page.keyboard.type("te");
  await stage.show(html(1));
  await page.keyboard.type("a");
  await page.click("#b");
  await becomes(() => names(stage), [["search", "tea"]]);
  await page.keyboard.type("black");
  await stage.show(html(2));
  await page.click("#other");
  await becomes(() => names(stage), [["search", "tea"], ["typed", "black"]]);
});

play("D23 a submit takes with it what its form's fields wait for", async ({ page, stage }) => {
  const html = (n) => `<p>${n}</p><form data-lv-change="check" data-lv-submit="save" data-lv-debounce="60000" method="post" title="${n}"><input id="i" name="i" title="${n}"></form>`;
  await stage.open(html(0));
  await page.click("#i");
  await page.keyboard.type("milk");
  await stage.show(html(1));
  await page.keyboard.press("Enter");
  await until(async () => (await names(stage)).some(([name]) => name === "save"), "the submit");
  const all = await names(stage);
  assert.deepEqual(all.at(-1), ["save", "milk"], "nothing comes after it");
  assert.ok(all.length <= 2);
  await becomes(() => page.inputValue("#i"), "");
  await stage.show(html(2));
  assert.deepEqual(await names(stage), all);
});

play("D27 a hidden tab that lost its connection comes back without a load when it is looked at, with nothing lost", async ({ page, stage, later, context }) => {
  const proxy = await Proxy.open(lab);
  later(() => proxy.close());
  const html = (n) => `<p id="n">${n}</p><input id="i" title="${n}"><details id="d"><summary>s</summary>${n}</details>`;
  await stage.open(html(0), { base: proxy.url });
  const same = await stamp(page);
  await page.fill("#i", "typed");
  await page.click("summary");
  const devtools = await context.newCDPSession(page);
  // Asleep: timers and tasks of the page don't run until it is woken.
  await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
  proxy.drop();
  await stage.send(html(1));
  await stage.send(html(2));
  await devtools.send("Page.setWebLifecycleState", { state: "active" });
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await stage.shown();
  await joined(page);
  assert.deepEqual(await page.evaluate(() => [document.querySelector("#n").textContent, document.querySelector("#i").value, document.querySelector("#i").title, document.querySelector("#d").open]), ["2", "typed", "2", true]);
  const join = await answer(page, JOIN, 1);
  assert.equal(join.body[2][5] ?? false, false, "the session went on");
  await same();
});

scene("D28 two tabs of one user have sessions of their own", async ({ context, page }) => {
  const other = await context.newPage();
  const [stage, second] = [new Stage(page, lab, false), new Stage(other, lab, false)];
  const html = `<input id="i" name="q" data-lv-input="typed" value="{q}"><b>{q}</b>`;
  await stage.open(html);
  await second.open(html);
  await page.bringToFront();
  await page.click("#i");
  await page.keyboard.type("one");
  await becomes(() => page.innerText("#stage b"), "ONE");
  await other.bringToFront();
  await other.click("#i");
  await other.keyboard.type("two");
  await becomes(() => other.innerText("#stage b"), "TWO");
  assert.equal(await page.innerText("#stage b"), "ONE");
  await page.close();
  await other.keyboard.type("!");
  await becomes(() => other.innerText("#stage b"), "TWO!");
});
