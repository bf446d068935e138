/** Fields, as they must come through patches: DOM 1 to 6, 18, 20, 24 and 25, on a page that is patched in steps and one that is patched as a whole. */
import assert from "node:assert/strict";
import { EVENT } from "../../runtime-js/src/constants.js";
import { browser, frames, joined, parted } from "./support/browser.mjs";
import { Proxy } from "./support/proxy.mjs";
import { serve } from "./support/server.mjs";
import { changes, field, plays, same } from "./support/stage.mjs";
import { becomes, until } from "./support/wait.mjs";

const scene = browser();
const lab = serve("lab");
const play = plays(scene, lab);

/** @typedef {import("./support/browser.mjs").Page} Page */

/** What properties of an element are. @param {Page} page @param {string} selector @param {string[]} names */
const properties = (page, selector, ...names) => page.locator(selector).evaluate((element, names) => names.map((name) => element[name]), names);
/** @param {Page} page @param {string} selector */
const chosen = (page, selector) => page.locator(selector).evaluate((select) => [...select.selectedOptions].map(({ value }) => value));

play("D1 a focused input keeps its value while patches come around it and on it", async ({ page, stage }) => {
  const html = (n) => `${"<p>above</p>".repeat(n % 3)}<p><input id="i" value="" title="t${n}"${n % 2 ? " required" : ""}></p><b>${n}</b>`;
  await stage.open(html(0));
  const kept = await same(page, "#i");
  await page.click("#i");
  const text = "typed through it all";
  for (const [at, letter] of [...text].entries()) {
    await page.keyboard.type(letter);
    await stage.show(html(at + 1));
  }
  assert.deepEqual(await field(page, "#i"), { value: text, caret: [text.length, text.length], focused: true });
  assert.deepEqual([await page.getAttribute("#i", "title"), await page.getAttribute("#i", "required")], [`t${text.length}`, null]);
  await kept();
});

play("D2 a server that sets what the field shows already disturbs nobody", async ({ page, stage }) => {
  await stage.open(`<input id="i" value="">`);
  await page.evaluate(() => {
    window.fired = [];
    for (const type of ["input", "change", "select", "selectionchange"]) document.querySelector("#i").addEventListener(type, () => window.fired.push(type));
  });
  await page.click("#i");
  await page.keyboard.type("milk");
  await page.keyboard.press("ArrowLeft");
  await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
  await page.evaluate(() => (window.fired = []));
  const changed = await changes(page);
  await stage.show(`<input id="i" value="milk">`);
  assert.deepEqual(await changed(), ["input#i value"], "the attribute is written once");
  assert.deepEqual(await properties(page, "#i", "value", "defaultValue"), ["milk", "milk"]);
  assert.deepEqual(await field(page, "#i"), { value: "milk", caret: [3, 3], focused: true });
  await page.click("h1");
  assert.deepEqual(await properties(page, "#i", "value", "defaultValue"), ["milk", "milk"]);
  assert.deepEqual((await page.evaluate(() => window.fired)).filter((type) => type === "input" || type === "select"), [], "no event says that somebody typed");
});

play("D3 caret and selection stay through inserts above, reorder and another parent", async ({ page, stage }) => {
  const row = (id, inner = id) => `<li id="${id}">${inner}</li>`;
  const rows = (...all) => `<ul id="list">${all.join("")}</ul><div id="aside"></div>`;
  for (const [tag, open, close] of [["input", `<input id="f" value="one two three">`, ""], ["textarea", `<textarea id="f">one two three`, "</textarea>"]]) {
    const mine = row("mine", open + close);
    await stage.open(rows(row("a"), mine, row("b")));
    const kept = await same(page, "#f");
    await page.click("#f");
    await page.locator("#f").evaluate((input) => input.setSelectionRange(4, 7, "backward"));
    const check = async (/** @type {string} */ after) => {
      assert.deepEqual(await field(page, "#f"), { value: "one two three", caret: [4, 7], focused: true }, `${tag} after ${after}`);
      assert.deepEqual(await properties(page, "#f", "selectionDirection"), ["backward"]);
      await kept();
    };
    await stage.show(rows(row("new"), row("a"), mine, row("b")));
    await check("an insert");
    await stage.show(rows(row("b"), mine, row("a"), row("new")));
    await check("a reorder");
    await stage.show(rows(mine, row("new"), row("b"), row("a")));
    await check("a move");
    // Nothing but a browser can keep an element that goes to another parent: there are no steps for it.
    await stage.showAnyhow(`<ul id="list">${row("b")}</ul><div id="aside"><p>to here</p>${open}${close}</div>`);
    await check("another parent");
    await page.keyboard.type("TWO");
    assert.equal(await page.inputValue("#f"), "one TWO three");
  }
});

