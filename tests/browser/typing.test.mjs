/** A person types, chooses and opens things while the server changes the page around them, every few milliseconds. */
import assert from "node:assert/strict";
import { browser, joined, parted, text, visit } from "./support/browser.mjs";
import { Proxy } from "./support/proxy.mjs";
import { serve } from "./support/server.mjs";
import { becomes } from "./support/wait.mjs";

const scene = browser();
const lab = serve("lab");

/** Waits until this many more patches have changed the page. @param {import("./support/browser.mjs").Page} page @param {number} [patches] */
async function patched(page, patches = 3) {
  const before = Number(await text(page, "#tick"));
  await page.waitForFunction((tick) => Number(document.querySelector("#tick").textContent) >= tick, before + patches);
}

/** Sets what the server shows, and waits until it shows. @param {import("./support/browser.mjs").Page} page @param {Record<string, string>} values */
async function set(page, values) {
  const response = await fetch(`${lab.url}/set?${new URLSearchParams(values)}`, { method: "POST" });
  assert.equal(response.status, 204);
  await patched(page);
}

/** @param {import("./support/browser.mjs").Page} page @param {string} selector */
function field(page, selector) {
  return page.locator(selector).evaluate((input) => ({
    value: input.value,
    caret: [input.selectionStart, input.selectionEnd],
    focused: document.activeElement === input,
  }));
}

scene("D1 typing goes on through patches around the input and on it", async ({ page }) => {
  await visit(page, `${lab.url}/widgets`);
  const note = await page.locator("#note").elementHandle();
  await page.click("#note");
  await page.keyboard.press("Home");
  for (const letter of "Now and ") {
    await page.keyboard.type(letter);
    await patched(page, 1);
  }
  assert.deepEqual(await field(page, "#note"), { value: "Now and once", caret: [8, 8], focused: true });
  assert.ok(Number(await page.getAttribute("#note", "title")) >= 8, "its other attributes are patched");
  assert.ok(await note.evaluate((input) => input === document.querySelector("#note")), "it is the same node");
});

scene("D3 a selection stays as it is, its direction included", async ({ page }) => {
  await visit(page, `${lab.url}/widgets`);
  for (const selector of ["#note", "#story"]) {
    await page.locator(selector).fill("one two three");
    await page.locator(selector).evaluate((input) => input.setSelectionRange(4, 7, "backward"));
    await patched(page);
    assert.deepEqual(await field(page, selector), { value: "one two three", caret: [4, 7], focused: true });
    assert.equal(await page.locator(selector).evaluate((input) => input.selectionDirection), "backward");
  }
});

scene("D3 D4 fields that tell no selection keep what is typed, bad input included", async ({ page }) => {
  await visit(page, `${lab.url}/widgets`);
  await page.click("#mail");
  for (const letter of "a@b") {
    await page.keyboard.type(letter);
    await patched(page, 1);
  }
  assert.equal(await page.inputValue("#mail"), "a@b");
  await page.click("#many");
  for (const letter of "1e-") {
    await page.keyboard.type(letter);
    await patched(page, 1);
  }
  await page.keyboard.type("2");
  assert.equal(await page.locator("#many").evaluate((input) => input.valueAsNumber), 0.01);
});

scene("D1 D24 a value that the server sets shows at once where nobody writes, and never under a writing hand", async ({ page }) => {
  await visit(page, `${lab.url}/widgets`);
  await set(page, { text: "second" });
  assert.equal(await page.inputValue("#set"), "second");
  assert.equal(await page.inputValue("#story"), "second");

  await page.click("#set");
  await page.keyboard.press("End");
  await page.keyboard.type(" thought");
  await set(page, { text: "third" });
  assert.deepEqual(await field(page, "#set"), { value: "second thought", caret: [14, 14], focused: true });
  assert.equal(await page.getAttribute("#set", "value"), "third", "the attribute is the server's");
  assert.equal(await page.inputValue("#story"), "third");
  await page.keyboard.type("!");
  await page.click("h1");
  await patched(page);
  assert.equal(await page.inputValue("#set"), "second thought!", "what was written last wins");
});

