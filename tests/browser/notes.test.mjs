/**
 * Notes that work without a network: the page, the store in the browser, the service worker and the server, and all that
 * can happen between them. P18 to P26 are the client's properties of the sync contract.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { SUBSCRIBE } from "../../runtime-js/src/constants.js";
import { answer, browser, frames, text, texts } from "./support/browser.mjs";
import { Front } from "./support/front.mjs";
import { Proxy } from "./support/proxy.mjs";
import { own } from "./support/server.mjs";
import { becomes, PATIENCE, until } from "./support/wait.mjs";

/** @typedef {import("./support/browser.mjs").Page} Page */
/** @typedef {import("./support/browser.mjs").Context} Context */
/** @typedef {import("./support/browser.mjs").Scene} Scene */

const POLICY = "default-src 'self'";
/** How soon a page has to be up to date that hears of a change, or that the network is back, in milliseconds. */
const SOON = 1_000;
/** No page asks without a reason before this time is over, in milliseconds. */
const POLL = 27_000;

const scene = browser();

/** @param {Scene["later"]} later */
const serve = (later) => own("notes", later);

/** A server behind a network that can be taken away. @param {Scene["later"]} later */
async function connect(later) {
  const server = await serve(later);
  const proxy = await Proxy.before(server, later);
  return { server, proxy, url: proxy.url };
}

/** Takes the network away: the browser's `setOffline` alone spares the service worker. @param {Context} context @param {Proxy} proxy */
async function disconnect(context, proxy) {
  proxy.cut();
  await context.setOffline(true);
}

/** @param {Context} context @param {Proxy} proxy */
async function reconnect(context, proxy) {
  proxy.restore();
  await context.setOffline(false);
}

/** @param {Page} page */
const status = (page) => text(page, "#sync-status");
/** @param {Page} page */
const titles = (page) => texts(page, "#notes .title");
/** @param {Page} page */
const pending = (page) => texts(page, "#notes [data-pending] .title");
/** @param {Page} page */
const done = (page) => texts(page, "#notes [data-done] .title");
/** @param {Page} page */
const sorted = async (page) => (await titles(page)).sort();
/** @param {Page} page */
const problem = (page) => text(page, "#problem:not([hidden])");

/** @param {Page} page @param {string} url */
async function visit(page, url) {
  await page.goto(`${url}/notes`);
  await saved(page);
}

/** Everything is on the server. @param {Page} page */
const saved = (page) => becomes(() => status(page), "online · all saved");

/** The service worker has everything that the page needs. @param {Page} page */
async function kept(page) {
  const there = () =>
    page.evaluate(async () => {
      const { sync, live } = document.querySelector("[data-sync]").dataset;
      const paths = ["/notes", "/notes.js", "/style.css", sync, live];
      const config = await caches.match("/mizu-config");
      return !!config && (await Promise.all(paths.map((path) => caches.match(path)))).every(Boolean) && !!navigator.serviceWorker.controller;
    });
  await until(there, "the page in the cache");
}

/** @param {Page} page @param {string} title */
async function add(page, title) {
  await page.fill("#new-note [name=title]", title);
  await page.press("#new-note [name=title]", "Enter");
  await page.locator("#notes .title", { hasText: title }).first().waitFor();
}

/** @param {Page} page @param {string} title @param {"toggle" | "delete"} what */
async function press(page, title, what) {
  await page.locator("#notes li", { hasText: title }).locator(`.${what}`).click();
}

/** What a page pushed, in order: names and arguments. @param {Page} page */
function pushes(page) {
  /** @type {{ client: string, user: string, name: string, title?: string }[]} */
  const seen = [];
  page.on("request", (request) => {
    if (!request.url().endsWith("/_sync/push")) return;
    const { client, user, mutations } = request.postDataJSON();
    for (const { name, args } of mutations) seen.push({ client, user, name, title: args.title });
  });
  return seen;
}

