/** A page with a local store: what a server renders, its socket and its sync routes, all for a test to speak for. */
import { vi } from "vitest";
import * as wire from "../../src/constants.js";
import { Local } from "../../src/local/local.js";
import { $, fire, FakeSocket, open, socket } from "../support.js";
import { Browser, Network, settle, turn, until } from "./sync.js";

export const SCOPE = "todos";

/** @typedef {{ id: string, title?: string, done?: boolean }} Todo */

/** What the server's row function makes of a row, a template's slots included. @param {Todo} todo */
export function row({ id, title = "", done = false }) {
  return `<li id="todo-${id}"${done ? " data-done" : ""}><button form="lv" name="lv" value="toggle" data-lv-mutate='todo.merge {"id":"${id}","done":${!done}}'>✓</button><span>${title}</span><button class="delete" data-lv-click="delete" data-lv-mutate="todo.delete" data-lv-value-id="${id}">×</button></li>`;
}

export const templates = [false, true]
  .map((done) => `<template data-lv-row="todo" data-lv-into="todos" data-lv-scope="${SCOPE}" data-lv-slots="id title" data-lv-flags='{"done":${done}}'>${row({ id: "\u{F0000}", title: "\u{F0001}", done })}</template>`)
  .join("");

const FORM = `<form id="new" data-lv-submit="add" method="post" data-lv-mutate="todo.create"><input name="title" data-lv-input="typing" data-lv-debounce="50"><button>Add</button></form>`;
const NOTES = `<p id="status" data-lv-sync-status></p><p id="problem" data-lv-sync-problem hidden></p>`;

export class Page {
  network = new Network();
  browser = new Browser(this.network);
  #seq = 0;
  /** @type {Local | undefined} */
  #local;
  /** @type {import("../../src/index.js").MizuLive | undefined} */
  #live;

  /** Before each test. The clock of the page stands still; what the store does takes its turns. */
  start() {
    FakeSocket.all = [];
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    vi.stubGlobal("WebSocket", FakeSocket);
    // A socket comes back at once.
    vi.spyOn(Math, "random").mockReturnValue(0);
    sessionStorage.clear();
  }

  stop() {
    this.#leave();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  }

  /** The server's rows. @param {...Todo} todos */
  has(...todos) {
    for (const todo of todos) {
      const data = { done: false, ...todo };
      this.network.server.write(SCOPE, { op: "create", entity: "todo", id: todo.id, data });
    }
  }

  get live() {
    if (!this.#live) throw new Error("no page");
    return this.#live;
  }

  /** What the server would render now. */
  get html() {
    return [...this.network.server.rows(SCOPE).values()].map((todo) => row(/** @type {Todo} */ (todo))).join("");
  }

  get local() {
    if (!this.#local) throw new Error("no page");
    return this.#local;
  }

  /**
   * Loads the page.
   *
   * @param {object} [options]
   * @param {boolean} [options.joined] or else the server isn't reached
   * @param {string} [options.html] of the rows, by default what the server renders
   * @param {string} [options.more] HTML
   * @param {string} [options.at] attributes of the list
   * @param {import("../../src/sync/index.js").Options} [options.sync]
   */
  async load({ joined = true, html = this.html, more = "", at = "", sync } = {}) {
    this.#leave();
    const live = open(`${FORM}<ul id="todos" ${at}>${html}</ul>${more}${templates}${NOTES}`, { join: joined });
    if (!joined) socket().end();
    this.#live = live;
    this.#local = new Local($("#lv-root"), live, this.browser.tab(sync));
    await this.#local.open();
    await settle();
    return this.#local;
  }

  /** Nothing of the page that was loaded is left. */
  #leave() {
    this.#seq = 0;
    document.body.innerHTML = "";
    this.#live?.disconnect();
    this.browser.quit();
  }

  /** The server doesn't answer requests any more, or does again. @param {boolean} away */
  away(away) {
    this.network.fate = () => (away ? "lost" : "ok");
  }

  /** Joins a page that was away. @param {string} [html] of the rows, if they are others than before */
  join(html) {
    vi.advanceTimersByTime(1);
    const patch = html === undefined ? null : [1, [["todos", wire.INNER, html]]];
    this.#seq = 1;
    socket().open().welcome({ patch, seq: 1 });
  }

  /** A patch of the list, or of something else. @param {string} [html] @param {string} [id] */
  patch(html = this.html, id = "todos") {
    socket().receive(wire.PATCH, 0, [++this.#seq, [[id, wire.INNER, html]]]);
  }

  /** Everything is sent and pulled. */
  async synced() {
    await this.local.sync.sync();
    await settle();
  }

  /** @param {string} title */
  async add(title) {
    $("#new input").value = title;
    fire("#new", "submit");
    await turn();
  }

  /** @param {string} id @param {string} [button] */
  async press(id, button = "button") {
    $(`#todo-${id} ${button}`).click();
    await turn();
  }
}

/** What is seen of the rows: `+` is done, `*` is pending. */
export function shown() {
  return Array.from(document.querySelectorAll("#todos > li:not([hidden])"), (item) => {
    const marks = (item.hasAttribute("data-done") ? "+" : "") + (item.hasAttribute("data-pending") ? "*" : "");
    return `${item.querySelector("span")?.textContent}${marks}`;
  }).join(" ");
}

/** The list is, node by node, what this HTML says. @param {string} html */
export function lists(html) {
  const list = /** @type {Element} */ ($("#todos").cloneNode(false));
  list.innerHTML = html;
  if (!$("#todos").isEqualNode(list)) throw new Error(`${$("#todos").innerHTML}\nis not\n${html}`);
  return true;
}

export { settle, turn, until };
