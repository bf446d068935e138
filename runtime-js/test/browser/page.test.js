import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import * as wire from "../../src/constants.js";
import { launch, Server, until } from "./support.js";

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("playwright-core").Page} */
let page;
/** @type {Server} */
let server;
/** What the page complained about. @type {string[]} */
let complaints;

before(async () => {
  browser = await launch();
});
after(() => browser.close());
beforeEach(async () => {
  server = await new Server().start();
  page = await browser.newPage();
  complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
});
afterEach(async () => {
  await page.close();
  server.stop();
  // A socket that a test closes is reported by the browser; nothing else may be.
  assert.deepEqual(complaints.filter((text) => !text.includes("WebSocket")), []);
});

/** @param {string} content */
async function open(content) {
  server.content = content;
  await page.goto(server.url);
  await joined();
}

const joined = () => page.waitForSelector("#lv-root.lv-connected", { state: "attached" });
/** @param {string} selector */
const value = (selector) => page.$eval(selector, (element) => /** @type {HTMLInputElement} */ (element).value);
/** @param {string} text */
const shows = (text) => page.waitForFunction((text) => document.body.textContent?.includes(text), text);

/** Watches what changes in the whole document; the answer counts it. */
async function watchMutations() {
  await page.evaluate(() => {
    const counted = { mutations: 0 };
    new MutationObserver((records) => (counted.mutations += records.length)).observe(document, {
      subtree: true, childList: true, attributes: true, characterData: true,
    });
    Object.assign(window, { counted });
  });
  return () => page.evaluate(() => /** @type {{ counted?: { mutations: number } }} */ (/** @type {unknown} */ (window)).counted?.mutations);
}

test("a click travels, and its answer is applied", async () => {
  await open(`<button id="inc" form="lv" name="lv" value="inc" data-lv-value-by="2">+</button><p id="stats">Count: 0</p>`);
  await page.click("#inc");
  const event = await server.frame(wire.EVENT);
  assert.deepEqual(event.body.slice(0, 3), ["inc", null, [["by", "2"]]]);
  await page.waitForSelector("#inc.lv-click-loading");
  server.reply(event.ref, ["stats", wire.INNER, "Count: 2"]);
  await shows("Count: 2");
  assert.equal(await page.$("#inc.lv-click-loading"), null);
  assert.equal(server.loads, 1);
});

test("D1 typing goes on while patches arrive around and on the input", async () => {
  await open(`<div id="box"><p>0</p><input id="name" value="" class="a"></div>`);
  await page.focus("#name");
  const text = "the quick brown fox";
  for (const [n, letter] of [...text].entries()) {
    await page.keyboard.type(letter);
    server.patch(["box", wire.INNER, `<p>${n}</p>${n % 2 ? "<b>odd</b>" : ""}<input id="name" value="server ${n}" class="b${n}"><i>${n}</i>`]);
  }
  await page.waitForSelector(`input.b${text.length - 1}`);
  assert.equal(await value("#name"), text);
  assert.equal(await page.$eval("#name", (input) => input === document.activeElement), true);
  // None of it was sent, so what the server said it said without knowing of it: a submit sends what the user sees.
  await page.keyboard.press("Tab");
  assert.equal(await value("#name"), text);
});

test("D3 caret and selection stay, above, around and through a reorder", async () => {
  await open(`<ul id="list"><li id="a">A</li><li id="b"><input id="field"></li><li id="c">C</li></ul>`);
  await page.fill("#field", "selected text");
  await page.$eval("#field", (input) => /** @type {HTMLInputElement} */ (input).setSelectionRange(2, 7, "backward"));
  server.patch(["list", wire.INNER, `<li id="z">Z</li><li id="c">C</li><li id="b"><input id="field"></li><li id="a">A</li>`]);
  await page.waitForSelector("#z");
  const state = await page.$eval("#field", (element) => {
    const input = /** @type {HTMLInputElement} */ (element);
    return [input === document.activeElement, input.value, input.selectionStart, input.selectionEnd, input.selectionDirection];
  });
  assert.deepEqual(state, [true, "selected text", 2, 7, "backward"]);
  assert.deepEqual(await page.$$eval("#list > li", (items) => items.map((item) => item.id)), ["z", "c", "b", "a"]);
});

