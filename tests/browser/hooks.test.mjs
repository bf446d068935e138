/**
 * Hooks, from a real server: what they hear on each occasion, and how often, on a page that is patched in steps and one that is patched as a
 * whole, and through connections that are lost.
 */
import assert from "node:assert/strict";
import { browser, joined, parted, sockets, stamp } from "./support/browser.mjs";
import { Proxy } from "./support/proxy.mjs";
import { own, serve } from "./support/server.mjs";
import { changes, plays, same, Stage } from "./support/stage.mjs";
import { until } from "./support/wait.mjs";

const scene = browser();
const lab = serve("lab");
const play = plays(scene, lab);

/** @typedef {import("./support/browser.mjs").Page} Page */

/** Registers hooks that note each of their calls: the name, the call, the element's id and what it says at that moment. @param {Page} page @param {...string} names */
const register = (page, ...names) =>
  page.evaluate((names) => {
    window.calls ??= [];
    const all = ["mounted", "beforeUpdate", "updated", "destroyed", "disconnected", "reconnected"];
    for (const name of names) {
      const note = (what) => [what, ({ id, textContent }) => void window.calls.push(`${name} ${what} ${id} ${textContent}`)];
      document[Symbol.for("mizu")].hook(name, Object.fromEntries(all.map(note)));
    }
  }, names);

/** What was called since this was asked for last. @param {Page} page @returns {Promise<string[]>} */
const called = (page) => page.evaluate(() => window.calls.splice(0));

/** @param {string} id @param {string} inside @param {{ hook?: string, more?: string }} [options] */
const hooked = (id, inside, { hook = "A", more = "" } = {}) => `<div id="${id}" data-lv-hook="${hook}"${more}>${inside}</div>`;

/** Opens the stage through a network that fails. @param {import("./support/stage.mjs").Play} play @param {string} html @param {{ port: number }} [server] */
async function openBehind({ stage, later }, html, server = lab) {
  const proxy = await Proxy.before(server, later);
  await stage.open(html, { base: proxy.url });
  return proxy;
}

play("a hook is mounted once, whether a script names it before the page is joined or after that", async ({ page, stage }) => {
  const script = `<script type="module" nonce="stage">
    const { live } = await import(document.querySelector("script[src$='/mizu-live.js']").src);
    window.calls = [];
    live.hook("Early", { mounted: ({ id }) => window.calls.push("Early mounted " + id + " " + document.querySelector("#lv-root").className) });
  </script>`;
  const html = (n, hook) => `<p>${n}</p>${hooked("e", "1", { hook: "Early" })}${hooked("f", "1", { hook: "Early" })}${hooked("l", "1", { hook })}${script}`;
  await stage.open(html(0, "Late"));
  await until(() => page.evaluate(() => window.calls?.length >= 2), "the page's own hook");
  assert.deepEqual(await called(page), ["Early mounted e lv-connected", "Early mounted f lv-connected"]);
  await register(page, "Late");
  assert.deepEqual(await called(page), ["Late mounted l 1"]);
  await stage.show(html(1, "Late"));
  assert.deepEqual(await called(page), []);
});

play("a patch that changes a hook's element is told once before it and once after it, however much it changes", async ({ page, stage }) => {
  const html = (n, m = n) => `<p>${m}</p>${hooked("a", `<i>${n}</i><b title="${n}">${n}</b>${n % 2 ? `<u>more</u>` : ""}`, { more: ` title="${n}"` })}${hooked("b", "still")}`;
  await stage.open(html(0));
  await register(page, "A");
  assert.deepEqual(await called(page), ["A mounted a 00", "A mounted b still"]);
  await stage.show(html(1));
  assert.deepEqual(await called(page), ["A beforeUpdate a 00", "A updated a 11more"]);
  await stage.show(html(2));
  assert.deepEqual(await called(page), ["A beforeUpdate a 11more", "A updated a 22"]);
  await stage.show(html(2, 3));
  assert.deepEqual(await called(page), [], "what changes beside it is none of its business");
});

