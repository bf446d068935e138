/** Real Chromium: one browser a file, one context a test, and an eye on everything that goes wrong in it. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { RESYNC } from "../../../runtime-js/src/constants.js";
import { bodyOf, decodeFrame } from "../../../runtime-js/src/frame.js";
import { until } from "./wait.mjs";

const require = createRequire(new URL("../../../runtime-js/package.json", import.meta.url));
const { chromium } = require("playwright-core");

/** @typedef {import("../../../runtime-js/node_modules/playwright-core").Page} Page */
/** @typedef {import("../../../runtime-js/node_modules/playwright-core").Browser} Browser */
/** @typedef {import("../../../runtime-js/node_modules/playwright-core").BrowserContext} Context */

const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A test that takes longer than this hangs, in milliseconds. */
const TIMEOUT = 60_000;

/** @param {import("../../../runtime-js/node_modules/playwright-core").LaunchOptions} [options] @returns {Promise<Browser>} */
export function launch(options) {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS, ...options });
}

/**
 * @typedef {object} Scene what a test is given
 * @property {Context} context
 * @property {Page} page of the context; more come from `context.newPage()`
 * @property {Watch} watch
 * @property {() => Promise<Page>} stranger a page of another browser, which knows nothing of this one
 * @property {(end: () => unknown) => void} later does something when the test is over
 */

/**
 * Makes a function that declares tests in a browser of their own.
 *
 * @param {import("../../../runtime-js/node_modules/playwright-core").LaunchOptions} [launching]
 */
export function browser(launching) {
  /** @type {Browser} */
  let browser;
  before(async () => (browser = await launch(launching)));
  after(() => browser.close());

  /**
   * @param {string} name @param {(scene: Scene) => Promise<void>} run
   * @param {import("../../../runtime-js/node_modules/playwright-core").BrowserContextOptions} [options]
   */
  return (name, run, options) =>
    test(name, { timeout: TIMEOUT }, async (t) => {
      const watch = new Watch();
      const open = async () => {
        const context = await browser.newContext({ viewport: { width: 1000, height: 700 }, ...options });
        context.setDefaultTimeout(15_000);
        await watch.start(context);
        t.after(() => context.close());
        return context;
      };
      const stranger = async () => (await open()).newPage();
      const context = await open();
      await run({ context, page: await context.newPage(), watch, stranger, later: (end) => t.after(end) });
      watch.check();
    });
}

/** Hears of errors and violations on every page of a context. */
export class Watch {
  /** @type {string[]} */
  #wrong = [];
  /** Errors that the test asks for. @type {RegExp[]} */
  #expected = [];
  /** Pages that were opened. @type {Page[]} */
  #pages = [];
  /** The test itself makes pages ask for regions whole. */
  surprised = false;

  /** @param {Context} context */
  async start(context) {
    context.on("page", (page) => {
      record(page);
      this.#pages.push(page);
      page.on("pageerror", (error) => this.#wrong.push(`${page.url()}: ${error.stack}`));
      page.on("crash", () => this.#wrong.push(`${page.url()} crashed`));
    });
    const hear = (/** @type {import("../../../runtime-js/node_modules/playwright-core").ConsoleMessage} */ message) => {
      const text = message.text();
      // What the network does is the business of the tests that break it.
      if (message.type() === "error" && !/Failed to load resource|WebSocket connection/.test(text)) this.#wrong.push(text);
    };
    context.on("console", hear);
    context.on("serviceworker", (worker) => worker.on("console", hear));
    await context.addInitScript(() => {
      const heard = [];
      window.heard = heard;
      for (const name of ["connected", "disconnected", "error", "lost", "refused"]) {
        addEventListener(`lv:${name}`, ({ target, detail }) => heard.push({ event: name, on: target.id, ...detail }));
      }
      addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
        console.error(`policy violated: ${violatedDirective} by ${blockedURI}`),
      );
    });
  }

  /** The test makes this happen. @param {RegExp} text */
  expect(text) {
    this.#expected.push(text);
  }

  check() {
    const wrong = this.#wrong.filter((text) => !this.#expected.some((expected) => expected.test(text)));
    assert.deepEqual(wrong, [], "errors in the page");
    const asked = this.#pages.flatMap(frames).filter(({ way, kind }) => way === "sent" && kind === RESYNC);
    if (!this.surprised) assert.deepEqual(asked.map(({ body }) => body), [], "regions were asked for whole");
  }
}

/**
 * @typedef {object} Recorded a frame on the wire
 * @property {"sent" | "received"} way
 * @property {number} socket counts the sockets of the page, from 1
 * @property {number} kind
 * @property {number} ref
 * @property {number} size of the whole frame in bytes
 * @property {boolean} binary
 * @property {import("../../../runtime-js/src/msgpack.js").Value[]} body
 */

/** @type {WeakMap<Page, { frames: Recorded[], sockets: string[] }>} */
const recorded = new WeakMap();

/** @param {Page} page */
function record(page) {
  const log = { frames: /** @type {Recorded[]} */ ([]), sockets: /** @type {string[]} */ ([]) };
  recorded.set(page, log);
  page.on("websocket", (socket) => {
    const number = log.sockets.push(socket.url());
    const hear = (/** @type {"sent" | "received"} */ way) => (/** @type {{ payload: string | Buffer }} */ { payload }) => {
      const bytes = Buffer.from(payload);
      const { kind, ref, body } = decodeFrame(bytes);
      const binary = typeof payload !== "string";
      log.frames.push({ way, socket: number, kind, ref, size: bytes.length, binary, body: bodyOf(body) });
    };
    socket.on("framesent", hear("sent"));
    socket.on("framereceived", hear("received"));
  });
}

/** What a page's sockets carried so far, oldest first. @param {Page} page */
export function frames(page) {
  return recorded.get(page)?.frames ?? [];
}

/** The addresses of the sockets that a page opened. @param {Page} page */
export function sockets(page) {
  return recorded.get(page)?.sockets ?? [];
}

/** Waits for the answer to an event or a join, by its place among those of this kind: 0 is the first. @param {Page} page @param {number} kind @param {number} [at] */
export function answer(page, kind, at = 0) {
  return until(() => {
    const asked = frames(page).filter((frame) => frame.way === "sent" && frame.kind === kind)[at];
    return asked && frames(page).find((frame) => frame.way === "received" && frame.ref === asked.ref);
  }, `the answer to frame ${at} of kind ${kind}`);
}

/** The page is joined. @param {Page} page */
export async function joined(page) {
  await page.locator("#lv-root.lv-connected").waitFor({ state: "attached" });
}

/** The page knows that it is not joined. @param {Page} page */
export async function parted(page) {
  await page.locator("#lv-root:not(.lv-connected)").waitFor({ state: "attached" });
}

/** Opens an address and joins its page. @param {Page} page @param {string} url */
export async function visit(page, url) {
  await page.goto(url);
  await joined(page);
}

/** The `lv:*` events of a document so far. @param {Page} page @param {string} [name] */
export async function heard(page, name) {
  const all = await page.evaluate(() => window.heard);
  return name ? all.filter(({ event }) => event === name) : all;
}

/** Remembers in the document itself that it was not loaded anew. @param {Page} page */
export async function stamp(page) {
  await page.evaluate(() => (window.stamped = true));
  return async () => assert.equal(await page.evaluate(() => window.stamped), true, "the page was loaded anew");
}

/** @param {Page} page @param {string} selector */
export function text(page, selector) {
  return page.locator(selector).innerText();
}

/** @param {Page} page @param {string} selector */
export function texts(page, selector) {
  return page.locator(selector).allInnerTexts();
}