/** Paths that a page asks the sync engine for. @param {Page} page */
function asked(page) {
  /** @type {string[]} */
  const paths = [];
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith("/_sync/")) paths.push(pathname);
  });
  return paths;
}

/** @param {string} name @param {(scene: Scene) => Promise<void>} run */
const plain = (name, run) => scene(`without JavaScript ${name}`, run, { javaScriptEnabled: false });

plain("notes are added, ticked and deleted", async ({ page, later }) => {
  const { url } = await serve(later);
  await page.goto(`${url}/notes`);
  for (const title of ["Tea & <b>", "Milk"]) {
    await page.fill("#new-note [name=title]", title);
    await page.press("#new-note [name=title]", "Enter");
    await becomes(async () => (await titles(page)).at(-1), title);
  }
  await press(page, "Tea", "toggle");
  await becomes(() => done(page), ["Tea & <b>"]);
  await press(page, "Tea", "toggle");
  await becomes(() => done(page), []);
  await press(page, "Tea", "delete");
  await becomes(() => titles(page), ["Milk"]);
  assert.equal(page.url(), `${url}/notes`, "a reload sends nothing again");
});

plain("a form that is sent twice makes one note, and another title after going back makes another", async ({ page, later }) => {
  const { url } = await serve(later);
  await page.goto(`${url}/notes`);
  const id = await page.inputValue("#new-note [name=id]");
  const send = (/** @type {string} */ title) =>
    page.request.post(`${url}/notes`, { form: { do: "create", id, title }, headers: { "sec-fetch-site": "same-origin" } });
  const answers = await Promise.all([send("Once"), send("Once"), send("Once")]);
  assert.deepEqual(answers.map((answer) => answer.status()), [200, 200, 200]);
  await page.reload();
  assert.deepEqual(await titles(page), ["Once"]);
  const other = await send("Twice");
  assert.equal(other.status(), 200, await other.text());
  await page.reload();
  assert.deepEqual(await titles(page), ["Once", "Twice"]);
});

plain("what is refused is said, with a way back", async ({ page, later }) => {
  const { url } = await serve(later);
  await page.goto(`${url}/notes`);
  await page.fill("#new-note [name=title]", "   ");
  const [response] = await Promise.all([page.waitForNavigation(), page.press("#new-note [name=title]", "Enter")]);
  assert.equal(response?.status(), 422);
  assert.match(await text(page, "body"), /1 to 200 characters/);
  await page.click("a");
  assert.deepEqual(await titles(page), []);
});

scene("the server's rows are there before the script is, and its forms work until then", async ({ page, stranger, later }) => {
  const { url } = await serve(later);
  await visit(page, url);
  await add(page, "Early");
  await saved(page);
  const other = await stranger();
  /** @type {() => void} */
  let release = () => {};
  const held = new Promise((resolve) => (release = () => resolve(undefined)));
  await other.route("**/notes.js", async (route) => {
    await held;
    await route.continue();
  });
  await other.goto(`${url}/notes`, { waitUntil: "commit" });
  await becomes(() => titles(other), ["Early"]);
  assert.equal(await status(other), "");
  const rows = await other.$$("#notes li");
  release();
  await saved(other);
  assert.deepEqual(await titles(other), ["Early"]);
  assert.ok(await rows[0].evaluate((row) => row.isConnected), "the row is taken over, not drawn anew");
});

scene("two browsers show the same, whoever changes it", async ({ page, stranger, later }) => {
  const { url } = await serve(later);
  const other = await stranger();
  for (const one of [page, other]) await visit(one, url);
  await add(page, "From here");
  await becomes(() => titles(other), ["From here"]);
  await add(other, "From there");
  await becomes(() => sorted(page), ["From here", "From there"]);
  await press(other, "From here", "toggle");
  await becomes(() => done(page), ["From here"]);
  await press(page, "From there", "delete");
  for (const one of [page, other]) {
    await becomes(() => titles(one), ["From here"]);
    await saved(one);
    assert.deepEqual(await pending(one), []);
  }
});

