/**
 * What a person has opened, plays, looks at, or a script has made, as it must come through patches: DOM 7 to 10, 12, 17, 19, 21
 * and 22, on a page that is patched in steps and one that is patched as a whole.
 */
import assert from "node:assert/strict";
import { RESYNC } from "../../runtime-js/src/constants.js";
import { browser, frames, joined, parted, stamp } from "./support/browser.mjs";
import { Proxy } from "./support/proxy.mjs";
import { serve } from "./support/server.mjs";
import { changes, field, plays, same, Stage } from "./support/stage.mjs";
import { becomes } from "./support/wait.mjs";

const scene = browser();
const lab = serve("lab");
const play = plays(scene, lab);

/** @typedef {import("./support/browser.mjs").Page} Page */

/** Questions for whole regions. @param {Page} page */
const asked = (page) => frames(page).filter(({ way, kind }) => way === "sent" && kind === RESYNC).length;
/** What the page itself counts. @param {Page} page */
const counted = (page) => page.evaluate(() => document[Symbol.for("mizu")].resyncs);

play("D7 details, dialogs and popovers stay as the user left them, and follow the server when it says something else", async ({ page, stage }) => {
  const html = (n, { open = "", asking = "" } = {}) =>
    `<p>${n}</p><details id="d" title="${n}"${open}><summary>More</summary>text ${n}</details><dialog id="m" title="${n}"${asking}><p>modal ${n}</p><input id="in"></dialog><div id="pop" popover="manual" title="${n}">popover ${n}</div><button id="out">out</button>`;
  await stage.open(html(0));
  const kept = await same(page, "#d", "#m", "#pop", "#in");
  const state = () => page.evaluate(() => [document.querySelector("#d").open, document.querySelector("#m").matches(":modal"), document.querySelector("#m").open, document.querySelector("#pop").matches(":popover-open")]);
  await page.click("summary");
  await page.evaluate(() => {
    document.querySelector("#pop").showPopover();
    document.querySelector("#m").showModal();
  });
  await page.keyboard.type("answer");
  await stage.show(html(1));
  assert.deepEqual(await state(), [true, true, true, true]);
  assert.deepEqual(await field(page, "#in"), { value: "answer", caret: [6, 6], focused: true });
  assert.equal(await page.getAttribute("#m", "title"), "1");
  await stage.show(html(2, { open: " open", asking: " open" }));
  assert.deepEqual(await state(), [true, true, true, true], "the server says what is so already");
  await stage.show(html(3));
  assert.deepEqual(await state(), [false, false, false, true], "the server closes");
  await page.evaluate(() => document.querySelector("#pop").hidePopover());
  await page.click("#out");
  assert.equal(await page.evaluate(() => document.activeElement.id), "out", "nothing is left inert");
  await stage.show(html(4));
  assert.deepEqual(await state(), [false, false, false, false]);
  await stage.show(html(5, { open: " open", asking: " open" }));
  assert.deepEqual(await state(), [true, false, true, false], "the server opens");
  await page.click("summary");
  await stage.show(html(6, { open: " open", asking: " open" }));
  assert.deepEqual(await state(), [false, false, true, false], "and what the user closed again stays closed");
  await kept();
});

play("D7 a modal dialog whose place changes stays modal, and one that the server takes away leaves nothing inert", async ({ page, stage }) => {
  const dialog = `<dialog id="m"><input id="in"></dialog>`;
  await stage.open(`<ul><li id="a">a</li></ul>${dialog}<p id="p">x</p>`);
  await page.evaluate(() => document.querySelector("#m").showModal());
  await page.keyboard.type("typed");
  await stage.show(`<p id="new">above</p><ul><li id="b">b</li><li id="a">a</li></ul>${dialog}<p id="p">x</p>`);
  assert.equal(await page.evaluate(() => document.querySelector("#m").matches(":modal")), true);
  assert.deepEqual(await field(page, "#in"), { value: "typed", caret: [5, 5], focused: true });
  await stage.show(`<p id="p">x</p><button id="out">out</button>`);
  await page.click("#out");
  assert.equal(await page.evaluate(() => document.activeElement.id), "out");
});

