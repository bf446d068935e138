/** Nodes of all kinds, as patches must make, move and leave them: DOM 11 and 13 to 16 and 26, in steps and as a whole. */
import assert from "node:assert/strict";
import { RESYNC } from "../../runtime-js/src/constants.js";
import { browser, frames } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";
import { changes, plays, same } from "./support/stage.mjs";

const scene = browser();
const lab = serve("lab");
const play = plays(scene, lab);

/** @typedef {import("./support/browser.mjs").Page} Page */

/** What the page holds is what a browser makes of this HTML in the same place. @param {Page} page @param {string} html */
async function holds(page, html) {
  const [shown, fresh] = await page.evaluate((html) => {
    const stage = document.querySelector("#stage");
    const expected = stage.cloneNode(false);
    expected.innerHTML = html;
    // What the stage adds is left aside: the ballast, and the end of a line.
    const [shown, added] = stage.innerHTML.split("<footer>");
    return [added ? shown : shown.replace(/\n$/, ""), expected.innerHTML];
  }, html);
  assert.equal(shown, fresh);
}

/** Shows one after the other, and compares each. @param {Page} page @param {import("./support/stage.mjs").Stage} stage @param {string[]} all */
async function through(page, stage, ...all) {
  await stage.open(all[0]);
  await holds(page, all[0]);
  for (const html of all.slice(1)) {
    await stage.showAnyhow(html);
    await holds(page, html);
  }
}

play("D11 what is new in SVG and MathML is of their kind, names with capitals and links included", async ({ page, stage }) => {
  const html = (n, more = "") => `<p>${n}</p><svg viewBox="0 0 9 9"><linearGradient id="grad"><stop offset="${n}%"/></linearGradient><g id="g"><circle r="${n}"/>${more}</g></svg><math><mrow id="row"><mi>x${n}</mi></mrow></math>`;
  await stage.open(html(1));
  const kept = await same(page, "#g", "#grad", "#row");
  const added = `<a xlink:href="#grad"><text>link</text></a><foreignObject><b>html</b></foreignObject>`;
  await stage.show(html(2, added));
  await holds(page, html(2, added));
  const kinds = await page.evaluate(() => ["circle", "#g a", "foreignObject", "foreignObject b", "mi", "stop"].map((selector) => document.querySelector(`#stage ${selector}`).namespaceURI.split("/").at(-1)));
  assert.deepEqual(kinds, ["svg", "svg", "svg", "xhtml", "MathML", "svg"]);
  assert.equal(await page.locator("#g a").evaluate((link) => link.href.baseVal), "#grad");
  await stage.show(html(3, added.replace("#grad", "#g")));
  assert.equal(await page.locator("#g a").evaluate((link) => link.href.baseVal), "#g");
  await stage.show(html(4));
  await holds(page, html(4));
  await kept();
});

play("D11 a region inside an SVG is patched as SVG", async ({ page, stage }) => {
  const html = (n) => Array.from({ length: 30 }, (_, at) => `<circle id="c${at}" r="${at % n ? 1 : n}"></circle>`).join("");
  await stage.open(html(7), { within: "g" });
  const kept = await same(page, "#c0", "#c14", "#c29");
  const more = `<path id="p" d="M0 0h1"></path>`;
  await stage.show(html(7) + more);
  await holds(page, html(7) + more);
  await stage.show(html(8));
  assert.equal(await page.locator("#stage *").evaluateAll((all) => all.every((node) => node instanceof SVGElement)), true);
  await holds(page, html(8));
  await kept();
});

play("D13 what has an id stays the node it was, wherever it goes", async ({ page, stage }) => {
  const node = (id, inner = "") => `<div id="${id}">${inner}</div>`;
  await stage.open(node("a", node("b", node("c"))) + node("d") + "<p></p>");
  const kept = await same(page, "#a", "#b", "#c", "#d");
  for (const html of [
    node("d") + node("a", node("b", node("c"))) + "<p></p>",
    node("a", node("c") + node("b")) + node("d") + "<p></p>",
    node("a") + node("d", node("b", node("c"))) + "<p></p>",
    `<section>${node("c")}${node("b")}</section>${node("d", node("a"))}`,
    `<div>${node("c")}</div><div>${node("b")}</div>${node("a")}${node("d")}`,
    node("a", node("b") + node("c") + node("d")),
    node("d") + node("c") + node("b") + node("a"),
  ]) {
    await stage.showAnyhow(html);
    await holds(page, html);
    await kept();
  }
});

