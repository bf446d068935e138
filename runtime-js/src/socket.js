/**
 * One WebSocket that comes back. It knows frames, but no page: whoever owns it hears `opened`, `received`, `closed`.
 *
 * A connection that ends is tried again after a backoff, after exactly the delay that the server asked for in a CLOSE
 * frame, or at once when the browser says that the network or the tab is back. The backoff starts over only when its
 * owner calls `settle`: an accepted upgrade alone proves nothing. Terminal codes end the trying.
 */
import { CLOSE, HEARTBEAT, NORMAL, SUBPROTOCOL, TERMINAL } from "./constants.js";
import { bodyOf, decodeFrame, encodeFrame } from "./frame.js";
import { encode } from "./msgpack.js";
import { Backoff } from "./backoff.js";
import { Heartbeat } from "./heartbeat.js";

/**
 * @typedef {object} Owner
 * @property {() => void} opened
 * @property {(frame: import("./frame.js").Frame) => void} received
 * @property {(code: number, reason: string, terminal: boolean) => void} closed
 */

/** An upgrade that takes longer than this has failed. */
const CONNECT_TIMEOUT = 10_000;

export class Socket {
  #url;
  #owner;
  #debug;
  #backoff = new Backoff(500, 15_000);
  #heartbeat = new Heartbeat(() => this.send(HEARTBEAT, "", 0, Date.now()), () => this.drop("heartbeat timeout"));
  /** @type {WebSocket | undefined} */
  #socket;
  #started = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** What the server asked for in its CLOSE frame. @type {number | undefined} */
  #delay;

  /** @param {string} url @param {Owner} owner @param {import("./debug.js").Debug} debug */
  constructor(url, owner, debug) {
    this.#url = url;
    this.#owner = owner;
    this.#debug = debug;
  }

  start() {
    if (this.#started) return;
    this.#started = true;
    this.#connect();
  }

  /** Ends the connection and the trying. */
  stop() {
    this.#started = false;
    clearTimeout(this.#timer);
    this.#release(NORMAL);
  }

  /** Lets go of the connection, and comes back when woken or after `delay` milliseconds. @param {number} [delay] */
  pause(delay) {
    this.#release(NORMAL);
    if (this.#started && delay !== undefined) this.#timer = setTimeout(() => this.#connect(), delay);
  }

  /** The connection proved useful: the next failure starts a new row of attempts. @param {number} [interval] of heartbeats, in milliseconds */
  settle(interval) {
    this.#backoff.reset();
    this.#heartbeat.start(interval);
  }

  /** The network or the tab is back: don't wait for a timer that was set before. */
  wake() {
    if (!this.#started) return;
    if (!this.#socket) this.#connect();
    else if (this.#socket.readyState === WebSocket.OPEN) this.#heartbeat.probe();
  }

  /** Gives the connection up, and comes back later. @param {string} reason */
  drop(reason) {
    if (!this.#socket) return;
    this.#release(NORMAL);
    this.#ended(0, reason);
  }

  /**
   * @param {number} kind @param {string} topic @param {number} ref @param {import("./msgpack.js").Value} body
   * @returns {boolean} false when there is no open connection
   */
  send(kind, topic, ref, body) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    const bytes = encode(body);
    this.#debug.frame(">", kind, topic, ref, bytes);
    this.#socket.send(encodeFrame(kind, topic, ref, bytes));
    return true;
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#delay = undefined;
    const socket = new WebSocket(this.#url, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#timer = setTimeout(() => this.drop("connect timeout"), CONNECT_TIMEOUT);
    socket.onopen = () => {
      clearTimeout(this.#timer);
      this.#heartbeat.start();
      this.#owner.opened();
    };
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => {
      this.#release(NORMAL);
      this.#ended(code, reason);
    };
  }

  /** @param {ArrayBuffer | string} data */
  #received(data) {
    this.#heartbeat.heard();
    let frame;
    try {
      frame = decodeFrame(new Uint8Array(/** @type {ArrayBuffer} */ (data)));
      this.#debug.frame("<", frame.kind, frame.topic, frame.ref, frame.body);
      if (frame.kind === CLOSE) {
        const delay = bodyOf(frame.body)[1];
        if (typeof delay === "number") this.#delay = delay;
      }
      this.#owner.received(frame);
    } catch (error) {
      this.#debug.error("bad frame", error);
      this.drop("bad frame");
    }
  }

  /** Lets go of the socket: nothing it says later is heard. @param {number} code */
  #release(code) {
    const socket = this.#socket;
    this.#socket = undefined;
    clearTimeout(this.#timer);
    this.#heartbeat.stop();
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  /** @param {number} code @param {string} reason */
  #ended(code, reason) {
    const terminal = code >= TERMINAL;
    if (terminal) this.#started = false;
    else if (this.#started) this.#timer = setTimeout(() => this.#connect(), this.#delay ?? this.#backoff.next());
    this.#owner.closed(code, reason, terminal);
  }
}
