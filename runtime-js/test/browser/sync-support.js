/** A server over HTTP that keeps the sync contract, with a page that draws its rows, and a Chromium profile to look at it. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { SyncServer } from "../support/sync-server.js";
import { until } from "./support.js";

const dist = new URL("../../dist/", import.meta.url);

/** What the page's own script does: it shows the rows, the status, and offers the engine to the test. */
const APP = `
import { MizuSync } from "/_mizu/1/mizu-sync.js";
const { user, build } = document.body.dataset;
const sync = new MizuSync({ user, poll: 60_000 }).entity("todo");
Object.assign(window, { sync, SCOPE: "user:" + user + ":todos" });
const draw = (rows) => {
  const items = rows.map(({ id, data, pending }) => {
    const item = document.createElement("li");
    item.id = id;
    item.textContent = data.title;
    item.toggleAttribute("data-pending", pending);
    return item;
  });
  document.querySelector("ul").replaceChildren(...items);
};
sync.subscribe({ scope: SCOPE, entity: "todo" }, draw);
sync.on("status", (status) => (document.body.dataset.state = status.state + (status.leader ? " leader" : "")));
await sync.open();
document.body.dataset.ready = "";
if (location.pathname === "/todos") await sync.offline(["/todos"], { build });
document.body.dataset.kept = "";
`;

export class SyncHost {
  sync = new SyncServer();
  /** Of the deployed pages. */
  build = "b1";
  /** Cuts the way to the server while true. */
  down = false;
  /** Every request that arrived. @type {string[]} */
  requests = [];
  #http = createServer((request, response) => this.#answer(request, response));

  async start() {
    await new Promise((ready) => this.#http.listen(0, "127.0.0.1", () => ready(undefined)));
    return this;
  }

  get url() {
    const address = this.#http.address();
    if (!address || typeof address === "string") throw new Error("not listening");
    return `http://127.0.0.1:${address.port}`;
  }

  get scope() {
    return `user:${this.sync.user}:todos`;
  }

  stop() {
    this.#http.closeAllConnections();
    this.#http.close();
  }

  /** Rows that the server has. */
  get titles() {
    return [...this.sync.rows(this.scope).values()].map((row) => /** @type {{ title: string }} */ (row).title);
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async #answer(request, response) {
    if (this.down) return request.socket.destroy();
    const { pathname } = new URL(request.url ?? "", this.url);
    this.requests.push(pathname);
    if (pathname.startsWith("/_sync/")) {
      let text = "";
      for await (const chunk of request) text += chunk;
      const { status, body } = this.sync.answer(pathname.slice("/_sync/".length), JSON.parse(text));
      return response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    }
    const script = { "/_mizu/1/mizu-sync.js": "mizu-sync.js", "/_mizu/offline.js": "mizu-offline.js", "/_mizu/1/mizu-inspector.js": "mizu-inspector.js" }[pathname];
    if (script || pathname === "/app.js") {
      response.setHeader("content-type", "text/javascript");
      if (pathname === "/_mizu/offline.js") response.setHeader("service-worker-allowed", "/");
      response.setHeader("cache-control", pathname.startsWith("/_mizu/1/") ? "public, max-age=31536000, immutable" : "no-cache");
      return response.end(script ? await readFile(new URL(script, dist)) : APP);
    }
    if (pathname === "/style.css") return response.setHeader("content-type", "text/css").end("ul { list-style: none }");
    if (pathname === "/favicon.ico") return response.writeHead(204).end();
    response.setHeader("content-security-policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; worker-src 'self'");
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${this.build}</title><link rel="stylesheet" href="/style.css">
<script type="module" src="/app.js"></script></head><body data-user="${this.sync.user}" data-build="${this.build}"><ul></ul></body></html>`);
  }
}

/** Ids on the page, with a star when pending. @param {import("playwright-core").Page} page */
export const shown = (page) =>
  page.$$eval("li", (items) => items.map((item) => item.id + (item.hasAttribute("data-pending") ? "*" : "")).join(" "));

/** @param {import("playwright-core").Page} page @param {string} rows */
export const shows = (page, rows) => until(async () => (await shown(page)) === rows, `rows "${rows}"`);

/** @typedef {Window & { sync: import("../../src/sync/index.js").MizuSync, SCOPE: string }} AppWindow */

/** @param {import("playwright-core").Page} page @param {string} id */
export const create = (page, id) =>
  page.evaluate((id) => {
    const { sync, SCOPE } = /** @type {AppWindow} */ (/** @type {unknown} */ (window));
    return sync.mutate("todo.create", { id, title: `Title of ${id}` }, { scope: SCOPE }).queued;
  }, id);
