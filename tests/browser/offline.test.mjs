/**
 * A page that the server renders and that works without one: todos that are added, ticked and deleted offline, drawn from
 * the server's own row function, kept through reloads, and merged afterwards.
 */
import assert from "node:assert/strict";
import * as wire from "../../runtime-js/src/constants.js";
import { browser, frames, joined, parted, text, texts } from "./support/browser.mjs";
import { Front } from "./support/front.mjs";
import { Proxy } from "./support/proxy.mjs";
import { own } from "./support/server.mjs";
import { becomes, until } from "./support/wait.mjs";

/** @typedef {import("./support/browser.mjs").Page} Page */
/** @typedef {import("./support/browser.mjs").Context} Context */
/** @typedef {import("./support/browser.mjs").Scene} Scene */

const POLICY = "default-src 'self'";

const scene = browser();

/** @param {Scene["later"]} later */
const serve = (later) => own("todo", later);

/** A server behind a network that can be taken away. @param {Scene["later"]} later */
async function connect(later) {
  const server = await serve(later);
  const proxy = await Proxy.before(server, later);
  return { server, proxy, url: proxy.url };
}

/** Takes the network away: the browser's `setOffline` alone spares the service worker. @param {Page} page @param {Proxy} proxy */
async function disconnect(page, proxy) {
  proxy.cut();
  await page.context().setOffline(true);
  await parted(page);
}

/** @param {Page} page @param {Proxy} proxy */
async function reconnect(page, proxy) {
  proxy.restore();
  await page.context().setOffline(false);
  await joined(page);
}

/** Opens the page, with all that it has. @param {Page} page @param {string} url */
async function visit(page, url) {
  await page.goto(url.includes("/todos") ? url : `${url}/todos`);
  await joined(page);
  await saved(page);
}

/** @param {Page} page */
const status = (page) => text(page, "#sync-status");
/** Everything is on the server. @param {Page} page */
const saved = (page) => becomes(() => status(page), "online · all saved");
/** @param {Page} page */
const titles = (page) => texts(page, "#todos .title:visible");
/** @param {Page} page */
const done = (page) => texts(page, "#todos [data-done] .title:visible");
/** @param {Page} page */
const pending = (page) => texts(page, "#todos [data-pending] .title:visible");
/** @param {Page} page */
const count = (page) => text(page, "#count");
/** @param {Page} page */
const problem = (page) => text(page, "#problem:not([hidden])");
/** Events that a page has sent to its handlers. @param {Page} page */
const events = (page) => frames(page).filter(({ way, kind }) => way === "sent" && kind === wire.EVENT);

/** Regions that a page had to ask for whole. @param {Page} page */
const asked = (page) => frames(page).filter(({ way, kind }) => way === "sent" && kind === wire.RESYNC);

/** The service worker has everything that the page needs. @param {Page} page */
async function kept(page) {
  const there = () =>
    page.evaluate(async () => {
      const scripts = [...document.scripts].map(({ src }) => src);
      const { lvSync } = document.querySelector("#lv-root").dataset;
      const config = await caches.match("/mizu-config");
      const parts = await Promise.all(["/todos", "/style.css", lvSync, ...scripts].map((path) => caches.match(path)));
      return !!config && parts.every(Boolean) && !!navigator.serviceWorker.controller;
    });
  await until(there, "the page in the cache");
}

/** @param {Page} page @param {string} title */
async function add(page, title) {
  await page.fill("#new-todo [name=title]", title);
  await page.press("#new-todo [name=title]", "Enter");
  await page.locator("#todos .title", { hasText: title }).first().waitFor();
  await becomes(() => page.inputValue("#new-todo [name=title]"), "");
}

/** @param {Page} page @param {string} title @param {"toggle" | "delete"} what */
async function press(page, title, what) {
  await page.locator("#todos li", { hasText: title }).locator(`.${what}`).click();
}