play("D8 a caret in rich text stays while what is above it and around it changes", async ({ page, stage }) => {
  const html = (n, above = "") => `${above}<p>${n}</p><div id="rich" contenteditable title="${n}">first <b>bold</b> server</div><div id="editor" data-lv-ignore contenteditable>own</div>`;
  await stage.open(html(0));
  for (const id of ["rich", "editor"]) {
    await page.locator(`#${id}`).click();
    await page.keyboard.press("Control+End");
    await page.keyboard.type(" typed");
    const caret = () => page.evaluate(() => {
      const { anchorNode, anchorOffset } = getSelection();
      return [anchorNode.data?.slice(0, anchorOffset).slice(-4), document.activeElement.id];
    });
    assert.deepEqual(await caret(), ["yped", id]);
    await stage.show(html(1, `<h2 id="h">above</h2><ul><li>more</li></ul>`));
    assert.deepEqual(await caret(), ["yped", id]);
    await page.keyboard.type("!");
    assert.match(await page.innerText(`#${id}`), / typed!$/);
    await stage.show(html(0));
    assert.deepEqual(await caret(), ["ped!", id]);
    assert.match(await page.innerText(`#${id}`), / typed!$/);
  }
  assert.equal(await page.innerText("#editor"), "own typed!");
});

/** In a long region a small change is looked for from the inside: what was around it was not seen, and patched into. */
play("D8 what only changes inside of what is left alone changes nothing there, however long the region", async ({ page, stage }) => {
  const rows = Array.from({ length: 60 }, (_, at) => `<p id="p${at}">One of many paragraphs, ${at}.</p>`).join("");
  const html = (/** @type {number} */ own, /** @type {number} */ rich) =>
    `${rows}<section data-lv-ignore><div><b id="own">server ${own}</b></div></section><div id="rich" contenteditable><b id="in">server ${rich}</b> and more</div>${rows.replaceAll('"p', '"q')}`;
  await stage.open(html(0, 0));
  const state = () => page.evaluate(() => ["own", "in"].map((id) => document.getElementById(id).textContent));
  await stage.showAnyhow(html(1, 0));
  assert.deepEqual(await state(), ["server 0", "server 0"]);
  await page.locator("#rich").click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("!");
  await stage.showAnyhow(html(1, 1));
  assert.deepEqual(await state(), ["server 0", "server 0"]);
  assert.equal(await page.innerText("#rich"), "server 0 and more!");
  await stage.showAnyhow(html(1, 1).replace("many paragraphs, 7.", "many, 7."));
  assert.equal(await page.innerText("#p7"), "One of many, 7.");
});

play("D9 frames and media are not loaded again by patches around them and moves", async ({ page, stage }) => {
  const parts = { f: `<iframe src="/frame" title="T"></iframe>`, v: `<video id="v" loop muted></video>`, a: `<audio id="a"></audio>` };
  const box = (id) => `<li id="box-${id}">${parts[id]}</li>`;
  const html = (n, order) => `<p>${n}</p><ul><li id="top">${n}</li>${order.map(box).join("")}</ul>`;
  await stage.open(html(0, ["f", "v", "a"]));
  await page.waitForFunction(() => window.frames_loaded === 1);
  await page.frameLocator("iframe").locator("#inside").fill("typed in the frame");
  const video = await page.evaluate(async () => {
    // A film of a canvas: what plays is not to be loaded, and would stop when its element is taken out of the document.
    const canvas = document.createElement("canvas");
    const drawing = canvas.getContext("2d");
    const film = canvas.captureStream();
    setInterval(() => drawing.fillRect(0, 0, 9, 9), 20);
    const video = document.querySelector("#v");
    video.srcObject = film;
    window.stopped = [];
    for (const type of ["pause", "emptied", "abort"]) video.addEventListener(type, () => window.stopped.push(type));
    await video.play();
    return video.paused;
  });
  assert.equal(video, false);
  const kept = await same(page, "iframe", "#v", "#a");
  parts.f = parts.f.replace("T", "Title");
  await stage.show(html(1, ["f", "v", "a"]));
  assert.equal(await page.getAttribute("iframe", "title"), "Title");
  await stage.show(html(2, ["a", "v", "f"]));
  await stage.show(html(3, ["v", "f", "a"]));
  assert.deepEqual(await page.locator("#stage li[id^=box]").evaluateAll((all) => all.map(({ id }) => id)), ["box-v", "box-f", "box-a"]);
  assert.equal(await page.frameLocator("iframe").locator("#inside").inputValue(), "typed in the frame");
  assert.deepEqual(await page.evaluate(() => [window.frames_loaded, document.querySelector("#v").paused, window.stopped]), [1, false, []]);
  await kept();
});