play("D3 D4 fields that tell no selection keep what is typed, bad input included", async ({ page, stage }) => {
  const html = (n) => `<p>${n}</p><ul>${n % 2 ? `<li id="x">x</li>` : ""}<li id="m"><input id="mail" type="email" title="${n}"></li><li id="y"><input id="number" type="number" title="${n}"></li></ul>`;
  await stage.open(html(0));
  await page.click("#mail");
  let n = 0;
  for (const letter of "ann@") {
    await page.keyboard.type(letter);
    await stage.show(html(++n));
  }
  await page.keyboard.press("Home");
  await stage.show(html(++n));
  await page.keyboard.type("j");
  assert.equal(await page.inputValue("#mail"), "jann@", "the caret stayed where it was");
  await page.click("#number");
  for (const letter of "1e-") {
    await page.keyboard.type(letter);
    await stage.show(html(++n));
  }
  assert.equal(await page.locator("#number").evaluate((input) => input.validity.badInput), true);
  await page.click("h1");
  await stage.show(html(++n));
  await page.focus("#number");
  await page.keyboard.press("End");
  await page.keyboard.type("2");
  assert.deepEqual(await properties(page, "#number", "valueAsNumber"), [0.01]);
});

play("D4 what the user checked and wrote is a property, and stays; what the server says anew is checked, and never written over", async ({ page, stage }) => {
  const html = (n, { on = "", value = "a", text = "a" } = {}) =>
    `<p>${n}</p><input id="box" type="checkbox" title="${n}"${on}><input id="r1" type="radio" name="r" title="${n}" checked><input id="r2" type="radio" name="r" title="${n}"><input id="i" value="${value}" title="${n}"><textarea id="t" title="${n}">${text}</textarea><input id="h" type="hidden" value="${value}">`;
  await stage.open(html(0));
  const state = async () => [
    ...(await properties(page, "#box", "checked", "indeterminate")),
    ...(await properties(page, "#r2", "checked")),
    ...(await properties(page, "#i", "value")),
    ...(await properties(page, "#t", "value")),
  ];
  await page.check("#box");
  await page.locator("#box").evaluate((box) => (box.indeterminate = true));
  await page.check("#r2");
  await page.fill("#i", "typed");
  await page.fill("#t", "typed\ntoo");
  await page.click("h1");
  await stage.show(html(1));
  assert.deepEqual(await state(), [true, true, true, "typed", "typed\ntoo"]);
  // It is checked already, for the user: only the attribute comes to it.
  await stage.show(html(2, { on: " checked", value: "b", text: "b" }));
  assert.deepEqual(await state(), [true, true, true, "typed", "typed\ntoo"]);
  assert.equal(await page.inputValue("#h"), "b");
  await stage.show(html(3, { value: "", text: "" }));
  assert.deepEqual(await state(), [false, true, true, "typed", "typed\ntoo"]);
});

