/** The lab's stage: it shows what a test says, in patches of steps or of whole regions, and everything is tried both ways. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { INNER, PATCH, REPLY, STEPS } from "../../../runtime-js/src/constants.js";
import { frames, text, visit } from "./browser.mjs";
import { becomes, until } from "./wait.mjs";

/** @typedef {import("./browser.mjs").Scene & { stage: Stage }} Play */
/** @typedef {{ within?: "div" | "g" | "tbody" | "select", base?: string, page?: import("./browser.mjs").Page }} Place */

const ID = "stage";

/** Stands below what is shown: next to it, steps are less than the HTML, however much they change. */
const BALLAST = `<footer>${"What nobody touches. ".repeat(60)}</footer>`;

export class Stage {
  #page;
  #lab;
  #whole;
  #room = randomUUID();
  #turn = 0;
  #ballast = BALLAST;

  /** @param {import("./browser.mjs").Page} page @param {import("./server.mjs").Server} lab @param {boolean} whole */
  constructor(page, lab, whole) {
    this.#page = page;
    this.#lab = lab;
    this.#whole = whole;
  }

  /** Opens the page with this HTML on it. @param {string} html @param {Place} [place] */
  async open(html, { within = "div", base = this.#lab.url, page = this.#page } = {}) {
    this.#ballast = within === "div" ? BALLAST : "";
    await this.#post(html);
    await visit(page, `${base}/stage?${new URLSearchParams({ room: this.#room, within, whole: String(this.#whole) })}`);
    this.#turn = 0;
  }

  /** Has the server show this, and doesn't wait for it. @param {string} html */
  async send(html) {
    this.#turn++;
    await this.#post(html);
  }

  /** Has the server show this, and waits until its patch has been applied: in steps or as a whole, as it should. @param {string} html */
  async show(html) {
    const before = frames(this.#page).length;
    await this.send(html);
    await this.shown();
    const regions = patches(this.#page, before).filter(([id]) => id === ID);
    assert.deepEqual(regions.map(([, kind]) => kind), [this.#whole ? INNER : STEPS], "how the patch was written");
  }

  /** Has the server show this, in whatever way it comes: none at all, or as a mixture. @param {string} html */
  async showAnyhow(html) {
    await this.send(html);
    await this.shown();
  }

  /** All that was sent has been applied. */
  async shown() {
    await becomes(() => text(this.#page, "#turn"), String(this.#turn));
  }

  /** What was done on the page, as the server heard it: names with their fields. @returns {Promise<[string, Record<string, string>][]>} */
  async events() {
    return (await fetch(`${this.#lab.url}/stage/${this.#room}`)).json();
  }

  /** Waits for the newest event. @param {string} name */
  async heard(name) {
    return until(async () => (await this.events()).findLast(([heard]) => heard === name), `the event ${name}`);
  }

  /** @param {string} html */
  async #post(html) {
    const response = await fetch(`${this.#lab.url}/stage/${this.#room}`, { method: "POST", body: html + this.#ballast });
    assert.equal(response.status, 204);
  }
}

/** The regions that the server has sent. @param {import("./browser.mjs").Page} page @param {number} [after] so many frames */
export function patches(page, after = 0) {
  const received = frames(page).slice(after).filter(({ way }) => way === "received");
  return received.flatMap(({ kind, body }) => (kind === PATCH ? body[1] : kind === REPLY ? (body[1]?.[1] ?? []) : []));
}

/**
 * Makes a function that declares a test twice.
 *
 * @param {(name: string, run: (scene: import("./browser.mjs").Scene) => Promise<void>) => void} scene @param {import("./server.mjs").Server} lab
 */
export function plays(scene, lab) {
  return (/** @type {string} */ name, /** @type {(play: Play) => Promise<void>} */ run) => {
    scene(`${name} (in steps)`, (it) => run({ ...it, stage: new Stage(it.page, lab, false) }));
    scene(`${name} (as a whole)`, (it) => run({ ...it, stage: new Stage(it.page, lab, true) }));
  };
}

/** Watches what changes on the stage; the answer names the nodes that did, in order. @param {import("./browser.mjs").Page} page */
export async function changes(page) {
  await page.evaluate(() => {
    window.changes = [];
    const name = (node) => (node instanceof Element ? `${node.localName}${node.id && `#${node.id}`}` : node.nodeName);
    new MutationObserver((records) => {
      for (const { type, target, attributeName } of records) window.changes.push(`${name(target)} ${attributeName ?? type}`);
    }).observe(document.querySelector("#stage"), { subtree: true, childList: true, attributes: true, characterData: true });
  });
  return () => page.evaluate(() => window.changes.splice(0));
}

/** What a field shows, and whether somebody is in it. @param {import("./browser.mjs").Page} page @param {string} selector */
export function field(page, selector) {
  return page.locator(selector).evaluate((input) => ({
    value: input.value,
    caret: [input.selectionStart, input.selectionEnd],
    focused: document.activeElement === input,
  }));
}

/** Remembers nodes; the answer tells whether they still are what is found, and where they were. @param {import("./browser.mjs").Page} page @param {string[]} selectors */
export async function same(page, ...selectors) {
  const nodes = await page.evaluateHandle((selectors) => selectors.map((selector) => document.querySelector(selector)), selectors);
  return async () => {
    const kept = await nodes.evaluate((nodes, selectors) => selectors.filter((selector, at) => nodes[at] && nodes[at] === document.querySelector(selector)), selectors);
    assert.deepEqual(kept, selectors, "these are the nodes that they were");
  };
}
