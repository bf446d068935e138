/** A page in happy-dom, a WebSocket that a test speaks for, and time that stands still. */
import { afterEach, beforeEach, vi } from "vitest";
import * as wire from "../src/constants.js";
import { bodyOf, decodeFrame, encodeFrame } from "../src/frame.js";
import { MizuLive } from "../src/index.js";
import { encode } from "../src/msgpack.js";

/** @typedef {import("../src/msgpack.js").Value} Value */
/** @typedef {{ kind: number, topic: string, ref: number, body: Value[] }} Sent */

export class FakeSocket {
  /** Every socket since the test began. @type {FakeSocket[]} */
  static all = [];
  static OPEN = 1;
  readyState = 0;
  binaryType = "";
  /** What the page sent. @type {Sent[]} */
  sent = [];
  /** The code with which the page closed it. @type {number | undefined} */
  closed;
  /** @type {(() => void) | null} */
  onopen = null;
  /** @type {((event: { data: ArrayBuffer | string }) => void) | null} */
  onmessage = null;
  /** @type {((event: { code: number, reason: string }) => void) | null} */
  onclose = null;

  /** @param {string} url @param {string} protocol */
  constructor(url, protocol) {
    this.url = url;
    this.protocol = protocol;
    FakeSocket.all.push(this);
  }

  /** @param {Uint8Array} bytes */
  send(bytes) {
    const { kind, topic, ref, body } = decodeFrame(bytes);
    this.sent.push({ kind, topic, ref, body: bodyOf(body) });
  }

  /** @param {number} [code] */
  close(code) {
    this.closed = code;
    this.readyState = 3;
  }

  open() {
    this.readyState = 1;
    this.onopen?.();
    return this;
  }

  /** @param {number} kind @param {number} ref @param {Value} body @param {string} [topic] */
  receive(kind, ref, body, topic = "1") {
    this.raw(encodeFrame(kind, topic, ref, encode(body)));
  }

  /** @param {Uint8Array} bytes */
  raw(bytes) {
    this.onmessage?.({ data: bytes.slice().buffer });
  }

  /** The server, or the network, ends it. @param {number} [code] @param {string} [reason] */
  end(code = 1006, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  /** What the page sent of a kind. @param {number} kind */
  of(kind) {
    return this.sent.filter((frame) => frame.kind === kind);
  }

  /** Answers the newest join. @param {{ patch?: Value, topic?: string, session?: string, seq?: number, fresh?: boolean }} [options] */
  welcome({ patch = null, topic = "1", session = "S1", seq = 0, fresh = false } = {}) {
    const join = this.of(wire.JOIN).at(-1);
    this.receive(wire.REPLY, join?.ref ?? 0, [0, patch, [topic, session, seq, 25_000, false, fresh]], "");
  }
}

/** @returns {FakeSocket} the socket in use */
export function socket() {
  const newest = FakeSocket.all.at(-1);
  if (!newest) throw new Error("no socket was opened");
  return newest;
}

/** @param {string} selector */
export function $(selector) {
  const element = document.querySelector(selector);
  if (!element) throw new Error(`no ${selector}`);
  return /** @type {HTMLInputElement} */ (element);
}

/** @type {MizuLive | undefined} */
let live;

/** Opens a page, and joins it unless told otherwise. @param {string} body @param {{ join?: boolean }} [options] */
export function open(body, { join = true } = {}) {
  document.body.innerHTML = `<div id="lv-root" data-lv>${body}</div><form id="lv" method="post" hidden><input type="hidden" name="lv-token" value="TOKEN"></form>`;
  live?.disconnect();
  live = new MizuLive({ root: $("#lv-root") }).connect();
  if (join) socket().open().welcome();
  return live;
}

/** Hears `lv:*` events. @param {string} name */
export function hear(name) {
  /** @type {Record<string, unknown>[]} */
  const heard = [];
  document.addEventListener(`lv:${name}`, (event) => heard.push(/** @type {CustomEvent} */ (event).detail));
  return heard;
}

/** @param {string} selector @param {string} type @param {EventInit & { key?: string, isComposing?: boolean }} [init] */
export function fire(selector, type, init = {}) {
  const options = { bubbles: true, cancelable: true, ...init };
  const event = type.startsWith("key") ? new KeyboardEvent(type, options) : new Event(type, options);
  $(selector).dispatchEvent(event);
  return event;
}

/** The user types. @param {string} selector @param {string} text */
export function type(selector, text) {
  $(selector).value = text;
  fire(selector, "input");
}

/** Sets everything up for each test of a file. */
export function setup() {
  beforeEach(() => {
    FakeSocket.all = [];
    vi.useFakeTimers();
    vi.stubGlobal("WebSocket", FakeSocket);
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    sessionStorage.clear();
  });
  afterEach(() => {
    live?.disconnect();
    document.body.innerHTML = "";
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
}