for (const [what, html] of /** @type {[string, (n: number) => string][]} */ ([
  ["a text in it", (n) => hooked("a", `<i>${n}</i>`)],
  ["an attribute of it", (n) => hooked("a", "1", { more: ` class="c${n}"` })],
  ["an attribute in it", (n) => hooked("a", `<i class="c${n}"></i>`)],
  ["a node that comes into it, or goes", (n) => hooked("a", n % 2 ? `<i></i><b></b>` : `<i></i>`)],
  ["the order in it", (n) => hooked("a", n % 2 ? `<i id="i"></i><b id="b"></b>` : `<b id="b"></b><i id="i"></i>`)],
  ["the value of a field in it", (n) => hooked("a", `<input value="${n}">`)],
  ["the choice in it", (n) => hooked("a", `<select><option>0</option><option${n % 2 ? " selected" : ""}>1</option></select>`)],
  ["whether details in it are open", (n) => hooked("a", `<details${n % 2 ? " open" : ""}><summary>s</summary></details>`)],
])) {
  play(`an element is updated once when the server changes ${what}`, async ({ page, stage }) => {
    await stage.open(html(0));
    await register(page, "A");
    await called(page);
    for (let n = 1; n <= 3; n++) {
      await stage.show(html(n));
      assert.deepEqual((await called(page)).map((call) => call.split(" ")[1]), ["beforeUpdate", "updated"]);
    }
  });
}

play("before an update everything is as it was, and after it all of the patch is there", async ({ page, stage }) => {
  const html = (n) => `<i id="above">${n}</i>${hooked("a", `<b>${n}</b>`)}<i id="below">${n}</i>`;
  await stage.open(html(0));
  await page.evaluate(() => {
    const seen = () => ["above", "a", "below"].map((id) => document.getElementById(id).textContent).join(" ");
    window.calls = [];
    document[Symbol.for("mizu")].hook("A", {
      // What is above it may have been changed by then.
      beforeUpdate: ({ textContent }) => void window.calls.push(`before ${textContent}`),
      updated: () => void window.calls.push(`after ${seen()}`),
    });
  });
  await stage.show(html(1));
  assert.deepEqual(await called(page), ["before 0", "after 1 1 1"]);
});

play("elements that come are mounted once, those that go are destroyed once, and those that only move are neither", async ({ page, stage }) => {
  const html = (...ids) => `<section id="s">${ids.map((id) => hooked(id, id)).join("")}</section>`;
  await stage.open(html("a", "b", "c"));
  await register(page, "A");
  await called(page);
  const kept = await same(page, "#a", "#c");
  await stage.show(html("c", "b", "a"));
  assert.deepEqual(await called(page), []);
  await stage.show(html("d", "c", "a"));
  assert.deepEqual(await called(page), ["A destroyed b b", "A mounted d d"]);
  await kept();
  await stage.show(html("d", "c", "a", "b"));
  assert.deepEqual(await called(page), ["A mounted b b"], "one that comes back is a new one");
  await stage.show(html());
  assert.deepEqual((await called(page)).sort(), ["a", "b", "c", "d"].map((id) => `A destroyed ${id} ${id}`));
});

play("an element that gets another hook leaves the one and is mounted by the other, and stays the same element", async ({ page, stage }) => {
  const html = (hook) => hooked("a", "1", { hook });
  await stage.open(html("A"));
  await register(page, "A", "B");
  const kept = await same(page, "#a");
  assert.deepEqual(await called(page), ["A mounted a 1"]);
  await stage.show(html("B"));
  assert.deepEqual(await called(page), ["A beforeUpdate a 1", "A destroyed a 1", "B mounted a 1"]);
  await stage.show(html("Unknown"));
  assert.deepEqual(await called(page), ["B beforeUpdate a 1", "B destroyed a 1"]);
  await stage.show(`<div id="a">1</div>`);
  assert.deepEqual(await called(page), []);
  await stage.show(html("A"));
  assert.deepEqual(await called(page), ["A mounted a 1"]);
  await kept();
});

