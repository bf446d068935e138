/** Every kind of event, as it reaches the handler. */
import assert from "node:assert/strict";
import { browser, joined, text, texts, visit } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";
import { becomes } from "./support/wait.mjs";

const scene = browser();
const lab = serve("lab");

/** What arrived so far. @param {import("./support/browser.mjs").Page} page */
async function seen(page) {
  return (await texts(page, "#seen li")).map((line) => JSON.parse(line));
}

/** The one event that arrived. @param {import("./support/browser.mjs").Page} page */
async function only(page) {
  await becomes(async () => (await seen(page)).length, 1);
  return (await seen(page))[0];
}

scene("a debounced input sends once the typing rests, and only what stands there then", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  // In one turn: keys that travel one by one may come further apart than the debounce on a busy machine.
  await page.evaluate(() => {
    const input = document.querySelector("#debounced");
    for (const letter of "jasmine") {
      input.value += letter;
      input.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }
  });
  const line = await only(page);
  assert.deepEqual([line.name, line.type, line.form], ["search", "input", [["q", "jasmine"]]]);
});

scene("D23 a click sends debounced input first", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.evaluate(() => {
    const input = document.querySelector("#debounced");
    input.value = "first";
    input.dispatchEvent(new InputEvent("input", { bubbles: true }));
    document.querySelector("#tap").click();
  });
  await becomes(async () => (await seen(page)).map(({ name }) => name), ["search", "tap"]);
});

scene("D23 debounce=blur sends when the field is left", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.click("#late");
  await page.keyboard.type("abc");
  await page.click("#tap");
  await becomes(async () => (await seen(page)).map(({ name, form }) => [name, form]), [["typed", [["late", "abc"]]], ["tap", []]]);
});

scene("a throttled input sends the first at once and the last at the end", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.evaluate(() => {
    const input = document.querySelector("#throttled");
    for (const value of ["1", "12", "123", "1234"]) {
      input.value = value;
      input.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }
  });
  await becomes(async () => (await seen(page)).map(({ form }) => form[0][1]), ["1", "1234"]);
});

scene("keys pass the filter or don't", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.click("#keys");
  for (const key of ["a", "Enter", "Shift", "ArrowUp", "Escape", "b"]) await page.keyboard.press(key);
  await becomes(async () => (await seen(page)).map(({ name, key, type }) => [name, key, type]), [
    ["key", "Enter", "keydown"],
    ["key", "Escape", "keydown"],
  ]);
});

scene("a key of the window works wherever the focus is", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.keyboard.press("F2");
  await page.click("#unsent");
  await page.keyboard.press("F2");
  await page.keyboard.press("F3");
  await becomes(async () => (await seen(page)).map(({ name, key }) => [name, key]), [["shortcut", "F2"], ["shortcut", "F2"]]);
});

scene("focus and blur are told", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.focus("#focus");
  await page.keyboard.type("x");
  await page.focus("#unsent");
  await becomes(async () => (await seen(page)).map(({ name, type, form }) => [name, type, form]), [
    ["in", "focus", [["focus", ""]]],
    ["out", "blur", [["focus", "x"]]],
  ]);
});

scene("a submit carries repeated fields in order, and the button that was pressed", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.click("#now");
  const fields = [["tag", "a"], ["other", "x"], ["tag", "b"], ["tag", "c"], ["tag", "e"], ["tag", "f"]];
  const line = await only(page);
  assert.deepEqual(line.form, [...fields, ["how", "now"]]);
  assert.deepEqual([line.name, line.target, line.type, line.values], ["order", "basket", "submit", [["fast", "yes"]]]);
  await page.click("#later");
  await becomes(async () => (await seen(page))[1]?.form, [...fields, ["how", "later"]]);
  assert.deepEqual((await seen(page))[1].values, []);
});

scene("Enter in a field submits with the form's first button", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.focus("#order input[name=other]");
  await page.keyboard.press("Enter");
  assert.deepEqual((await only(page)).form.at(-1), ["how", "now"]);
});

scene("a button named lv is an event of its own, in its form as well", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.click("#cancel");
  const line = await only(page);
  assert.deepEqual([line.name, line.values], ["cancel", [["why", "cold"]]]);
});

scene("D25 fields named id, action, submit and the like are fields like any other", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.click("#odd button");
  const line = await only(page);
  const names = ["id", "action", "submit", "method", "elements", "__proto__"];
  assert.deepEqual([line.name, line.form], ["odd", names.map((name) => [name, name])]);
});

scene("values and target travel with a click, of a button and of anything else", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.click("#tap");
  await page.click("#span");
  await becomes(async () => (await seen(page)).map(({ name, target, type, values }) => [name, target, type, values]), [
    ["tap", "drum", "click", [["by", "2"]]],
    ["tap", null, "click", [["by", "3"]]],
  ]);
});

scene("D6 a button that waits for its answer shows it, and takes no second click", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.dblclick("#slow");
  assert.deepEqual([await text(page, "#slow"), await page.isEnabled("#slow")], ["Wait", false]);
  assert.match(await page.getAttribute("#slow", "class"), /lv-click-loading/);
  await becomes(() => text(page, "#slow"), "Slow");
  assert.deepEqual([await page.isEnabled("#slow"), await page.getAttribute("#slow", "class")], [true, null]);
  await page.click("#tap");
  await becomes(async () => (await seen(page)).map(({ name }) => name), ["slow", "tap"]);
});

scene("a form with a file is posted natively, and the session goes on", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
  await page.setInputFiles("#files", { name: "leaf.txt", mimeType: "text/plain", buffer: Buffer.from("green") });
  await page.click("#upload button");
  await becomes(async () => (await seen(page)).map(({ name, type }) => [name, type]), [["tap", "click"], ["upload", "post"]]);
  assert.deepEqual((await seen(page))[1].form[0], ["title", "Tea"]);
  await joined(page);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "3");
});

scene("without a file the same form goes through the socket", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  await page.click("#upload button");
  const line = await only(page);
  assert.deepEqual([line.name, line.type, line.form], ["upload", "submit", [["title", "Tea"]]]);
});