scene("P17 a change shows elsewhere within a second of its push, before anybody polls, and again when the socket is back", async ({ page, stranger, later }) => {
  const { server, proxy, url } = await connect(later);
  const [opened, other] = [Date.now(), await stranger()];
  for (const [one, at] of /** @type {[Page, string][]} */ ([[page, url], [other, server.url]])) await visit(one, at);
  await answer(page, SUBSCRIBE);
  /** How long after the other one's push the page shows it. @param {string} title */
  const shown = async (title) => {
    const pushed = other.waitForResponse((response) => response.url().endsWith("/_sync/push"));
    await add(other, title);
    await pushed;
    const start = Date.now();
    await page.locator("#notes .title", { hasText: title }).waitFor();
    return Date.now() - start;
  };
  for (const title of ["First", "Second"]) {
    const took = await shown(title);
    assert.ok(took < SOON, `${title} took ${took} ms`);
  }

  // HTTP goes on, so that only the missing socket keeps the page from hearing of it.
  proxy.cutSockets();
  const asks = asked(page);
  await add(other, "Missed");
  await saved(other);
  assert.deepEqual(await titles(page), ["First", "Second"]);
  assert.deepEqual(asks, []);
  proxy.restore();
  // The page was not told; it looks when it is subscribed again.
  await becomes(() => titles(page), ["First", "Second", "Missed"]);
  await answer(page, SUBSCRIBE, 1);
  const took = await shown("Third");
  assert.ok(took < SOON, `Third took ${took} ms`);
  assert.equal(frames(page).filter(({ way, kind }) => way === "sent" && kind === SUBSCRIBE).length, 2);
  assert.ok(Date.now() < opened + POLL, "a poll may have helped");
});

scene("P21 D28 two tabs share one store, one of them talks to the server, and the other takes over when it goes", async ({ context, page, stranger, later }) => {
  const { url } = await serve(later);
  await visit(page, url);
  const second = await context.newPage();
  const paths = asked(second);
  await visit(second, url);
  const locks = () =>
    second.evaluate(async () => {
      const { held = [], pending = [] } = await navigator.locks.query();
      return [held.length, pending.length];
    });
  await becomes(locks, [1, 1]);
  await add(second, "From the second tab");
  await becomes(() => titles(page), ["From the second tab"]);
  for (const tab of [page, second]) await saved(tab);
  assert.deepEqual(paths, [], "the second tab asked the server itself");

  await context.setOffline(true);
  await add(second, "Left behind");
  await becomes(() => pending(page), ["Left behind"]);
  await page.close();
  await becomes(locks, [1, 0]);
  await context.setOffline(false);
  const other = await stranger();
  await visit(other, url);
  await becomes(() => titles(other), ["From the second tab", "Left behind"]);
  await saved(second);
  assert.ok(paths.includes("/_sync/push"));
});

scene("what both sides do without a network comes together, and nothing is lost", async ({ context, page, stranger, later }) => {
  const { url } = await serve(later);
  const other = await stranger();
  await visit(page, url);
  for (const title of ["Keep", "Tick", "Drop"]) await add(page, title);
  await saved(page);
  await visit(other, url);
  for (const one of [context, other.context()]) await one.setOffline(true);
  await add(page, "Mine 1");
  await add(page, "Mine 2");
  await press(page, "Tick", "toggle");
  await add(other, "Yours 1");
  await press(other, "Drop", "delete");
  await press(other, "Keep", "toggle");
  await becomes(() => status(page), "offline · 3 pending");
  await becomes(() => status(other), "offline · 3 pending");
  assert.deepEqual(await sorted(page), ["Drop", "Keep", "Mine 1", "Mine 2", "Tick"]);
  assert.deepEqual(await sorted(other), ["Keep", "Tick", "Yours 1"]);
  assert.deepEqual(await pending(page), ["Tick", "Mine 1", "Mine 2"]);
  for (const one of [context, other.context()]) await one.setOffline(false);
  for (const one of [page, other]) {
    await becomes(() => sorted(one), ["Keep", "Mine 1", "Mine 2", "Tick", "Yours 1"]);
    await becomes(async () => (await done(one)).sort(), ["Keep", "Tick"]);
    await saved(one);
  }
});