play("hooks around an element hear of what changes in it, each once", async ({ page, stage }) => {
  const html = (a, b) => hooked("out", hooked("a", a) + hooked("b", b));
  await stage.open(html(0, 0));
  await register(page, "A");
  assert.deepEqual(await called(page), ["A mounted out 00", "A mounted a 0", "A mounted b 0"]);
  await stage.show(html(1, 0));
  assert.deepEqual((await called(page)).sort(), ["A beforeUpdate a 0", "A beforeUpdate out 00", "A updated a 1", "A updated out 10"]);
  await stage.show(html(2, 2));
  const all = await called(page);
  assert.equal(all.length, 6);
  assert.deepEqual(all.filter((call) => call.includes(" updated ")).sort(), ["A updated a 2", "A updated b 2", "A updated out 22"]);
});

play("what a person types and opens in a hook's element is no update, and neither is what a script draws where it is ignored", async ({ page, stage }) => {
  const html = (n) => `<p>${n}</p>${hooked("a", `<input id="i"><details><summary>s</summary></details><div id="own" data-lv-ignore></div>`)}`;
  await stage.open(html(0));
  await page.evaluate(() => {
    window.calls = [];
    document[Symbol.for("mizu")].hook("A", {
      mounted: () => document.querySelector("#own").append(document.createElement("canvas")),
      beforeUpdate: () => void window.calls.push("beforeUpdate"),
      updated: () => void window.calls.push("updated"),
      destroyed: () => void window.calls.push("destroyed"),
    });
  });
  await page.fill("#i", "typed");
  await page.click("summary");
  await stage.show(html(1));
  assert.deepEqual(await called(page), []);
  assert.deepEqual(await page.evaluate(() => [document.querySelector("#i").value, document.querySelector("details").open, document.querySelectorAll("#own canvas").length]), ["typed", true, 1]);
});

play("what a hook draws in what is ignored, and what it keeps in itself, is there at the next update", async ({ page, stage }) => {
  const html = (n) => hooked("a", `<b>${n}</b><div class="chart" data-lv-ignore></div>`) + hooked("b", `<b>${n}</b><div class="chart" data-lv-ignore></div>`);
  await stage.open(html(0));
  await page.evaluate(() => {
    const chart = (element) => element.querySelector(".chart");
    document[Symbol.for("mizu")].hook("A", {
      mounted() {
        this.drawn = [];
        this.updated();
      },
      updated() {
        this.drawn.push(`${this.element.id}${this.element.firstChild.textContent}`);
        chart(this.element).textContent = this.drawn.join();
      },
    });
  });
  for (let n = 1; n <= 3; n++) await stage.show(html(n));
  assert.deepEqual(await page.locator(".chart").allInnerTexts(), ["a0,a1,a2,a3", "b0,b1,b2,b3"]);
});

play("a connection that is killed is told once, however often it cannot be had again, and once that it is back", async (it) => {
  const { page, stage } = it;
  const html = (n) => `<p>${n}</p>${hooked("a", "1")}${hooked("b", "1")}`;
  const proxy = await openBehind(it, html(0));
  await register(page, "A");
  const kept = await same(page, "#a", "#b");
  const loaded = await stamp(page);
  await called(page);
  for (let round = 1; round <= 2; round++) {
    const before = sockets(page).length;
    proxy.cut();
    await parted(page);
    await until(() => sockets(page).length >= before + 2, "attempts to connect");
    assert.deepEqual(await called(page), ["A disconnected a 1", "A disconnected b 1"]);
    proxy.restore();
    await joined(page);
    assert.deepEqual(await called(page), ["A reconnected a 1", "A reconnected b 1"]);
    await stage.show(html(round));
    assert.deepEqual(await called(page), [], "and it goes on as before");
  }
  await kept();
  await loaded();
});