play("D4 a field that becomes one of another type shows what the server says", async ({ page, stage }) => {
  await stage.open(`<form><input id="f" value="1"></form>`);
  await stage.show(`<form><input id="f" type="checkbox" checked></form>`);
  assert.deepEqual(await properties(page, "#f", "type", "checked", "defaultChecked"), ["checkbox", true, true]);
  await stage.show(`<form><input id="f" type="file" value="none"></form>`);
  assert.equal(await page.locator("#f").evaluate((input) => input.outerHTML.includes("none")), true);
  await stage.show(`<form><input id="f" type="radio" checked></form>`);
  await stage.show(`<form><input id="f" value="2"></form>`);
  assert.deepEqual(await properties(page, "#f", "type", "value", "defaultChecked"), ["text", "2", false]);
});

play("D5 a select keeps its choice while options come and go, focused and open", async ({ page, stage }) => {
  const options = (values, chosen = []) => values.map((value) => `<option value="${value}"${chosen.includes(value) ? " selected" : ""}>${value}</option>`).join("");
  const html = (values, chosen, n = 0) => `<p>${n}</p><select id="s">${options(values, chosen)}</select><select id="m" multiple>${options(values, chosen)}</select><select id="g"><optgroup label="g${n}">${options(values.slice(0, 2))}</optgroup><optgroup label="h">${options(values.slice(2))}</optgroup></select>`;
  await stage.open(html(["a", "b", "c", "d"]));
  await page.selectOption("#s", "c");
  await page.selectOption("#m", ["b", "d"]);
  await page.selectOption("#g", "d");
  await stage.show(html(["z", "a", "b", "c", "d"], [], 1));
  assert.deepEqual([await chosen(page, "#s"), await chosen(page, "#m"), await chosen(page, "#g")], [["c"], ["b", "d"], ["d"]]);
  await stage.show(html(["d", "c", "b"], [], 2));
  assert.deepEqual([await chosen(page, "#s"), await chosen(page, "#m"), await chosen(page, "#g")], [["c"], ["d", "b"], ["d"]]);
  await stage.show(html(["d", "c", "b"], ["b"], 3));
  assert.deepEqual([await chosen(page, "#s"), await chosen(page, "#m")], [["b"], ["b"]], "the server chooses");

  await page.locator("#s").evaluate((select) => (select.selectedIndex = -1));
  await stage.show(html(["d", "c", "b", "a"], ["b"], 4));
  assert.deepEqual(await properties(page, "#s", "selectedIndex"), [-1], "nothing is a choice as well");

  await page.click("#s");
  await stage.show(html(["d", "c", "b", "a", "e"], ["b"], 5));
  assert.equal(await page.locator("#s").evaluate((select) => select.matches(":open") && select === document.activeElement), true, "the list stays open");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.deepEqual(await chosen(page, "#s"), ["d"]);
  await stage.show(html(["c", "d"], ["c"], 6));
  assert.deepEqual(await chosen(page, "#s"), ["d"], "not under the hand that chooses");
});

play("D6 what is disabled by the server or while a submit waits is enabled again, and an accepted form is empty", async ({ page, stage, later }) => {
  const proxy = await Proxy.open(lab);
  later(() => proxy.close());
  const html = (n, { off = "", read = "" } = {}) =>
    `<p>${n}</p><form id="f" data-lv-submit="add" method="post"><fieldset${off}><input name="title" value="" title="${n}"${read}><textarea name="text"></textarea><input type="checkbox" name="c"></fieldset><button id="add" data-lv-disable-with="Adding" title="${n}">Add</button><button id="reset" type="reset">Reset</button></form>`;
  await stage.open(html(0), { base: proxy.url });
  await page.fill("[name=title]", "milk");
  await stage.show(html(1, { off: " disabled", read: " readonly" }));
  assert.deepEqual([await page.inputValue("[name=title]"), await page.isDisabled("[name=title]"), ...(await properties(page, "[name=title]", "readOnly"))], ["milk", true, true]);
  await stage.show(html(2));
  assert.deepEqual([await page.inputValue("[name=title]"), await page.isDisabled("[name=title]"), ...(await properties(page, "[name=title]", "readOnly"))], ["milk", false, false]);
  await page.click("#reset");
  assert.equal(await page.inputValue("[name=title]"), "");
  await stage.show(html(3));
  assert.equal(await page.inputValue("[name=title]"), "", "a form that was reset stays so");

  await page.fill("[name=title]", "bread");
  await page.fill("[name=text]", "two");
  await page.check("[name=c]");
  proxy.holdAnswers();
  await page.click("#add");
  assert.deepEqual([await page.innerText("#add"), await page.isDisabled("#add")], ["Adding", true]);
  await stage.send(html(4));
  proxy.restore();
  await stage.shown();
  await becomes(() => page.innerText("#add"), "Add");
  assert.deepEqual([await page.isDisabled("#add"), await page.getAttribute("#add", "title")], [false, "4"]);
  assert.deepEqual(await stage.heard("add"), ["add", { title: "bread", text: "two", c: "on" }]);
  await becomes(async () => [await page.inputValue("[name=title]"), await page.inputValue("[name=text]"), await page.isChecked("[name=c]")], ["", "", false]);
});