scene("P25 a page is up to date within a second when it hears that the network is back", async ({ context, page, later }) => {
  const { url } = await serve(later);
  await visit(page, url);
  await context.setOffline(true);
  await add(page, "Waits");
  await becomes(() => status(page), "offline · 1 pending");
  // Some attempts fail, so that the next ones are far apart.
  const failed = asked(page);
  await until(() => failed.filter((path) => path === "/_sync/push").length >= 3, "three attempts in vain", 2 * PATIENCE);
  await add(page, "Waits, too");
  await page.evaluate(() => {
    window.back = new Promise((resolve) => addEventListener("online", () => resolve(true), { once: true }));
  });
  await context.setOffline(false);
  assert.ok(await page.evaluate(() => window.back));
  const start = Date.now();
  await saved(page);
  const took = Date.now() - start;
  assert.ok(took < SOON, `it took ${took} ms`);
});

scene("a request that gets through tells everything else that waits that the network is back", async ({ page, stranger, later }) => {
  const { server, proxy, url } = await connect(later);
  await visit(page, url);
  const failed = asked(page);
  proxy.cut();
  await add(page, "Waits");
  // Somebody looks at the page, so that it pulls as well.
  await page.evaluate(() => void window.dispatchEvent(new Event("focus")));
  // Nothing tells the page when the server is back, and by then pushes and pulls wait for long, each for itself.
  for (const path of ["/_sync/push", "/_sync/pull"]) {
    await until(() => failed.filter((asked) => asked === path).length >= 3, `three attempts of ${path}`, 2 * PATIENCE);
  }
  const answered = page.waitForResponse((response) => response.url().includes("/_sync/"), { timeout: 15_000 });
  proxy.restore();
  proxy.cutSockets();
  await answered;
  const start = Date.now();
  await saved(page);
  const took = Date.now() - start;
  assert.ok(took < SOON, `it took ${took} ms after the first answer`);
  const other = await stranger();
  await visit(other, server.url);
  assert.deepEqual(await titles(other), ["Waits"]);
});

scene("P20 a reload without a network shows the page, its rows and what is pending", async ({ context, page, stranger, later }) => {
  const { server, proxy, url } = await connect(later);
  await visit(page, url);
  await add(page, "On the server");
  await saved(page);
  await kept(page);
  await disconnect(context, proxy);
  await add(page, "Only here");
  await press(page, "On the server", "toggle");
  await becomes(() => status(page), "offline · 2 pending");
  for (let time = 0; time < 2; time++) {
    await page.reload();
    await becomes(() => titles(page), ["On the server", "Only here"]);
    await becomes(() => status(page), "offline · 2 pending");
    assert.deepEqual(await done(page), ["On the server"]);
    assert.deepEqual(await pending(page), ["On the server", "Only here"]);
  }
  const color = await page.evaluate(() => getComputedStyle(document.querySelector(".card")).borderRadius);
  assert.notEqual(color, "0px", "the stylesheet is there as well");
  await reconnect(context, proxy);
  const other = await stranger();
  await visit(other, server.url);
  await becomes(() => titles(other), ["On the server", "Only here"]);
  await saved(page);
});