play("D13 one without an id never becomes one whose own node is elsewhere", async ({ page, stage }) => {
  const odd = `<li id="b">b<li class="x">x</li>text<li id="c"></li></li>`;
  await stage.open(`<section class="x"><b id="a">a</b></section>${odd}<li title="last">last</li>`);
  const kept = await same(page, "#a", "#b", "#c");
  await stage.showAnyhow(`<li title="last">last</li>${odd}<section class="x"><b id="a">a</b></section>`);
  await kept();
  await stage.showAnyhow(`<p>anonymous</p><div><p id="far">far</p></div>`);
  const far = await same(page, "#far");
  await stage.showAnyhow(`<p id="far">far</p><div></div>`);
  await far();
});

play("D13 elements that nest the other way round", async ({ page, stage }) => {
  const box = (id, inner) => `<div id="${id}">${inner}</div>`;
  await through(page, stage, box("outer", box("inner", "x")), box("inner", box("outer", "x")), box("outer", box("inner", "y")));
});

play("D13 numeric ids, ids that stand twice and tags that change under one id", async ({ page, stage }) => {
  await through(
    page,
    stage,
    `<p id="1">one</p><p id="2">two</p><i id="a.b:c">x</i>`,
    `<p id="2">two!</p><p id="1">one!</p><i id="a.b:c">y</i>`,
    `<b id="1">another tag</b><p id="2">two!</p><i id="a.b:c" title="t">y</i>`,
    `<p id="2">two!</p><b id="1">another <i>tag</i></b>`,
    `<p id="2">first</p><p id="2">second</p><b id="1">x</b>`,
    `<p id="2">first</p><p id="2">others</p><b id="1">x</b>`,
    `<p id="2">first</p><p>between</p><p id="2">second!</p><b id="1">x</b>`,
    `<p id="2">second!</p><b id="1">x</b>`,
  );
});

play("D14 whitespace, comments, entities and neighbouring texts are what a browser makes of them", async ({ page, stage }) => {
  await through(
    page,
    stage,
    `a`,
    `a<b>b</b>c`,
    ` a <b> b </b>\n\tc`,
    `<b>b</b> <!-- c --> d`,
    `<b>b</b><!-- other --> d`,
    `&lt;b&gt; &amp;amp; &quot;q&quot; &#65; &nbsp;|&copy; &hellip;`,
    `&lt;b&gt; &amp;amp; &quot;q&quot; &#66; &nbsp;|&copy; &hellip;`,
    `x &amp; y<!-- one --><!-- two -->z`,
    `x &amp; yz`,
    `<pre>\n\n two\n</pre><textarea>\n\nx</textarea>`,
    `<pre>\n\n three\n</pre><textarea>\n\ny</textarea>`,
    `水 🍵 e\u0301`,
    `水 🍵🍶 e\u0301!`,
    ``,
    `\n`,
    `<p></p>`,
  );
});

play("D15 rows, cells, options and items parse where they belong", async ({ page, stage }) => {
  const table = (rows) => `<table id="t"><caption>c</caption>${rows}</table>`;
  await through(
    page,
    stage,
    table(`<tr><td>1</td></tr>`),
    table(`<tr><td>1</td><td>2</td></tr><tr><td>3</td></tr>`),
    table(`<thead><tr><th>h</th></tr></thead><tbody id="body"><tr id="r1"><td>1</td></tr></tbody>`),
    table(`<thead><tr><th>h</th></tr></thead><tbody id="body"><tr id="r0"><td>0</td></tr><tr id="r1"><td>1</td><td>2</td></tr></tbody><tfoot><tr><td>f</td></tr></tfoot>`),
    table(`<colgroup><col span="2"></colgroup><tbody id="body"><tr id="r1"><td>1</td></tr><tr id="r0"><td>0</td></tr></tbody>`),
    `<select id="s"><option>1</option></select><ul><li>1<li>2</ul><dl><dt>t<dd>d</dl>`,
    `<select id="s"><option>0</option><option>1</option><optgroup label="g"><option>2</option></optgroup></select><ul><li>1<li>3<li>2</ul><dl><dt>t<dd>d<dd>e</dl>`,
    `<p>one<p>two`,
    `<p>one<p>three<div>four</div>`,
  );
});