play("D10 custom elements are called once for what changes, and keep shadow trees, form values and what is ignored in them", async ({ page, stage }) => {
  const html = (n, order = ["one", "two"]) =>
    `<p>${n}</p><form id="f" data-lv-submit="save" method="post">${order.map((id) => `<x-field id="${id}" name="${id}" level="${n}" same="s"><span>light ${n}</span></x-field>`).join("")}<x-host id="host" data-lv-ignore></x-host><button>Save</button></form>`;
  await page.addInitScript(() => {
    window.calls = [];
    customElements.define("x-field", class extends HTMLElement {
      static formAssociated = true;
      static observedAttributes = ["level", "same"];
      #internals = this.attachInternals();
      constructor() {
        super();
        this.attachShadow({ mode: "open" }).innerHTML = `<input value="shadow"><slot></slot>`;
        this.shadowRoot.firstChild.addEventListener("input", ({ target }) => this.#internals.setFormValue(target.value));
      }
      connectedCallback() {
        window.calls.push(`${this.id} connected`);
      }
      connectedMoveCallback() {}
      disconnectedCallback() {
        window.calls.push(`${this.id} disconnected`);
      }
      attributeChangedCallback(name, old, value) {
        if (old !== null) window.calls.push(`${this.id} ${name}=${value}`);
      }
    });
  });
  await stage.open(html(0));
  const kept = await same(page, "#one", "#two", "#host");
  await page.evaluate(() => {
    document.querySelector("#host").append(document.createElement("b"), "foreign");
    window.calls = [];
  });
  await page.locator("#two input").fill("typed");
  await stage.show(html(1));
  assert.deepEqual(await page.evaluate(() => window.calls.splice(0)), ["one level=1", "two level=1"]);
  await stage.show(html(2, ["two", "one"]));
  assert.deepEqual((await page.evaluate(() => window.calls.splice(0))).sort(), ["one level=2", "two level=2"], "moves don't disconnect");
  assert.deepEqual(await page.evaluate(() => [document.querySelector("#two").shadowRoot.querySelector("input").value, document.querySelector("#host").innerHTML]), ["typed", "<b></b>foreign"]);
  assert.equal(await page.innerText("#two span"), "light 2");
  await kept();
  await page.click("#f button");
  assert.deepEqual((await stage.heard("save"))[1], { two: "typed" });
});

play("D12 scripts run when the document is loaded and never by a patch, and keep their nonces", async ({ page, stage }) => {
  const script = (n) => `<script id="s${n}" nonce="stage">window.ran = (window.ran ?? 0) + 1</script>`;
  const html = (n, ...more) => `<p>${n}</p>${script(1)}${more.join("")}<svg><script nonce="stage">window.ran = (window.ran ?? 0) + 1</script></svg>`;
  await stage.open(html(0));
  const nonce = () => page.locator("#s1").evaluate((script) => [script.nonce, script.getAttribute("nonce")]);
  assert.deepEqual([await page.evaluate(() => window.ran), await nonce()], [2, ["stage", ""]]);
  const kept = await same(page, "#s1");
  const changed = await changes(page);
  await stage.show(html(1));
  assert.deepEqual(await changed(), ["#text characterData"]);
  assert.deepEqual(await nonce(), ["stage", ""], "it is hidden from style sheets still");
  await stage.show(html(2, script(2), `<script src="/frame" nonce="stage"></script>`));
  await stage.show(html(3, script(3).replace("+ 1", "+ 10"), script(2)));
  assert.equal(await page.evaluate(() => window.ran), 2);
  await kept();
});

play("D17 the page and what scrolls in it stay where they are, and rows above what is looked at don't push it away", async ({ page, stage }) => {
  const rows = (from, to) => Array.from({ length: to - from }, (_, at) => `<p id="row${from + at}">row ${from + at}</p>`).join("");
  const html = (n, from) => `<p>${n}</p><div id="scroll" title="${n}" data-lv-ignore-attrs="style">${rows(from, 100)}</div><div id="list">${rows(100 + from, 300)}</div>`;
  await stage.open(html(0, 10));
  await page.evaluate(() => {
    document.querySelector("#scroll").style.cssText = "height: 8em; overflow: auto";
    document.querySelector("#scroll").scrollTop = 500;
    document.querySelector("#row200").scrollIntoView();
  });
  const place = () => page.evaluate(() => ["#row200"].map((row) => Math.round(document.querySelector(row).getBoundingClientRect().top) || 0));
  const inner = () => page.evaluate(() => [...document.querySelectorAll("#scroll p")].find((row) => row.getBoundingClientRect().bottom > row.parentNode.getBoundingClientRect().top + 2).id);
  const before = [await place(), await inner()];
  await stage.show(html(1, 10));
  assert.deepEqual([await place(), await inner()], before);
  await stage.show(html(2, 5));
  await becomes(async () => [await place(), await inner()], before);
  await stage.show(html(3, 12));
  await becomes(async () => [await place(), await inner()], before);
});

scene("D17 a hash leads to its place, and back and forward to where one was", async ({ page }) => {
  const stage = new Stage(page, lab, false);
  const html = (n) => `<p id="n">${n}</p><a id="go" href="#row150">go</a>${Array.from({ length: 300 }, (_, at) => `<p id="row${at}">row ${at}</p>`).join("")}`;
  await stage.open(html(0));
  const same = await stamp(page);
  const top = (row) => page.locator(row).evaluate((element) => Math.round(element.getBoundingClientRect().top) || 0);
  await page.evaluate(() => scrollTo(0, 40));
  const scrolled = await page.evaluate(() => scrollY);
  await page.click("#go");
  await becomes(() => top("#row150"), 0);
  await stage.showAnyhow(html(1));
  assert.equal(await top("#row150"), 0);
  await page.goBack();
  await becomes(() => page.evaluate(() => scrollY), scrolled);
  await stage.showAnyhow(html(2));
  assert.equal(await page.evaluate(() => scrollY), scrolled);
  await page.goForward();
  await becomes(() => top("#row150"), 0);
  await same();
});

play("D19 autofocus takes the focus from nobody, and what is inert stays so", async ({ page, stage }) => {
  const html = (n, more = "") => `<p>${n}</p><input id="i"><div id="off" inert title="${n}"><input id="never"></div>${more}`;
  await stage.open(html(0));
  await page.click("#i");
  await page.keyboard.type("ty");
  await stage.show(html(1, `<input id="greedy" autofocus>`));
  await page.keyboard.type("ping");
  assert.deepEqual(await field(page, "#i"), { value: "typing", caret: [6, 6], focused: true });
  await stage.show(html(2, `<input id="greedy" autofocus title="x">`));
  assert.deepEqual(await field(page, "#i"), { value: "typing", caret: [6, 6], focused: true });
  assert.equal(await page.locator("#off").evaluate((box) => box.inert), true);
  await page.locator("#never").evaluate((input) => input.focus());
  assert.equal((await field(page, "#never")).focused, false);
});

play("D22 what scripts did to attributes stays, where the server leaves it to them", async ({ page, stage, later }) => {
  const proxy = await Proxy.open(lab);
  later(() => proxy.close());
  const html = (n) =>
    `<p>${n}</p><div id="mine" class="server${n}" title="t${n}" data-lv-ignore-attrs="class style"><b>in ${n}</b></div><div id="whole" data-lv-ignore class="server${n}">server ${n}</div>`;
  await stage.open(html(0), { base: proxy.url });
  await page.evaluate(() => {
    const mine = document.querySelector("#mine");
    mine.className = "open by-script";
    mine.style.display = "none";
    document.querySelector("#whole").className = "own";
    document.querySelector("#whole").replaceChildren("own");
    document.body.classList.add("dark");
  });
  const state = () => page.evaluate(() => [document.querySelector("#mine").className, document.querySelector("#mine").style.display, document.querySelector("#mine").title, document.querySelector("#mine b").textContent, document.querySelector("#whole").outerHTML, document.body.className]);
  const expected = (n) => ["open by-script", "none", `t${n}`, `in ${n}`, `<div id="whole" data-lv-ignore="" class="own">own</div>`, "dark"];
  for (const n of [1, 2]) {
    await stage.show(html(n));
    assert.deepEqual(await state(), expected(n));
  }
  await page.evaluate(() => document.querySelector("#mine").removeAttribute("class"));
  await stage.show(html(3));
  assert.equal(await page.getAttribute("#mine", "class"), null, "one that was removed stays away");
  await page.evaluate(() => (document.querySelector("#mine").className = "open by-script"));
  proxy.cut();
  await parted(page);
  await stage.send(html(4));
  proxy.restore();
  await joined(page);
  await stage.shown();
  assert.deepEqual(await state(), expected(4));
});

// An extension can't be installed here. What one does to a page once it is read is done by a script: elements of its own beside fields
// and in lists, attributes, filled fields, all before there is a connection.
play("D21 what an extension put into the page before the connection stays there, once, and so does what it filled in", async ({ page, stage }) => {
  const html = (n) => `<p id="n">${n}</p><form id="login" title="${n}"><input id="user" name="user" title="${n}"><input id="password" type="password" title="${n}"><button>In ${n}</button></form><ul id="list"><li id="a">a ${n}</li>${n > 1 ? `<li id="b">b</li>` : ""}</ul>`;
  await page.addInitScript(() => {
    document.addEventListener("DOMContentLoaded", () => {
      const add = (/** @type {string} */ selector) => document.querySelector(selector)?.after(Object.assign(document.createElement("x-manager"), { textContent: "key" }));
      add("#user");
      add("#a");
      document.body.append(document.createElement("x-manager"));
      const fill = (/** @type {string} */ selector, /** @type {string} */ value) => {
        const field = document.querySelector(selector);
        if (!field) return;
        field.value = value;
        field.setAttribute("data-filled", "");
        field.dispatchEvent(new InputEvent("input", { bubbles: true }));
      };
      fill("#user", "ann");
      fill("#password", "secret");
    });
  });
  await stage.open(html(0));
  const state = () => page.evaluate(() => [document.querySelectorAll("#login x-manager").length, document.querySelectorAll("#list x-manager").length, document.querySelectorAll("body > x-manager").length, document.querySelector("#user").value, document.querySelector("#password").value]);
  assert.deepEqual(await state(), [1, 1, 1, "ann", "secret"]);
  for (const n of [1, 2, 3]) {
    await stage.showAnyhow(html(n));
    await becomes(() => page.innerText("#login button"), `In ${n}`);
    await becomes(() => page.innerText("#a"), `a ${n}`);
    assert.deepEqual(await state(), [1, 1, 1, "ann", "secret"], `after patch ${n}`);
    assert.equal(await page.getAttribute("#user", "title"), String(n));
  }
  assert.deepEqual(await page.locator("#list > li").evaluateAll((all) => all.map(({ id }) => id)), ["a", "b"]);
  // One that the server has as well is the server's.
  for (const n of [4, 5, 6]) {
    await stage.showAnyhow(html(3).replace("</ul>", `<x-manager>server ${n}</x-manager></ul>`));
    assert.deepEqual((await page.locator("#list x-manager").allInnerTexts()).filter((text) => text !== "key"), [`server ${n}`]);
  }
  await stage.showAnyhow(html(3));
  assert.deepEqual((await page.locator("#list x-manager").allInnerTexts()).filter((text) => text !== "key"), []);
  assert.deepEqual([await counted(page), asked(page)], [0, 0], "nobody was surprised");
});

play("D21 a change that nobody foresaw makes the page ask for the region once, and counts that", async ({ page, stage, watch }) => {
  watch.surprised = true;
  const html = (n) => `<ul>${Array.from({ length: n }, (_, at) => `<li>${at}</li>`).join("")}</ul><input id="i">`;
  await stage.open(html(2));
  await page.fill("#i", "typed");
  await page.evaluate(() => document.querySelector("#stage ul").append(document.createElement("li")));
  for (const n of [3, 4, 5]) {
    await stage.showAnyhow(html(n));
    await becomes(() => page.locator("#stage li").allInnerTexts(), Array.from({ length: n }, (_, at) => String(at)));
  }
  assert.equal(await page.inputValue("#i"), "typed");
  // A patch of a whole region surprises nobody.
  assert.ok(asked(page) <= 1);
  assert.equal(await counted(page), asked(page));
});