scene("D24 a value that the server made of the input shows when the field is left", async ({ page }) => {
  await visit(page, `${lab.url}/widgets`);
  await page.click("#upper");
  await page.keyboard.type("quiet");
  await becomes(() => page.getAttribute("#upper", "value"), "QUIET");
  await patched(page);
  assert.deepEqual(await field(page, "#upper"), { value: "quiet", caret: [5, 5], focused: true });
  await page.click("h1");
  await becomes(() => page.inputValue("#upper"), "QUIET");
});

scene("D20 a composition of an input method is not disturbed", async ({ context, page }) => {
  await visit(page, `${lab.url}/widgets`);
  await page.locator("#set").fill("");
  await page.evaluate(() => {
    window.compositions = [];
    for (const type of ["compositionstart", "compositionend"]) {
      document.addEventListener(type, ({ data }) => window.compositions.push([type, data]));
    }
  });
  const keyboard = await context.newCDPSession(page);
  for (const composed of ["に", "にほ", "にほん"]) {
    await keyboard.send("Input.imeSetComposition", { text: composed, selectionStart: composed.length, selectionEnd: composed.length });
    await set(page, { text: `server at ${composed.length}` });
    assert.equal(await page.inputValue("#set"), composed);
  }
  await keyboard.send("Input.insertText", { text: "日本" });
  await patched(page);
  assert.deepEqual(await field(page, "#set"), { value: "日本", caret: [2, 2], focused: true });
  const compositions = await page.evaluate(() => window.compositions);
  assert.deepEqual(compositions.map(([type]) => type), ["compositionstart", "compositionend"]);
  assert.equal(compositions[1][1], "日本");
});

scene("D20 a composed text reaches the handler once it is there", async ({ context, page }) => {
  await visit(page, `${lab.url}/widgets`);
  await page.focus("#upper");
  const keyboard = await context.newCDPSession(page);
  await keyboard.send("Input.imeSetComposition", { text: "e", selectionStart: 1, selectionEnd: 1 });
  await patched(page);
  await keyboard.send("Input.insertText", { text: "é" });
  await becomes(() => page.getAttribute("#upper", "value"), "É");
  assert.equal(await page.inputValue("#upper"), "é");
});

scene("D5 a select keeps the choice, focused and open, and follows the server when left alone", async ({ page }) => {
  await visit(page, `${lab.url}/widgets`);
  const chosen = () => page.locator("#colour").evaluate((select) => select.value);
  assert.equal(await chosen(), "green");
  await set(page, { colour: "red" });
  assert.equal(await chosen(), "red");

  await page.selectOption("#colour", "blue");
  await patched(page, 4);
  assert.equal(await chosen(), "blue", "options that come and go change nothing");

  await page.focus("#colour");
  await page.keyboard.press("ArrowUp");
  await patched(page);
  assert.equal(await chosen(), "green");
  assert.equal(await page.evaluate(() => document.activeElement.id), "colour");

  await page.click("#colour");
  await patched(page);
  assert.equal(await page.evaluate(() => document.querySelector("#colour").matches(":open")), true, "the list stays open");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await patched(page);
  assert.equal(await chosen(), "blue");
});

scene("D4 a checkbox keeps its state, the third one included", async ({ page }) => {
  await visit(page, `${lab.url}/widgets`);
  await page.check("#agree");
  await patched(page);
  assert.equal(await page.isChecked("#agree"), true);
  await page.locator("#agree").evaluate((box) => (box.indeterminate = true));
  await patched(page);
  assert.equal(await page.locator("#agree").evaluate((box) => box.indeterminate), true);
});