test("D4 D5 an unfocused field keeps what was typed, and a choice until the server says something else", async () => {
  await open(`<div id="box"><input id="one" value="a"><input id="two" type="checkbox"><select id="three"><option>x<option>y</select><p>0</p></div>`);
  await page.fill("#one", "typed");
  await page.check("#two");
  await page.selectOption("#three", "y");
  await page.$eval("#one", () => /** @type {HTMLElement} */ (document.activeElement).blur());
  server.patch(["box", wire.INNER, `<input id="one" value="a"><input id="two" type="checkbox"><select id="three"><option>w<option>x<option>y</select><p>1</p>`]);
  await shows("1");
  const state = () => page.evaluate(() => [...document.querySelectorAll("#box > input, select")].map((element) => {
    const input = /** @type {HTMLInputElement} */ (element);
    return input.type === "checkbox" ? input.checked : input.value;
  }));
  assert.deepEqual(await state(), ["typed", true, "y"]);
  server.patch(["box", wire.INNER, `<input id="one" value="b"><input id="two" type="checkbox" checked><select id="three"><option selected>w<option>x<option>y</select><p>2</p>`]);
  await shows("2");
  assert.deepEqual(await state(), ["typed", true, "w"]);
});

test("D6 D25 a submit hands its fields over, and disables its button meanwhile", async () => {
  await open(`<form id="f" data-lv-submit="add" method="post"><input type="hidden" name="lv" value="add" data-lv-plain><input name="id"><input name="submit"><input name="attributes" type="hidden"><select name="many" multiple><option selected>1<option>2<option selected>3</select><button name="how" value="fast" data-lv-disable-with="Adding">Add</button></form><textarea name="far" form="f">out</textarea><ul id="list"></ul>`);
  assert.equal(await page.$("[data-lv-plain]"), null);
  await page.fill("[name=id]", "milk");
  await page.focus("[name=submit]");
  await page.keyboard.type("more");
  await page.keyboard.press("Enter");
  const event = await server.frame(wire.EVENT);
  assert.equal(event.body[0], "add");
  assert.deepEqual(event.body[3], [["id", "milk"], ["submit", "more"], ["attributes", ""], ["many", "1"], ["many", "3"], ["how", "fast"], ["far", "out"]]);
  await page.waitForSelector("button:disabled:text('Adding')");
  server.patch(["f", wire.INNER, `<input name="id"><input name="submit"><input name="attributes" type="hidden"><button name="how" value="fast" data-lv-disable-with="Adding">Add it</button>`]);
  await page.fill("[name=id]", "newer");
  server.reply(event.ref, ["list", wire.INNER, "<li>milk</li>"]);
  await shows("milk");
  await page.waitForSelector("button:enabled:text('Add it')");
  assert.equal(await value("[name=id]"), "newer");
  assert.equal(await value("[name=submit]"), "");
});

test("D20 a composition is never written into", async () => {
  await open(`<div id="box"><input id="field" value=""><p>0</p></div>`);
  await page.focus("#field");
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Input.imeSetComposition", { text: "に", selectionStart: 1, selectionEnd: 1 });
  server.patch(["box", wire.INNER, `<input id="field" value="server"><p>1</p>`]);
  await shows("1");
  assert.equal(await value("#field"), "に");
  await devtools.send("Input.imeSetComposition", { text: "にほ", selectionStart: 2, selectionEnd: 2 });
  server.patch(["box", wire.INNER, `<b>above</b><input id="field" value="again"><p>2</p>`]);
  await shows("2");
  await devtools.send("Input.insertText", { text: "日本" });
  await until(async () => (await value("#field")) === "日本");
  assert.equal(await page.$eval("#field", (input) => input === document.activeElement), true);
});

test("D7 D18 details, dialogs and chosen files stay", async () => {
  await open(`<div id="box"><details id="d"><summary>More</summary>text</details><dialog id="m">modal</dialog><input type="file" id="file"><p>0</p></div>`);
  await page.click("summary");
  await page.$eval("#m", (dialog) => /** @type {HTMLDialogElement} */ (dialog).showModal());
  await page.setInputFiles("#file", { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("a") });
  const patch = (/** @type {string} */ text, open = "") => server.patch(["box", wire.INNER,
    `<details id="d"${open}><summary>More</summary>text ${text}</details><dialog id="m"${open}>modal ${text}</dialog><input type="file" id="file" class="${text}"><p>${text}</p>`]);
  const state = () => page.evaluate(() => [
    document.querySelector("details")?.open, document.querySelector("dialog")?.matches(":modal"),
    /** @type {HTMLInputElement} */ (document.querySelector("#file")).files?.length,
  ]);
  patch("one");
  await shows("text one");
  assert.deepEqual(await state(), [true, true, 1]);
  server.drop();
  await server.frame(wire.JOIN, 2);
  await joined();
  patch("two", " open");
  await shows("text two");
  assert.deepEqual(await state(), [true, true, 1]);
  patch("three");
  await shows("text three");
  assert.deepEqual(await state(), [false, false, 1]);
  assert.equal(await page.$eval("#box", (box) => box.matches(":modal") || !box.checkVisibility()), false);
});

