/**
 * A real Chromium in front of a server that a test speaks for: it serves one page and the built script, keeps what it
 * is sent, and answers the first join of a page by itself. Nothing here sleeps: `until` waits for what is expected.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { chromium } from "playwright-core";
import { WebSocketServer } from "ws";
import * as wire from "../../src/constants.js";
import { bodyOf, decodeFrame, encodeFrame } from "../../src/frame.js";
import { encode } from "../../src/msgpack.js";

/** @typedef {import("../../src/msgpack.js").Value} Value */
/** @typedef {{ kind: number, topic: string, ref: number, body: Value[] }} Received */

const script = new URL("../../dist/mizu-live.js", import.meta.url);

/** @param {string} body of the root */
export const html = (body) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Test</title>
<script type="module" src="/mizu-live.js"></script></head><body><div id="lv-root" data-lv>${body}</div>
<form id="lv" method="post" hidden><input type="hidden" name="lv-token" value="TOKEN"></form></body></html>`;

export class Server {
  /** What the root holds when the page is loaded. */
  content = "";
  /** Frames from the page. @type {Received[]} */
  frames = [];
  /** Bodies of native posts. @type {URLSearchParams[]} */
  posts = [];
  /** Loads of the page. */
  loads = 0;
  /** Cookies of the newest load. @type {string | undefined} */
  cookie;
  /** Whether the next joins are answered as fresh mounts, and with which patch. @type {{ fresh: boolean, patch: Value }} */
  mount = { fresh: false, patch: null };
  /** Refuses sockets while true. */
  down = false;
  #seq = 0;
  #http = createServer((request, response) => this.#answer(request, response));
  #sockets = new WebSocketServer({ noServer: true });

  async start() {
    this.#http.on("upgrade", (request, socket, head) => {
      if (this.down) return socket.destroy();
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
    return `http://127.0.0.1:${address.port}/`;
  }

  stop() {
    this.drop();
    this.#http.closeAllConnections();
    this.#http.close();
  }

  /** Ends all connections. */
  drop() {
    for (const peer of this.#sockets.clients) peer.terminate();
  }

  /** @param {number} kind @param {number} ref @param {Value} body @param {string} [topic] */
  send(kind, ref, body, topic = "1") {
    for (const peer of this.#sockets.clients) peer.send(encodeFrame(kind, topic, ref, encode(body)));
  }

  /** A patch of regions. @param {[id: string, kind: number, how: Value][]} regions */
  patch(...regions) {
    this.send(wire.PATCH, 0, [++this.#seq, regions]);
  }

  /** Answers an event. @param {number} ref @param {[id: string, kind: number, html: string][]} regions */
  reply(ref, ...regions) {
    this.send(wire.REPLY, ref, regions.length ? [0, [++this.#seq, regions]] : [0]);
  }

  /** @param {number} kind */
  all(kind) {
    return this.frames.filter((frame) => frame.kind === kind);
  }

  /** The n-th frame of a kind, when it is there. @param {number} kind @param {number} [n] */
  frame(kind, n = 1) {
    return until(() => this.all(kind)[n - 1], `frame ${n} of kind ${kind}`);
  }

  /** @param {import("ws").WebSocket} peer @param {Buffer} data */
  #received(peer, data) {
    const { kind, topic, ref, body } = decodeFrame(new Uint8Array(data));
    this.frames.push({ kind, topic, ref, body: bodyOf(body) });
    /** @param {number} kind @param {string} topic @param {Value} body */
    const answer = (kind, topic, body) => peer.send(encodeFrame(kind, topic, ref, encode(body)));
    const { fresh, patch } = this.mount;
    if (fresh) this.#seq = 0;
    if (kind === wire.JOIN && !topic) answer(wire.REPLY, "", [0, patch, ["1", "SESSION", this.#seq, 25_000, false, fresh]]);
    if (kind === wire.HEARTBEAT) answer(wire.HEARTBEAT, "", Date.now());
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async #answer(request, response) {
    if (request.url === "/mizu-live.js") {
      return response.setHeader("content-type", "text/javascript").end(await readFile(script));
    }
    if (request.url === "/favicon.ico") return response.writeHead(204).end();
    if (request.method === "POST") {
      let body = "";
      for await (const chunk of request) body += chunk;
      this.posts.push(new URLSearchParams(body));
      return response.writeHead(303, { location: "/" }).end();
    }
    this.loads++;
    this.cookie = request.headers.cookie;
    response.setHeader("content-security-policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'");
    response.setHeader("content-type", "text/html; charset=utf-8").end(html(this.content));
  }
}

/**
 * Waits until `probe` gives something true, and returns it.
 *
 * @template T
 * @param {() => T | Promise<T>} probe @param {string} [what]
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(probe, what = String(probe)) {
  const end = Date.now() + 15_000;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((next) => setTimeout(next, 10));
  }
}

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}
