/** A server that the client synchronises with: rows in memory, and an order in which they changed. It answers as fast as it can. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const RUNTIME = new URL("../../runtime-js/", import.meta.url);

/** What a page may load. @type {Record<string, URL>} */
const FILES = {
  "/mizu-sync.js": new URL("dist/mizu-sync.js", RUNTIME),
  "/idb.js": new URL("node_modules/idb/build/index.js", RUNTIME),
  "/page.js": new URL("page.js", import.meta.url),
};

export const SCOPE = "todos";
const ENTITY = "todo";

/** @typedef {{ id: string, title: string, done: boolean }} Todo */
/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */

export class Server {
  /** @type {Todo[]} */
  #rows;
  /** The row that each position of the log changed. @type {Todo[]} */
  #log = [];
  #http = createServer((request, response) => {
    this.#answer(request, response).catch((error) => response.writeHead(500).end(String(error)));
  });

  /** @param {number} rows */
  constructor(rows) {
    this.#rows = Array.from({ length: rows }, (_, n) => ({
      id: `row-${String(n).padStart(6, "0")}`,
      title: `Something that has to be done before it is too late, number ${n}`,
      done: false,
    }));
  }

  async start() {
    this.#http.listen(0, "127.0.0.1");
    await once(this.#http, "listening");
    return this;
  }

  get url() {
    const address = /** @type {import("node:net").AddressInfo} */ (this.#http.address());
    return `http://127.0.0.1:${address.port}/`;
  }

  stop() {
    this.#http.closeAllConnections();
    this.#http.close();
  }

  /** Changes one row. @returns {{ cursor: string, title: string }} where the log is then, and what the row says */
  change() {
    const at = Math.floor(this.#rows.length / 2);
    const row = { ...this.#rows[at], title: `Changed ${this.#log.length + 1} times` };
    this.#rows[at] = row;
    this.#log.push(row);
    return { cursor: this.#cursor, title: row.title };
  }

  get #cursor() {
    return `c${this.#log.length}`;
  }

  /** @param {Request} request @param {Response} response */
  async #answer(request, response) {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname in FILES) {
      return response.setHeader("content-type", "text/javascript").end(await readFile(FILES[pathname]));
    }
    if (request.method !== "POST") {
      const page = `<!doctype html><html lang="en"><title>Sync</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>`;
      return response.setHeader("content-type", "text/html; charset=utf-8").end(page);
    }
    let text = "";
    for await (const chunk of request) text += chunk;
    const answer = this.#asked(pathname, JSON.parse(text));
    // Pushes wait for a better day, so that what was mutated stays pending.
    if (!answer) return response.writeHead(503, { "retry-after": "3600" }).end('{"code":"unavailable","error":"later"}');
    response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
  }

  /** @param {string} path @param {{ cursor?: string, page?: string, limit?: number }} asked */
  #asked(path, { cursor, page, limit = 1_000 }) {
    if (path === "/_sync/snapshot") {
      const start = Number(page ?? 0);
      const rows = this.#rows.slice(start, start + limit).map((data) => ({ entity: ENTITY, id: data.id, data }));
      const next = start + limit < this.#rows.length ? String(start + limit) : undefined;
      return { rows, acks: [], cursor: this.#cursor, next };
    }
    if (path === "/_sync/pull") {
      const changes = this.#log.slice(Number(cursor?.slice(1))).map((data) => ({ op: "update", entity: ENTITY, id: data.id, data }));
      return { changes, cursor: this.#cursor, has_more: false };
    }
  }
}