scene("P20 what was typed right before the page went away is still queued", async ({ context, page, stranger, later }) => {
  const { server, proxy, url } = await connect(later);
  await visit(page, url);
  await kept(page);
  await disconnect(context, proxy);
  /** The change and the departure are in one turn of the page: nothing is waited for. @param {string} title */
  const leave = (title) =>
    page.evaluate((title) => {
      const form = /** @type {HTMLFormElement} */ (document.querySelector("#new-note"));
      form.elements.namedItem("title").value = title;
      form.requestSubmit();
      location.href = "about:blank";
    }, title);
  await leave("Navigated away");
  await page.waitForURL("about:blank");
  await page.goto(`${url}/notes`);
  await becomes(() => pending(page), ["Navigated away"]);
  await page.evaluate(() => {
    const form = /** @type {HTMLFormElement} */ (document.querySelector("#new-note"));
    form.elements.namedItem("title").value = "Closed";
    form.requestSubmit();
  });
  await page.close();
  const next = await context.newPage();
  await next.goto(`${url}/notes`);
  await becomes(() => pending(next), ["Navigated away", "Closed"]);
  await reconnect(context, proxy);
  const other = await stranger();
  await visit(other, server.url);
  await becomes(() => titles(other), ["Navigated away", "Closed"]);
  await saved(next);
});

scene("P2 a server that dies while notes are made has each of them once", async ({ page, stranger, later }) => {
  const server = await serve(later);
  const other = await stranger();
  for (const one of [page, other]) await visit(one, server.url);
  /** @type {string[]} */
  const expected = [];
  for (let round = 1; round <= 3; round++) {
    for (const [name, one] of /** @type {[string, Page][]} */ ([["mine", page], ["yours", other]])) {
      for (const part of ["a", "b", "c"]) {
        const title = `${name} ${round}${part}`;
        await add(one, title);
        expected.push(title);
        // In the midst of whatever is under way.
        if (name === "yours" && part === "b") await server.kill();
      }
    }
    await server.start();
  }
  for (const one of [page, other]) {
    await saved(one);
    await becomes(() => sorted(one), expected.sort());
  }
});

scene("P22 an answer that never arrives changes nothing: the note is there once", async ({ page, later }) => {
  const { server, proxy, url } = await connect(later);
  await visit(page, url);
  const sent = pushes(page);
  proxy.holdAnswers();
  await add(page, "Unheard");
  await until(() => sent.length === 1, "the push");
  await until(async () => /Unheard/.test(await (await fetch(`${server.url}/notes`)).text()), "the note on the server");
  proxy.drop();
  await add(page, "Later");
  proxy.restore();
  await saved(page);
  assert.deepEqual(await titles(page), ["Unheard", "Later"]);
});

scene("P23 another user never sees or sends what one has queued, and the first goes on when back", async ({ context, page, stranger, later }) => {
  const { server, proxy, url } = await connect(later);
  await visit(page, url);
  await add(page, "For everybody");
  await saved(page);
  await kept(page);
  const [mine] = await context.cookies();
  await disconnect(context, proxy);
  await add(page, "Ann's secret");
  await becomes(() => status(page), "offline · 1 pending");

  // Somebody else signs in while the page of the first is still open.
  await context.clearCookies();
  await context.request.get(`${server.url}/notes`);
  const [theirs] = await context.cookies();
  assert.notEqual(theirs.value, mine.value);
  const refused = page.waitForResponse((response) => response.url().endsWith("/_sync/push"));
  await reconnect(context, proxy);
  assert.equal((await refused).status(), 401);
  assert.equal((await (await refused).json()).code, "other_user");
  await becomes(() => status(page), "error · 1 pending");

  const second = await context.newPage();
  const sent = pushes(second);
  await second.goto(`${url}/notes`);
  await saved(second);
  assert.deepEqual(await titles(second), ["For everybody"]);
  await add(second, "Ben's");
  await saved(second);
  await kept(second);
  await page.close();
  // Not even without a network.
  await disconnect(context, proxy);
  await second.reload();
  await becomes(() => sorted(second), ["Ben's", "For everybody"]);
  await becomes(() => status(second), "offline · all saved");
  await reconnect(context, proxy);
  const other = await stranger();
  await visit(other, server.url);
  await becomes(() => sorted(other), ["Ben's", "For everybody"]);
  assert.deepEqual(sent.map(({ title }) => title), ["Ben's"]);

  // The first one is back.
  await context.clearCookies();
  await context.addCookies([mine]);
  await second.reload();
  await becomes(() => sorted(second), ["Ann's secret", "Ben's", "For everybody"]);
  await saved(second);
  const [, push] = sent;
  assert.equal(push.title, "Ann's secret");
  assert.notEqual(push.user, sent[0].user);
  assert.notEqual(push.client, sent[0].client);
  await becomes(() => sorted(other), ["Ann's secret", "Ben's", "For everybody"]);
});