test("D26 a patch that changes nothing mutates nothing", async () => {
  const content = `<p class="x">a &amp; b</p><input value="a"><textarea>\n t</textarea><select><option selected>1<option>2</select><details open>d</details><svg viewBox="0 0 1 1"><circle r="1"/></svg><table><tbody id="rows"><tr id="r1"><td>1</td></tr></tbody></table><!-- c -->`;
  await open(`<div id="box">${content}</div><p id="end">0</p>`);
  await page.fill("input", "typed");
  const mutations = await watchMutations();
  server.patch(["box", wire.INNER, content], ["r1", wire.OUTER, `<tr id="r1"><td>1</td></tr>`], ["rows", wire.INNER, `<tr id="r1"><td>1</td></tr>`]);
  server.send(wire.COMMAND, 0, [["title", "done"]]);
  await until(async () => (await page.title()) === "done");
  // The title is one, and the first at that.
  assert.equal(await mutations(), 1);
  assert.equal(await value("input"), "typed");
});

test("D11 D12 D15 rows, circles, options and ignored widgets parse and stay where they belong", async () => {
  await open(`<table><tbody id="rows"><tr id="r1"><td>1</td></tr></tbody></table><svg><g id="g"></g></svg><select id="s"></select><div id="w"><div data-lv-ignore id="map"></div><script>document.title = "ran"</script></div>`);
  await page.$eval("#map", (map) => map.append("widget"));
  server.patch(
    ["r1", wire.OUTER, `<tr id="r1" class="new"><td>one</td></tr>`],
    ["g", wire.INNER, `<circle r="3"/>`],
    ["s", wire.INNER, `<option>a<option selected>b`],
    ["w", wire.INNER, `<b>new</b><div data-lv-ignore id="map" class="x">server</div><script>document.title = "ran"</script><script src="/nothing.js"></script>`],
  );
  await page.waitForSelector("tbody > tr.new > td:text('one')");
  assert.equal(await page.$eval("#g > circle", (circle) => circle.namespaceURI), "http://www.w3.org/2000/svg");
  assert.equal(await value("#s"), "b");
  assert.equal(await page.$eval("#map", (map) => map.outerHTML), `<div data-lv-ignore="" id="map">widget</div>`);
  assert.equal(await page.title(), "Test");
  complaints = complaints.filter((text) => !text.includes("inline script"));
});

test("what was typed survives a restart of the server, and the new session is told", async () => {
  await open(`<form id="f" data-lv-change="check" data-lv-submit="save" method="post"><input name="title" value=""><textarea name="text"></textarea></form><input id="loose"><p id="end">0</p>`);
  await page.fill("[name=title]", "unsent");
  await page.fill("[name=text]", "long\ntext");
  await page.fill("#loose", "loose");
  await server.frame(wire.EVENT);
  server.mount = { fresh: true, patch: [0, [["lv-root", wire.INNER, `<form id="f" data-lv-change="check" data-lv-submit="save" method="post"><input name="title" value="x"><textarea name="text">y</textarea></form><input id="loose" class="n"><p id="end">restarted</p>`]]] };
  server.drop();
  await shows("restarted");
  assert.deepEqual(await Promise.all(["[name=title]", "[name=text]", "#loose"].map(value)), ["unsent", "long\ntext", "loose"]);
  const told = await until(() => server.all(wire.EVENT).find(({ body }) => JSON.stringify(body[3]).includes("long")));
  assert.deepEqual(told.body[3], [["title", "unsent"], ["text", "long\ntext"]]);
});

test("without a socket buttons and forms post natively", async () => {
  await open(`<button id="inc" form="lv" name="lv" value="inc" data-lv-value-by="2">+</button><form data-lv-submit="save" method="post"><input name="id" value="7"><button>Save</button></form><div id="div" data-lv-click="gone">x</div>`);
  server.down = true;
  server.drop();
  await page.waitForSelector("#lv-root.lv-disconnected");
  const refused = page.evaluate(() => new Promise((heard) => document.addEventListener("lv:refused", (event) => heard(/** @type {CustomEvent} */ (event).detail))));
  await page.click("#div");
  assert.deepEqual(await refused, { name: "gone", type: "click" });
  await page.waitForSelector("#lv-note[role=alert]");
  await page.click("#inc");
  await until(() => server.loads === 2);
  assert.deepEqual([...server.posts[0]], [["lv", "inc?by=2"], ["lv-token", "SESSION"]]);
  await page.click("text=Save");
  await until(() => server.loads === 3);
  await page.waitForLoadState();
  assert.deepEqual([...server.posts[1]].sort(), [["id", "7"], ["lv", "save"], ["lv-token", "TOKEN"]].sort());
});