/** What is on the page is what the server renders, node by node. @param {Page} page */
async function mirrors(page) {
  const same = () =>
    page.evaluate(async () => {
      const served = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
      return document.querySelector("#todos").isEqualNode(document.importNode(served.querySelector("#todos"), true));
    });
  await until(same, "the server's own rows");
}

/**
 * Watches how often a title is seen: whenever the document has changed, and in each frame that is painted.
 *
 * @param {Page} page @param {string} title
 * @returns {Promise<() => Promise<number[]>>} all numbers that there were
 */
async function watch(page, title) {
  const name = `watched ${title}`;
  await page.evaluate(
    ([name, title]) => {
      const numbers = (window[name] = new Set());
      const look = () =>
        numbers.add([...document.querySelectorAll("#todos li:not([hidden]) .title")].filter((shown) => shown.textContent === title).length);
      const paint = () => {
        look();
        requestAnimationFrame(paint);
      };
      paint();
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    },
    [name, title],
  );
  return () => page.evaluate((name) => [...window[name]], name);
}

scene("P18 one click is one mutation and no event, and the server's rows take over in place", async ({ page, stranger, later }) => {
  const { url } = await serve(later);
  await visit(page, url);
  const other = await stranger();
  await visit(other, url);
  await add(page, "Tea");
  const looks = await watch(page, "Tea");
  await becomes(() => titles(other), ["Tea"]);
  await press(page, "Tea", "toggle");
  await becomes(() => done(other), ["Tea"]);
  await add(page, "Milk");
  await becomes(() => titles(other), ["Tea", "Milk"]);
  await press(page, "Milk", "delete");
  await becomes(() => titles(other), ["Tea"]);
  await saved(page);
  await mirrors(page);
  assert.deepEqual(await looks(), [1]);
  assert.deepEqual(await done(page), ["Tea"]);
  assert.equal(await count(page), "0 to do");
  assert.deepEqual([events(page), asked(page)], [[], []]);
  const join = frames(page).find(({ way, kind }) => way === "sent" && kind === wire.JOIN);
  assert.equal(join?.body[2].get("user"), "", "the server hears whose rows the page holds");
});

scene("P20 without a network todos are added, ticked and deleted, survive reloads, and merge afterwards", async ({ page, stranger, later }) => {
  const { server, proxy, url } = await connect(later);
  await visit(page, url);
  for (const title of ["Bread", "Salt", "Soap"]) await add(page, title);
  await saved(page);
  await mirrors(page);
  await kept(page);
  await disconnect(page, proxy);
  await add(page, "Rice");
  await press(page, "Rice", "toggle");
  await press(page, "Bread", "toggle");
  await press(page, "Salt", "delete");
  await becomes(() => status(page), "offline · 4 pending");
  for (let time = 0; time < 2; time++) {
    await page.reload();
    await becomes(() => titles(page), ["Bread", "Soap", "Rice"]);
    await becomes(() => status(page), "offline · 4 pending");
    assert.deepEqual(await done(page), ["Bread", "Rice"]);
    assert.deepEqual(await pending(page), ["Bread", "Rice"]);
    assert.equal(await count(page), "1 to do");
  }
  await press(page, "Rice", "toggle");
  await add(page, "Oil");
  assert.equal(await count(page), "3 to do");

  const other = await stranger();
  await visit(other, server.url);
  await add(other, "From elsewhere");
  await press(other, "Soap", "toggle");
  await becomes(() => done(other), ["Soap"]);
  await saved(other);
  const looks = await Promise.all(["Bread", "Soap", "Rice", "Oil"].map((title) => watch(page, title)));
  await reconnect(page, proxy);
  await saved(page);
  for (const one of [page, other]) {
    await becomes(async () => (await titles(one)).sort(), ["Bread", "From elsewhere", "Oil", "Rice", "Soap"]);
    await becomes(() => done(one), ["Bread", "Soap"]);
    await becomes(() => count(one), "3 to do");
    await mirrors(one);
  }
  for (const look of looks) assert.deepEqual(await look(), [1]);
  assert.deepEqual([events(page), asked(page)], [[], []]);
});