scene("P26 without storage there is a warning, and the page works in memory", async ({ context, page, stranger, later }) => {
  await context.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("storage is switched off", "SecurityError");
    };
  });
  const { url } = await serve(later);
  await page.goto(`${url}/notes`);
  await becomes(() => status(page), "online · all saved · not kept");
  assert.match(await problem(page), /keeps nothing/);
  await add(page, "In memory");
  await becomes(() => status(page), "online · all saved · not kept");
  await context.setOffline(true);
  await add(page, "For as long as the page");
  await becomes(() => status(page), "offline · 1 pending · not kept");
  await context.setOffline(false);
  await becomes(() => status(page), "online · all saved · not kept");
  const other = await stranger();
  await visit(other, url);
  assert.deepEqual(await titles(other), ["In memory", "For as long as the page"]);
});

scene("P26 a note that finds no room is refused at once and said to be, and what is queued stays", async ({ context, page, later }) => {
  const { url } = await serve(later);
  const browser = await context.newCDPSession(page);
  await browser.send("Storage.overrideQuotaForOrigin", { origin: url, quotaSize: 400_000 });
  await visit(page, url);
  await add(page, "Fits");
  await saved(page);
  await context.setOffline(true);
  await page.evaluate(() => document.querySelector("#new-note [name=title]").removeAttribute("maxlength"));
  let large = 0;
  await until(async () => {
    // Of a kind that can't be compressed.
    await page.fill("#new-note [name=title]", `Large ${++large} ${randomBytes(30_000).toString("hex")}`);
    await page.press("#new-note [name=title]", "Enter");
    await becomes(async () => (await page.locator("#problem").isVisible()) || (await titles(page)).length === large + 1, true);
    return page.locator("#problem").isVisible();
  }, "the storage to be full");
  assert.match(await problem(page), /no room/);
  assert.ok(large > 1);
  const queued = large - 1;
  await becomes(async () => (await titles(page)).length, 1 + queued);
  await becomes(async () => (await status(page)).split(" · ")[1], `${queued} pending`);
  // Without room, not even what the server says can be kept.
  await context.setOffline(false);
  await becomes(() => status(page), `error · ${queued} pending`);
  await browser.send("Storage.overrideQuotaForOrigin", { origin: url });
  await page.reload();
  await saved(page);
  await becomes(() => titles(page), ["Fits"]);
});

scene("P26 a browser that has no room at all works in memory", async ({ context, page, stranger, later }) => {
  const { url } = await serve(later);
  const browser = await context.newCDPSession(page);
  await browser.send("Storage.overrideQuotaForOrigin", { origin: url, quotaSize: 1 });
  await page.goto(`${url}/notes`);
  await becomes(() => status(page), "online · all saved · not kept");
  assert.match(await problem(page), /no room left/);
  await add(page, "In memory");
  await becomes(() => status(page), "online · all saved · not kept");
  const other = await stranger();
  await visit(other, url);
  assert.deepEqual(await titles(other), ["In memory"]);
});