test("D27 a tab that is looked at again, or was kept by the browser, comes back", async () => {
  await open(`<p>x</p>`);
  server.down = true;
  server.drop();
  await page.waitForSelector("#lv-root.lv-disconnected", { state: "attached" });
  server.down = false;
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await joined();
  assert.deepEqual((await server.frame(wire.JOIN, 2)).body[3], ["SESSION", 0]);
  await page.evaluate(() => {
    window.dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
    window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
  });
  await server.frame(wire.JOIN, 3);
  await joined();
  assert.equal(server.all(wire.LEAVE).length, 0);
});

test("leaving says so, and going back joins with the token of the HTML", async () => {
  await open(`<a href="/other">other</a>`);
  await page.click("a");
  await until(() => server.loads === 2);
  assert.deepEqual((await server.frame(wire.LEAVE)).body, ["unload"]);
  await page.goBack();
  await joined();
  for (const { body } of server.all(wire.JOIN)) assert.ok(body[0] === "TOKEN" || body[3], JSON.stringify(body));
  await page.reload();
  await joined();
  assert.equal(server.all(wire.JOIN).at(-1)?.body[0], "TOKEN");
});

test("patch links turn the page, keep it and its history, and survive a reload", async () => {
  const link = `<a id="more" href="/?rows=20" data-lv-patch><b>more</b></a>`;
  await open(`${"<br>".repeat(200)}${link}<input id="kept"><p id="rows">10 rows</p>`);
  await page.fill("#kept", "typed");
  await page.click("#more b");
  const scrolled = await page.evaluate(() => scrollY);
  const visit = await server.frame(wire.JOIN, 2);
  assert.deepEqual([visit.topic, visit.body], ["1", ["", "/?rows=20", new Map(), null, []]]);
  server.reply(visit.ref, ["rows", wire.INNER, "20 rows"]);
  await shows("20 rows");
  assert.equal(page.url(), `${server.url}?rows=20`);
  await page.goBack();
  const back = await server.frame(wire.JOIN, 3);
  assert.deepEqual([back.topic, back.body[1]], ["1", "/"]);
  server.reply(back.ref, ["rows", wire.INNER, "10 rows"]);
  await shows("10 rows");
  assert.equal(await page.evaluate(() => scrollY), scrolled);
  await page.goForward();
  server.reply((await server.frame(wire.JOIN, 4)).ref, ["rows", wire.INNER, "20 rows"]);
  await shows("20 rows");
  assert.equal(await value("#kept"), "typed");
  assert.equal(server.loads, 1);

  server.drop();
  assert.deepEqual((await server.frame(wire.JOIN, 5)).body.slice(1, 2), ["/?rows=20"]);
  await joined();
  await page.reload();
  await joined();
  assert.equal(server.all(wire.JOIN).at(-1)?.body[1], "/?rows=20");
  // Entries of before the reload are of this page still.
  await page.goBack();
  const before = await until(() => server.all(wire.JOIN).filter(({ topic }) => topic)[3]);
  assert.equal(before.body[1], "/");
  server.reply(before.ref, ["rows", wire.INNER, "first again"]);
  await shows("first again");
  assert.equal(server.loads, 2);

  await page.click("#more");
  await until(() => server.all(wire.JOIN).filter(({ topic }) => topic).length === 5);
  server.drop();
  await until(() => server.loads === 3);
  await page.waitForURL("**/?rows=20");
  await joined();
});

test("an answered join is acknowledged, and flash messages reach the next page", async () => {
  await open(`<p>x</p>`);
  assert.deepEqual(await server.frame(wire.ACK), { kind: wire.ACK, topic: "1", ref: 0, body: [0] });
  server.send(wire.REDIRECT, 0, ["/next", false, 0, "signed-flash"]);
  await until(() => server.loads === 2);
  assert.match(server.cookie ?? "", /lv-flash=signed-flash/);
  // Chromium may hang when a tab is closed in the middle of a navigation.
  await page.waitForURL("**/next");
  await joined();
});