scene("P2 a server that is killed and started again gets everything once", async ({ page, later }) => {
  const server = await serve(later);
  await visit(page, server.url);
  await add(page, "Before");
  await saved(page);
  await kept(page);
  await server.kill();
  await parted(page);
  await add(page, "Meanwhile");
  await press(page, "Before", "toggle");
  await page.reload();
  await becomes(() => titles(page), ["Before", "Meanwhile"]);
  await add(page, "Later");
  const looks = await watch(page, "Meanwhile");
  await server.start();
  await joined(page);
  await saved(page);
  await becomes(() => titles(page), ["Before", "Meanwhile", "Later"]);
  await mirrors(page);
  assert.deepEqual(await done(page), ["Before"]);
  assert.deepEqual(await looks(), [1]);
  await page.reload();
  await becomes(() => titles(page), ["Before", "Meanwhile", "Later"]);
});

scene("P25 what the server refuses is said and taken back", async ({ page, stranger, later }) => {
  const { server, proxy, url } = await connect(later);
  await visit(page, url);
  await add(page, "Fine");
  await saved(page);
  await page.evaluate(() => document.querySelector("#new-todo [name=title]").removeAttribute("maxlength"));
  const long = "x".repeat(201);
  await page.fill("#new-todo [name=title]", long);
  await page.press("#new-todo [name=title]", "Enter");
  await becomes(() => problem(page), "A todo has 1 to 200 characters.");
  await becomes(() => titles(page), ["Fine"]);
  await saved(page);
  await mirrors(page);

  await kept(page);
  await disconnect(page, proxy);
  await press(page, "Fine", "toggle");
  assert.equal(await page.isVisible("#problem"), false);
  await add(page, long);
  // Whoever reads the refusal need not be the page that asked for it.
  await page.reload();
  await becomes(() => titles(page), ["Fine", long]);
  const other = await stranger();
  await visit(other, server.url);
  await press(other, "Fine", "delete");
  await saved(other);
  await page.evaluate(() => {
    window.refused = [];
    addEventListener("lv:rejected", ({ detail }) => window.refused.push([detail.name, detail.scope, detail.code]));
  });
  await reconnect(page, proxy);
  await becomes(() => titles(page), []);
  await saved(page);
  assert.deepEqual(await page.evaluate(() => window.refused), [["todo.merge", "todos", "not_found"], ["todo.create", "todos", "bad_title"]]);
  assert.equal(await problem(page), "A todo has 1 to 200 characters.");
  await mirrors(page);
  await add(page, "Next");
  assert.equal(await page.isVisible("#problem"), false);
});

scene("a todo that is ticked goes from the list of open ones, and doesn't come back", async ({ page, later }) => {
  const { url } = await serve(later);
  await visit(page, url);
  for (const title of ["One", "Two"]) await add(page, title);
  await saved(page);
  await visit(page, `${url}/todos?show=open`);
  const looks = await watch(page, "One");
  await press(page, "One", "toggle");
  await becomes(() => titles(page), ["Two"]);
  await saved(page);
  assert.deepEqual(await titles(page), ["Two"]);
  assert.deepEqual((await looks()).sort(), [0, 1]);
  await mirrors(page);
});

scene("where the store can't be loaded, the handlers do it", async ({ context, page, later }) => {
  const { url } = await serve(later);
  await context.route(/mizu-sync\.js$/, (route) => route.abort());
  await page.goto(`${url}/todos`);
  await joined(page);
  await add(page, "Tea");
  await press(page, "Tea", "toggle");
  await becomes(() => done(page), ["Tea"]);
  await press(page, "Tea", "delete");
  await becomes(() => titles(page), []);
  assert.equal(events(page).length, 3);
});