scene("P25 what the server refuses is said and taken back", async ({ context, page, stranger, later }) => {
  const { server, proxy, url } = await connect(later);
  await visit(page, url);
  await add(page, "Fine");
  await page.evaluate(() => document.querySelector("#new-note [name=title]").removeAttribute("maxlength"));
  await page.fill("#new-note [name=title]", "x".repeat(201));
  await page.press("#new-note [name=title]", "Enter");
  await becomes(() => problem(page), "A note has 1 to 200 characters.");
  await becomes(() => titles(page), ["Fine"]);
  await saved(page);

  await kept(page);
  await disconnect(context, proxy);
  await press(page, "Fine", "toggle");
  await becomes(() => pending(page), ["Fine"]);
  const other = await stranger();
  await visit(other, server.url);
  await press(other, "Fine", "delete");
  await saved(other);
  // Whoever reads the refusal need not be the page that asked for it.
  await page.reload();
  await becomes(() => pending(page), ["Fine"]);
  await reconnect(context, proxy);
  await becomes(() => problem(page), "Somebody deleted this note.");
  await becomes(() => titles(page), []);
  await saved(page);
});

scene("all of it works under a policy that allows nothing inline and nothing foreign", async ({ context, page, later }) => {
  const front = await Front.open(await serve(later));
  later(() => front.close());
  const proxy = await Proxy.open(front);
  later(() => proxy.close());
  front.change = ({ headers }) => (headers["content-security-policy"] = POLICY);
  await visit(page, proxy.url);
  await add(page, "Calm");
  await saved(page);
  await kept(page);
  await disconnect(context, proxy);
  await page.reload();
  await becomes(() => titles(page), ["Calm"]);
  await add(page, "Still calm");
  await reconnect(context, proxy);
  await saved(page);
  const response = await page.reload();
  assert.equal(response?.headers()["content-security-policy"], POLICY);
  await saved(page);
});

scene("a deploy replaces the page that is kept, with all of its parts", async ({ context, page, later }) => {
  const front = await Front.open(await serve(later));
  later(() => front.close());
  const proxy = await Proxy.open(front);
  later(() => proxy.close());
  await visit(page, proxy.url);
  await add(page, "From before");
  await saved(page);
  await kept(page);
  const caches = () => page.evaluate(async () => (await window.caches.keys()).filter((name) => name !== "mizu-config"));
  const before = await caches();
  assert.equal(before.length, 1);

  // The other build has other scripts under other names, and says so in its page.
  front.path = (path) => path.replace("/_mizu/other-build/", before[0].match(/\/_mizu\/[^/]+\//)?.[0] ?? "?");
  front.change = (answer, path) => {
    const edit = (/** @type {RegExp} */ from, /** @type {string} */ to) =>
      (answer.body = Buffer.from(answer.body.toString().replaceAll(new RegExp(from, "g"), to)));
    if (path === "/notes") {
      edit(/\/_mizu\/[^/]+\/mizu-sync/, "/_mizu/other-build/mizu-sync");
      edit(/Rows live in this browser\./, "The next version.");
    }
    if (path === "/notes.js") edit(/all saved/, "all kept");
  };
  // Without a network it is the old one, and whole.
  await disconnect(context, proxy);
  await page.reload();
  await becomes(() => status(page), "offline · all saved");
  assert.match(await text(page, "footer"), /^Rows live/);
  await reconnect(context, proxy);
  await page.reload();
  await becomes(() => status(page), "online · all kept");
  assert.match(await text(page, "footer"), /^The next version/);
  await until(async () => {
    const after = await caches();
    return after.length === 1 && after[0].includes("other-build");
  }, "one cache, of the other build");
  await kept(page);
  await disconnect(context, proxy);
  await page.reload();
  await becomes(() => status(page), "offline · all kept");
  assert.match(await text(page, "footer"), /^The next version/);
  assert.deepEqual(await titles(page), ["From before"]);
});