play("D6 a form that the server refuses keeps what was written", async ({ page, stage }) => {
  await stage.open(`<form data-lv-submit="refuse" method="post"><input name="title"><button data-lv-disable-with="Wait">Add</button></form>`);
  await page.fill("[name=title]", "milk");
  await page.click("form button");
  await page.waitForFunction(() => window.heard.some(({ event, code }) => event === "error" && code === "refused"));
  assert.deepEqual([await page.inputValue("[name=title]"), await page.isEnabled("form button")], ["milk", true]);
  await stage.show(`<form data-lv-submit="refuse" method="post"><p>Not this.</p><input name="title"><button data-lv-disable-with="Wait">Add</button></form>`);
  assert.equal(await page.inputValue("[name=title]"), "milk");
});

play("D18 chosen files stay chosen through patches and reconnects", async ({ page, stage, later }) => {
  const proxy = await Proxy.open(lab);
  later(() => proxy.close());
  const html = (n) => `${"<p>above</p>".repeat(n)}<p><input id="file" type="file" multiple title="${n}" value="${n}"></p>`;
  await stage.open(html(0), { base: proxy.url });
  const files = ["leaf", "stem"].map((name) => ({ name: `${name}.txt`, mimeType: "text/plain", buffer: Buffer.from(name) }));
  await page.setInputFiles("#file", files);
  const kept = await same(page, "#file");
  const read = () => page.locator("#file").evaluate((input) => Promise.all([...input.files].map((file) => file.text())));
  await stage.show(html(1));
  assert.deepEqual(await read(), ["leaf", "stem"]);
  proxy.cut();
  await parted(page);
  await stage.send(html(2));
  proxy.restore();
  await joined(page);
  await stage.shown();
  assert.deepEqual([await read(), await page.getAttribute("#file", "title")], [["leaf", "stem"], "2"]);
  await kept();
});

// An input method can't be installed here: the browser's own debugging protocol composes in its place, by the same path in the browser.
play("D20 a composition goes on while its field is patched, moved and given a value", async ({ context, page, stage }) => {
  const row = (id, inner) => `<li id="${id}">${inner}</li>`;
  const html = (n) => `<p>${n}</p><ul>${n % 2 ? row("a", n) : ""}${row("mine", `<input id="f" name="q" data-lv-input="typed" value="server ${n}" title="${n}">`)}${row("b", n)}</ul>`;
  await stage.open(html(0));
  await page.locator("#f").fill("");
  const before = (await stage.events()).length;
  await page.evaluate(() => {
    window.compositions = [];
    for (const type of ["compositionstart", "compositionend"]) document.addEventListener(type, () => window.compositions.push(type));
  });
  const keyboard = await context.newCDPSession(page);
  for (const [at, composed] of ["に", "にほ", "にほん"].entries()) {
    await keyboard.send("Input.imeSetComposition", { text: composed, selectionStart: composed.length, selectionEnd: composed.length });
    await stage.show(html(at + 1));
    assert.equal(await page.inputValue("#f"), composed);
  }
  await keyboard.send("Input.insertText", { text: "日本" });
  await stage.show(html(9));
  assert.deepEqual(await field(page, "#f"), { value: "日本", caret: [2, 2], focused: true });
  assert.deepEqual(await page.evaluate(() => window.compositions), ["compositionstart", "compositionend"]);
  await until(async () => (await stage.events()).slice(before).some(([, { q }]) => q === "日本"), "the composed text on the server");
});