scene("clicks that come faster than their answers are all done, in their order", async ({ page, stranger, later }) => {
  const { url } = await serve(later);
  await visit(page, url);
  const other = await stranger();
  await visit(other, url);
  const names = ["One", "Two", "Three"];
  for (const title of names) await add(page, title);
  const looks = await Promise.all(names.map((title) => watch(page, title)));
  const clicks = () =>
    page.evaluate(() => {
      for (const button of document.querySelectorAll("#todos .toggle")) button.click();
    });
  for (let time = 0; time < 15; time++) await clicks();
  await saved(page);
  for (const one of [page, other]) {
    await becomes(() => done(one), names);
    await mirrors(one);
  }
  for (const look of looks) assert.deepEqual(await look(), [1]);
  assert.deepEqual(events(page), []);
});

scene("a network that lets no sockets through leaves the store, which is enough", async ({ page, later }) => {
  const { proxy, url } = await connect(later);
  await visit(page, url);
  await add(page, "Before");
  await saved(page);
  proxy.cutSockets();
  await page.reload();
  await saved(page);
  await add(page, "Tea");
  await press(page, "Before", "toggle");
  await saved(page);
  await becomes(() => titles(page), ["Before", "Tea"]);
  assert.deepEqual(await done(page), ["Before"]);
  await parted(page);
  const looks = await watch(page, "Tea");
  proxy.restore();
  await joined(page);
  await mirrors(page);
  assert.deepEqual(await looks(), [1]);
});

scene("P21 two tabs show the same without a network", async ({ context, page, later }) => {
  const { proxy, url } = await connect(later);
  await visit(page, url);
  await kept(page);
  const second = await context.newPage();
  await visit(second, url);
  await disconnect(page, proxy);
  await parted(second);
  await add(page, "Tea");
  await becomes(() => pending(second), ["Tea"]);
  await press(second, "Tea", "toggle");
  await becomes(() => done(page), ["Tea"]);
  await second.reload();
  await becomes(() => done(second), ["Tea"]);
  await reconnect(page, proxy);
  await joined(second);
  for (const one of [page, second]) {
    await saved(one);
    await becomes(() => done(one), ["Tea"]);
    await mirrors(one);
  }
});

scene("P26 without storage it works for as long as the page is open", async ({ context, page, later }) => {
  await context.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("storage is switched off", "SecurityError");
    };
  });
  const { proxy, url } = await connect(later);
  await page.goto(`${url}/todos`);
  await becomes(() => status(page), "online · all saved · not kept");
  assert.match(await problem(page), /keeps nothing/);
  await joined(page);
  await disconnect(page, proxy);
  await add(page, "In memory");
  await becomes(() => status(page), "offline · 1 pending · not kept");
  await reconnect(page, proxy);
  await becomes(() => status(page), "online · all saved · not kept");
  await becomes(() => titles(page), ["In memory"]);
  await mirrors(page);
});

scene("all of it works under a policy that allows nothing inline and nothing foreign", async ({ page, later }) => {
  const front = await Front.open(await serve(later));
  later(() => front.close());
  const proxy = await Proxy.open(front);
  later(() => proxy.close());
  front.change = ({ headers }) => (headers["content-security-policy"] = POLICY);
  await visit(page, proxy.url);
  await add(page, "Calm");
  await saved(page);
  await kept(page);
  await disconnect(page, proxy);
  await page.reload();
  await becomes(() => titles(page), ["Calm"]);
  const hostile = `<img src=x onerror="document.title='run'">`;
  await page.fill("#new-todo [name=title]", hostile);
  await page.press("#new-todo [name=title]", "Enter");
  await becomes(() => titles(page), ["Calm", hostile]);
  await reconnect(page, proxy);
  await saved(page);
  await mirrors(page);
  const response = await page.reload();
  assert.equal(response?.headers()["content-security-policy"], POLICY);
  await saved(page);
});