for (const [within, item] of /** @type {const} */ ([
  ["tbody", (/** @type {number} */ at, /** @type {number} */ n) => `<tr id="r${at}"><td>${at}</td><td>${n}</td></tr>`],
  ["select", (/** @type {number} */ at, /** @type {number} */ n) => `<option id="r${at}" value="${at}">${at} at ${n}</option>`],
])) {
  play(`D15 a region that is a ${within} takes and moves what belongs in it`, async ({ page, stage }) => {
    const html = (/** @type {number} */ n, /** @type {number[]} */ ...touched) => Array.from({ length: 12 }, (_, at) => item(at, touched.includes(at) ? n : 0)).join("");
    await stage.open(html(0), { within });
    const kept = await same(page, "#r0", "#r5", "#r11");
    await stage.show(html(1, 5));
    await holds(page, html(1, 5));
    await stage.show(item(12, 2) + html(1, 5));
    await holds(page, item(12, 2) + html(1, 5));
    const back = html(0).split(/(?=<(?:tr|option) )/).reverse().join("");
    await stage.showAnyhow(back);
    await holds(page, back);
    await kept();
  });
}

play("D16 templates are patched in their contents, and body and html keep what scripts gave them", async ({ page, stage }) => {
  const html = (n, more = "") => `<p>${n}</p><template id="t"><b class="c${n}">in ${n}</b>${more}</template>`;
  await stage.open(html(0));
  await page.evaluate(() => {
    document.documentElement.dataset.theme = "dark";
    document.body.className = "menu";
    document.body.append("own");
  });
  const kept = await same(page, "#t");
  const inside = () => page.locator("#t").evaluate((template) => [template.innerHTML, template.childNodes.length]);
  await stage.show(html(1));
  assert.deepEqual(await inside(), [`<b class="c1">in 1</b>`, 0]);
  await stage.show(html(2, `<i>more</i>`));
  assert.deepEqual(await inside(), [`<b class="c2">in 2</b><i>more</i>`, 0]);
  assert.deepEqual(await page.evaluate(() => [document.documentElement.dataset.theme, document.body.className, document.body.lastChild.data, document.documentElement.lang]), ["dark", "menu", "own", "en"]);
  await kept();
});

play("D26 a patch changes the nodes that differ, once each, and no other", async ({ page, stage }) => {
  const html = (text, title = "t") =>
    `<p id="p" title="${title}">${text}</p><p class="x">a &amp; b</p><input value="a"><textarea>\n t</textarea><select><option selected>1</option><option>2</option></select><details open>d</details><dialog>m</dialog><svg viewBox="0 0 1 1"><circle r="1"/></svg><table><tbody><tr><td>1</td></tr></tbody></table><!-- c --><template><b>1</b></template><iframe src="/frame" title="f"></iframe><button data-lv-disable-with="Wait">b</button><div data-lv-ignore>own</div><form><input name="id"></form>`;
  await stage.open(html("one"));
  await page.fill("#stage > input", "typed");
  await page.fill("textarea", "typed");
  await page.selectOption("select", "2");
  const changed = await changes(page);
  const before = frames(page).length;
  await stage.showAnyhow(html("one"));
  assert.deepEqual(await changed(), []);
  const sent = frames(page).slice(before).filter(({ way, body }) => way === "received" && JSON.stringify(body).includes("stage"));
  assert.deepEqual(sent, [], "a rendering that is as it was isn't sent at all");
  await stage.show(html("two"));
  assert.deepEqual(await changed(), ["#text characterData"]);
  await stage.show(html("two", "other"));
  assert.deepEqual(await changed(), ["p#p title"]);
  assert.equal(frames(page).filter(({ way, kind }) => way === "sent" && kind === RESYNC).length, 0);
});

// That a region is asked for whole, and the answer is what is there already.
play("D26 a region that is sent once more as it is changes nothing", async ({ page, stage, watch }) => {
  watch.surprised = true;
  const html = (n) => `<p id="p">one</p><input value="a"><ul>${n ? "<li>1</li><li>2</li>" : "<li>1</li>"}</ul><textarea>t</textarea><svg><circle r="1"/></svg>`;
  await stage.open(html(0));
  // The page has it already: the steps that lead there come as a surprise.
  await page.evaluate(() => document.querySelector("#stage ul").insertAdjacentHTML("beforeend", "<li>2</li>"));
  const changed = await changes(page);
  await stage.showAnyhow(html(1));
  assert.deepEqual(await changed(), []);
  await holds(page, html(1));
});