play("what changed while the connection was gone is told once, with the join: who is new was never gone, and who went does not come back", async (it) => {
  const { page, stage } = it;
  const proxy = await openBehind(it, hooked("stays", "0") + hooked("changes", "0") + hooked("goes", "0"));
  await register(page, "A");
  await called(page);
  proxy.cut();
  await parted(page);
  assert.deepEqual(await called(page), ["A disconnected stays 0", "A disconnected changes 0", "A disconnected goes 0"]);
  await stage.send(hooked("stays", "0") + hooked("changes", "1"));
  await stage.send(hooked("stays", "0") + hooked("changes", "2") + hooked("comes", "2"));
  assert.deepEqual(await called(page), []);
  proxy.restore();
  await stage.shown();
  await joined(page);
  assert.deepEqual((await called(page)).sort(), [
    "A beforeUpdate changes 0", "A destroyed goes 0", "A mounted comes 2", "A reconnected changes 2", "A reconnected stays 0", "A updated changes 2",
  ]);
  proxy.drop();
  await until(() => page.evaluate(() => window.calls.length >= 6), "the way there and back");
  const ids = ["stays 0", "changes 2", "comes 2"];
  assert.deepEqual(await called(page), [...ids.map((id) => `A disconnected ${id}`), ...ids.map((id) => `A reconnected ${id}`)]);
});

for (const whole of [false, true]) {
  scene(`a server that dies and begins anew is a connection that was lost: no element is mounted twice (${whole ? "as a whole" : "in steps"})`, async ({ page, later }) => {
    const server = await own("lab", later);
    const proxy = await Proxy.before(server, later);
    const stage = new Stage(page, server, whole);
    await stage.open(hooked("a", "0") + hooked("b", "0"), { base: proxy.url });
    const loaded = await stamp(page);
    const kept = await same(page, "#a");
    await register(page, "A");
    assert.deepEqual(await called(page), ["A mounted a 0", "A mounted b 0"]);
    proxy.cut();
    await parted(page);
    assert.deepEqual(await called(page), ["A disconnected a 0", "A disconnected b 0"]);
    await server.restart();
    await stage.send(hooked("a", "1") + hooked("c", "1"));
    proxy.restore();
    await joined(page);
    assert.deepEqual((await called(page)).sort(), ["A beforeUpdate a 0", "A destroyed b 0", "A mounted c 1", "A reconnected a 1", "A updated a 1"]);
    await kept();
    await loaded();
  });
}

play("a hook that throws each time stops neither patches, nor other hooks, nor the connection", async (it) => {
  const { page, stage, watch } = it;
  watch.expect(/^mizu: \w+: Error: own/);
  /** @type {string[]} */
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text().split(":")[1].trim()));
  const html = (n, last = "") => hooked("bad", `<b>${n}</b>`, { hook: "Bad" }) + hooked("a", `<b>${n}</b>`) + last;
  const proxy = await openBehind(it, html(0));
  await page.evaluate(() => {
    const fail = () => {
      throw new Error("own");
    };
    const all = ["mounted", "beforeUpdate", "updated", "destroyed", "disconnected", "reconnected"];
    document[Symbol.for("mizu")].hook("Bad", Object.fromEntries(all.map((what) => [what, fail])));
  });
  await register(page, "A");
  const observed = await changes(page);
  await stage.show(html(1));
  assert.ok((await observed()).length > 0);
  assert.deepEqual(await called(page), ["A mounted a 0", "A beforeUpdate a 0", "A updated a 1"]);
  proxy.cut();
  await parted(page);
  await stage.send(html(2));
  proxy.restore();
  await stage.shown();
  await joined(page);
  assert.deepEqual(await called(page), ["A disconnected a 1", "A beforeUpdate a 1", "A updated a 2", "A reconnected a 2"]);
  await stage.show(hooked("a", "<b>3</b>", { more: ` title="3"` }));
  assert.deepEqual(await called(page), ["A beforeUpdate a 2", "A updated a 3"]);
  assert.equal(await page.innerText("#a"), "3");
  // `watch` sees that no region was asked for whole.
  const told = errors.filter((what) => /^[a-z]+(U\w+)?$/.test(what));
  assert.deepEqual(told, ["mounted", "beforeUpdate", "updated", "disconnected", "beforeUpdate", "updated", "reconnected", "destroyed"]);
});
