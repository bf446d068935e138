/**
 * A server of pages with row templates: it renders todos from what the sync routes have, patches pages that are joined,
 * and pokes them. What a page says of itself while it is patched, frame by frame, is for a test to ask.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import * as wire from "../../src/constants.js";
import { bodyOf, decodeFrame, encodeFrame } from "../../src/frame.js";
import { encode } from "../../src/msgpack.js";
import { SyncServer } from "../support/sync-server.js";
import { until } from "./support.js";

/** @typedef {import("../../src/msgpack.js").Value} Value */
/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{ id: string, title: string, done?: boolean }} Todo */
/** @typedef {{ peer: import("ws").WebSocket | undefined, seq: number, sent: string }} Session what a page shows, as far as the server knows */

const dist = new URL("../../dist/", import.meta.url);
const SCRIPTS = ["mizu-live.js", "mizu-sync.js", "mizu-local.js"];
export const SCOPE = "todos";

const escape = (/** @type {string} */ text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** The row function. @param {Todo} todo */
function row({ id, title, done = false }) {
  const mutation = escape(`todo.merge {"id":${JSON.stringify(id)},"done":${!done}}`);
  return `<li id="todo-${escape(id)}"${done ? " data-done" : ""}><button class="toggle" form="lv" name="lv" value="toggle?id=${encodeURIComponent(id)}" data-lv-mutate="${mutation}">✓</button><a href="${escape(title)}">${escape(title)}</a><button class="delete" form="lv" name="lv" value="delete" data-lv-mutate="todo.delete" data-lv-value-id="${escape(id)}">×</button><details id="more-${escape(id)}"><summary>More</summary>of it</details><dialog id="dialog-${escape(id)}"><form method="dialog"><input class="note"></form></dialog></li>`;
}

const templates = [false, true]
  .map((done) => `<template data-lv-row="todo" data-lv-into="todos" data-lv-scope="${SCOPE}" data-lv-slots="id title" data-lv-flags='{"done":${done}}'>${row({ id: "\u{F0000}", title: "\u{F0001}", done })}</template>`)
  .join("");

export class LocalHost {
  sync = new SyncServer();
  /** Cuts the way to the server while true. */
  #down = false;
  /** Pages are not told of changes while true. */
  quiet = false;
  /** Frames of pages. @type {{ kind: number, body: Value[] }[]} */
  frames = [];
  /** Native posts. */
  posts = 0;
  /** By the name that its page resumes it under. @type {Map<string, Session>} */
  #sessions = new Map();
  #http = createServer((request, response) => this.#answer(request, response));
  #sockets = new WebSocketServer({ noServer: true });

  async start() {
    this.sync.poke = (scope, cursor) => {
      for (const session of this.#sessions.values()) this.#tell(session, scope, cursor);
    };
    this.#http.on("upgrade", (request, socket, head) => {
      if (this.#down) return socket.destroy();
      this.#sockets.handleUpgrade(request, socket, head, (peer) => {
        peer.on("message", (data) => this.#received(peer, /** @type {Buffer} */ (data)));
      });
    });
    await new Promise((ready) => this.#http.listen(0, "127.0.0.1", () => ready(undefined)));
    return this;
  }

  get url() {
    const address = this.#http.address();
    if (!address || typeof address === "string") throw new Error("not listening");
    return `http://127.0.0.1:${address.port}/todos`;
  }

  /** @param {boolean} down */
  set down(down) {
    this.#down = down;
    if (down) for (const peer of this.#sockets.clients) peer.terminate();
  }

  stop() {
    this.down = true;
    this.#http.closeAllConnections();
    this.#http.close();
  }

  /** @returns {Todo[]} by id, as the page lists them */
  get todos() {
    const todos = /** @type {Todo[]} */ ([...this.sync.rows(SCOPE).values()]);
    return todos.sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  get html() {
    return this.todos.map(row).join("");
  }

  get events() {
    return this.frames.filter(({ kind }) => kind === wire.EVENT);
  }

  /** Somebody else does something. @param {Todo} todo */
  write(todo) {
    this.sync.write(SCOPE, { op: "create", entity: "todo", id: todo.id, data: { ...todo } });
  }

  /** Tells pages what they have not heard. */
  tell() {
    this.quiet = false;
    for (const session of this.#sessions.values()) this.#tell(session, SCOPE, this.sync.cursor(SCOPE));
  }

  /** @param {Session} session @param {string} scope @param {string} cursor */
  #tell(session, scope, cursor) {
    const { peer, sent } = session;
    if (!peer || this.quiet || scope !== SCOPE) return;
    peer.send(encodeFrame(wire.POKE, "", 0, encode([scope, cursor])));
    if (this.html !== sent) peer.send(encodeFrame(wire.PATCH, "1", 0, encode(this.#patch(session))));
  }

  /** @param {Session} session @returns {Value} */
  #patch(session) {
    session.sent = this.html;
    const open = this.todos.filter(({ done }) => !done).length;
    return [++session.seq, [["todos", wire.INNER, this.html], ["count", wire.INNER, count(open)]]];
  }

  /** @param {import("ws").WebSocket} peer @param {Buffer} data */
  #received(peer, data) {
    const { kind, ref, body: bytes } = decodeFrame(new Uint8Array(data));
    const body = bodyOf(bytes);
    this.frames.push({ kind, body });
    if (kind === wire.JOIN) this.#join(peer, ref, body);
    if (kind === wire.HEARTBEAT) peer.send(encodeFrame(wire.HEARTBEAT, "", 0, encode(Date.now())));
    if (kind === wire.SUBSCRIBE) peer.send(encodeFrame(wire.REPLY, "", ref, encode([0, null, [body[0], []]])));
  }

  /** @param {import("ws").WebSocket} peer @param {number} ref @param {Value[]} body */
  #join(peer, ref, [token, , , resume]) {
    const name = String(Array.isArray(resume) ? resume[0] : token);
    // A page that was kept for long has a token that nobody knows any more: it is mounted anew.
    const known = this.#sessions.get(name);
    const session = known ?? { peer, seq: 0, sent: "" };
    const now = known ? name : `S${this.#sessions.size}`;
    this.#sessions.set(now, session);
    session.peer = peer;
    peer.on("close", () => (session.peer = undefined));
    const patch = session.sent === this.html ? null : this.#patch(session);
    peer.send(encodeFrame(wire.REPLY, "", ref, encode([0, patch, ["1", now, session.seq, 25_000, false, !known]])));
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async #answer(request, response) {
    if (this.#down) return request.socket.destroy();
    const { pathname } = new URL(request.url ?? "", this.url);
    if (pathname.startsWith("/_sync/")) {
      let text = "";
      for await (const chunk of request) text += chunk;
      const { status, body } = this.sync.answer(pathname.slice("/_sync/".length), JSON.parse(text));
      return response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    }
    const script = pathname === "/_mizu/offline.js" ? "mizu-offline.js" : SCRIPTS.find((name) => pathname === `/_mizu/1/${name}`);
    if (script) {
      response.setHeader("content-type", "text/javascript").setHeader("service-worker-allowed", "/");
      return response.end(await readFile(new URL(script, dist)));
    }
    if (pathname !== "/todos") return response.writeHead(204).end();
    if (request.method === "POST") {
      this.posts++;
      return response.writeHead(303, { location: "/todos" }).end();
    }
    const token = `T${this.#sessions.size}`;
    this.#sessions.set(token, { peer: undefined, seq: 0, sent: this.html });
    response.setHeader("content-security-policy", "default-src 'self'");
    response.setHeader("content-type", "text/html; charset=utf-8").end(this.#page(token));
  }

  /** @param {string} token */
  #page(token) {
    const open = this.todos.filter(({ done }) => !done).length;
    const scripts = SCRIPTS.filter((name) => name !== "mizu-sync.js").map((name) => `<script type="module" src="/_mizu/1/${name}"></script>`);
    return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Todos</title>${scripts.join("")}</head><body>
<div id="lv-root" data-lv data-lv-sync="/_mizu/1/mizu-sync.js" data-lv-user="${this.sync.user}" data-lv-offline="/todos">
<form id="new" data-lv-submit="add" data-lv-mutate="todo.create" method="post"><input name="title"><button>Add</button></form>
<ul id="todos">${this.html}</ul>${templates}<p id="count">${count(open)}</p>
<p id="status" data-lv-sync-status></p><p id="problem" data-lv-sync-problem hidden></p></div>
<form id="lv" method="post" hidden><input type="hidden" name="lv-token" value="${token}"></form></body></html>`;
  }
}

/** @param {number} open */
const count = (open) => `<span data-lv-count="todo" data-lv-count-where='{"done":false}'>${open}</span> open`;

/** What a person sees: `+` is done, `*` is pending. @param {Page} page */
export const seen = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("#todos > li:not([hidden])")]
      .map((item) => item.querySelector("a")?.textContent + (item.hasAttribute("data-done") ? "+" : "") + (item.hasAttribute("data-pending") ? "*" : ""))
      .join(" "),
  );

/** @param {Page} page @param {string} rows */
export async function shows(page, rows) {
  let last = "";
  try {
    await until(async () => (last = await seen(page)) === rows);
  } catch {
    throw new Error(`"${last}" is not "${rows}"`);
  }
}

/** The list is, node by node, what the server has rendered: nothing of the browser's own is left in it. @param {Page} page @param {LocalHost} host */
export const mirrors = (page, host) =>
  until(
    () =>
      page.$eval(
        "#todos",
        (list, html) => {
          const other = /** @type {Element} */ (list.cloneNode(false));
          other.innerHTML = html;
          return list.isEqualNode(other);
        },
        host.html,
      ),
    "the server's own rows",
  );

/** @param {Page} page @param {string} selector @param {string} text */
export const says = (page, selector, text) => until(async () => (await page.textContent(selector)) === text, `${selector} to say ${text}`);

/** @param {Page} page @param {string} title */
export async function add(page, title) {
  await page.fill("#new input", title);
  await page.press("#new input", "Enter");
  await until(async () => (await page.inputValue("#new input")) === "", "the form to be empty");
}

/** @param {Page} page @param {string} title @param {"toggle" | "delete"} button */
export const press = (page, title, button) => page.click(`#todos li:has(a:text-is("${title}")) .${button}`);

/** The worker keeps the page. @param {Page} page */
export const kept = (page) => until(() => page.evaluate(async () => (await caches.keys()).length === 2), "the page to be kept");

/**
 * Watches how a row is seen: whenever the document has changed, and in each frame that is painted.
 *
 * @param {Page} page @param {string} title
 * @returns {Promise<() => Promise<string[]>>} what was seen so far, each once: how often it was there, and marks
 */
export async function watch(page, title) {
  const name = `watched${Math.random()}`;
  await page.evaluate(
    ([name, title]) => {
      const all = new Set();
      const look = () => {
        const items = [...document.querySelectorAll("#todos > li:not([hidden])")].filter((item) => item.querySelector("a")?.textContent === title);
        all.add(items.length + (items.some((item) => item.hasAttribute("data-done")) ? "+" : ""));
      };
      const paint = () => {
        look();
        requestAnimationFrame(paint);
      };
      paint();
      // Runs after the turn of whoever changes something.
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
      Object.assign(window, { [name]: all });
    },
    [name, title],
  );
  return () => page.evaluate((name) => [.../** @type {Set<string>} */ (Reflect.get(window, name))], name);
}