scene("D7 details stay open, and closed again", async ({ page }) => {
  await visit(page, `${lab.url}/widgets`);
  const open = () => page.locator("#more").evaluate((details) => details.open);
  await page.click("#more summary");
  await patched(page);
  assert.equal(await open(), true);
  assert.match(await text(page, "#more p"), /^inside \d+$/);
  await page.click("#more summary");
  await patched(page);
  assert.equal(await open(), false);
});

scene("D7 a modal dialog stays modal while it is patched, and leaves nothing inert behind", async ({ page }) => {
  await visit(page, `${lab.url}/widgets`);
  const modal = () => page.evaluate(() => document.querySelector("#ask").matches(":modal"));
  await page.evaluate(() => document.querySelector("#ask").showModal());
  await page.keyboard.type("yes, please");
  await patched(page);
  assert.equal(await modal(), true);
  assert.equal((await field(page, "#answer")).focused, true);
  assert.equal(await page.inputValue("#answer"), "yes, please");
  await page.keyboard.press("Escape");
  await patched(page);
  assert.equal(await page.evaluate(() => document.querySelector("#ask").open), false);

  await set(page, { asking: "yes" });
  assert.equal(await page.evaluate(() => document.querySelector("#ask").open), true, "the server opens it");
  await set(page, { asking: "no" });
  assert.equal(await page.evaluate(() => document.querySelector("#ask").open), false, "and closes it");

  await set(page, { asking: "yes" });
  await page.evaluate(() => {
    const dialog = document.querySelector("#ask");
    dialog.close();
    dialog.showModal();
  });
  await set(page, { asking: "no" });
  assert.equal(await modal(), false);
  await page.click("#note");
  assert.equal((await field(page, "#note")).focused, true, "the page takes clicks again");
});

scene("D18 chosen files stay chosen", async ({ page }) => {
  await visit(page, `${lab.url}/widgets`);
  await page.setInputFiles("#file", { name: "leaf.txt", mimeType: "text/plain", buffer: Buffer.from("green") });
  await patched(page);
  assert.deepEqual(await page.locator("#file").evaluate((input) => [...input.files].map(({ name }) => name)), ["leaf.txt"]);
});

scene("D17 what is scrolled stays where it is", async ({ page }) => {
  await visit(page, `${lab.url}/widgets`);
  await page.evaluate(() => {
    document.querySelector("#scroll").scrollTop = 200;
    scrollTo(0, 120);
  });
  await patched(page, 6);
  assert.equal(await page.evaluate(() => document.querySelector("#scroll").scrollTop), 200);
  // Lines above come and go; the browser anchors what is looked at, so the page itself may move by their height and no more.
  assert.ok((await page.evaluate(() => scrollY)) > 0);
});

scene("D4 D7 D18 all of it survives a dropped connection", async ({ page, later }) => {
  const proxy = await Proxy.open(lab);
  later(() => proxy.close());
  await visit(page, `${proxy.url}/widgets`);
  await page.setInputFiles("#file", { name: "leaf.txt", mimeType: "text/plain", buffer: Buffer.from("green") });
  await page.click("#more summary");
  await page.check("#agree");
  await page.selectOption("#colour", "blue");
  await page.locator("#story").fill("a long story");
  await page.click("#note");
  await page.keyboard.press("Home");
  await page.keyboard.type("Not ");
  proxy.cut();
  await parted(page);
  await page.keyboard.type("only ");
  proxy.restore();
  await joined(page);
  await patched(page);
  assert.deepEqual(await field(page, "#note"), { value: "Not only once", caret: [9, 9], focused: true });
  const kept = await page.evaluate(() => [
    document.querySelector("#file").files.length,
    document.querySelector("#more").open,
    document.querySelector("#agree").checked,
    document.querySelector("#colour").value,
    document.querySelector("#story").value,
  ]);
  assert.deepEqual(kept, [1, true, true, "blue", "a long story"]);
});