// On Android every word is composed, with no key events that say what was typed: what reaches the page are these compositions.
play("D20 words that are composed one by one, as on Android, reach the server", async ({ context, page, stage }) => {
  const html = (n) => `<p>${n}</p><input id="f" name="q" data-lv-input="typed" title="${n}">`;
  await stage.open(html(0));
  await page.click("#f");
  const keyboard = await context.newCDPSession(page);
  let n = 0;
  for (const word of ["green ", "tea"]) {
    for (let end = 1; end <= word.trim().length; end++) {
      await keyboard.send("Input.imeSetComposition", { text: word.slice(0, end), selectionStart: end, selectionEnd: end });
      await stage.show(html(++n));
    }
    await keyboard.send("Input.insertText", { text: word });
    await stage.show(html(++n));
  }
  assert.equal(await page.inputValue("#f"), "green tea");
  await until(async () => (await stage.events()).at(-1)?.[1].q === "green tea", "the words on the server");
});

play("D24 the newest input wins over answers to older ones, and what the server made of it shows when the field is left", async ({ page, stage, later }) => {
  const proxy = await Proxy.open(lab);
  later(() => proxy.close());
  await stage.open(`<input id="i" name="q" data-lv-input="typed" value="{q}"><p>{q}</p>`, { base: proxy.url });
  const sent = () => frames(page).filter(({ way, kind }) => way === "sent" && kind === EVENT).length;
  proxy.holdAnswers();
  await page.click("#i");
  await page.keyboard.type("ab");
  await until(() => sent() === 2, "two events");
  proxy.restore();
  await becomes(() => page.innerText("#stage p"), "AB");
  assert.deepEqual(await field(page, "#i"), { value: "ab", caret: [2, 2], focused: true });
  proxy.holdAnswers();
  await page.keyboard.type("c");
  await page.click("h1");
  await until(() => sent() === 3, "the third event");
  assert.equal(await page.inputValue("#i"), "abc", "the answer to what is shown has not come");
  proxy.restore();
  await becomes(() => page.innerText("#stage p"), "ABC");
  await becomes(() => page.inputValue("#i"), "ABC");
});

play("D25 fields named like properties of their form are patched like any other", async ({ page, stage }) => {
  const names = ["id", "submit", "action", "method", "name", "target", "title", "style", "attributes", "children", "parent", "contains", "reset", "elements", "length", "__proto__", "constructor"];
  const html = (n) => `<form id="f" class="c${n}" data-lv-submit="odd" method="post">${n % 2 ? "<p>more</p>" : ""}${names.map((name) => `<input name="${name}" value="${name}" title="${n}">`).join("")}<button>Odd ${n}</button></form>`;
  await stage.open(html(0));
  // The driver asks elements for their properties, and would be led astray by these fields.
  await page.evaluate(() => document.querySelector("[name=action]").select());
  await page.keyboard.type("typed");
  for (const n of [1, 2]) {
    await stage.show(html(n));
    assert.deepEqual(await page.locator("#stage input").evaluateAll((all) => all.map((input) => input.getAttribute("title"))), names.map(() => String(n)));
    assert.equal(await page.locator(`form.c${n}`).count(), 1);
  }
  await page.keyboard.press("Enter");
  const [, fields] = await stage.heard("odd");
  assert.deepEqual(Object.entries(fields).sort(), names.map((name) => [name, name === "action" ? "typed" : name]).sort());
});
