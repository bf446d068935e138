/**
 * A page's session, as the client sees it.
 *
 * It joins whenever the socket opens: the first time with the token of the HTML, later with the session's own name and
 * the sequence number that was applied last, and the server answers with what was missed. When the session is gone
 * (the server restarted, it was parked too long) the server mounts anew and says so. Events that had no answer are
 * sent again under their old references after a resume, and reported as lost after a fresh mount.
 *
 * A session that failed is joined afresh, but not forever. Answers that joining again can't change (the page is gone,
 * the user may not see it) lead to a full load, once.
 *
 * The joined page can be asked for under another query: that is a join on its own topic, and a reply without a payload
 * says that the session took it. Whatever else comes of it is for the browser to load.
 */
import * as wire from "./constants.js";
import { plain } from "./ephemeral.js";
import { bodyOf, list } from "./frame.js";
import { Pending } from "./pending.js";
import { Retry } from "./retry.js";
import { Sequence } from "./sequence.js";

/** @typedef {import("./msgpack.js").Value} Value */

/** Errors that end the session, whatever they answer. */
const ENDED = [wire.PANICKED, wire.MAILBOX_FULL, wire.SESSION_LOST, wire.UNKNOWN_TOPIC];
/** Refusals that another join doesn't change. */
const FINAL = [wire.NOT_A_PAGE, wire.UNAUTHORIZED, wire.FORBIDDEN];

/**
 * @typedef {object} Host what the session needs of the page around it
 * @property {() => string} token of the HTML
 * @property {(session: string) => void} joined stores the session for native posts
 * @property {(fresh: boolean, apply: () => void) => void} mounting applies the patch of a join
 * @property {(fresh: boolean) => void} connected events can be sent now
 * @property {string | null} user whose rows the page holds, if it does
 * @property {() => boolean} syncs whether there is a sync client to be poked
 */

/** @typedef {(done: boolean, to?: string) => void} Visited hears whether the page took the address, and where else to go */

export class Session {
  #socket;
  #patcher;
  #navigator;
  #status;
  #host;
  #sequence;
  #pending = new Pending();
  /** Of the last request; it rises for as long as the tab lives. */
  #ref = 0;
  /** The join that waits for its answer, and whether it asked for a fresh mount. @type {{ ref: number, fresh: boolean } | undefined} */
  #joining;
  /** The newest visit, while it waits for its answer. @type {{ ref: number, visited: Visited } | undefined} */
  #visit;
  /** Of the joined page; undefined while there is none. @type {string | undefined} */
  #topic;
  #session = "";
  #joinedAt = 0;
  #retry = new Retry();

  /**
   * @param {(owner: import("./pokes.js").Subscriber) => import("./socket.js").Socket} open makes the socket
   * @param {Host} host @param {import("./patch.js").Patcher} patcher @param {import("./navigator.js").Navigator} navigator
   * @param {import("./status.js").Status} status @param {import("./debug.js").Debug} debug
   */
  constructor(open, host, patcher, navigator, status, debug) {
    this.#socket = open(this);
    this.#host = host;
    this.#patcher = patcher;
    this.#navigator = navigator;
    this.#status = status;
    this.#sequence = new Sequence(
      patcher,
      debug,
      (ids) => this.#request(wire.RESYNC, [ids]),
      (ids) => this.#rejoin("resync", `can't apply ${ids}`),
      (seq) => this.#topic && this.#socket.send(wire.ACK, this.#topic, 0, [seq]),
    );
  }

  start() {
    this.#status.set("loading");
    this.#socket.start();
  }

  /** Ends the connection; the server keeps the session for a while. */
  stop() {
    this.#socket.stop();
    this.#drop();
  }

  /** The page is going away, perhaps: comes back when woken, or after `delay` milliseconds. @param {number} [delay] */
  pause(delay) {
    // The browser is on its way elsewhere already.
    this.#visit = undefined;
    this.#socket.pause(delay);
    this.#drop();
  }

  /** The network or the tab is back. */
  wake() {
    this.#socket.wake();
  }

  /** Events can be sent. */
  get joined() {
    return this.#topic !== undefined;
  }

  /** Nothing can be sent, though it could before. */
  get away() {
    return !this.joined && this.#joinedAt > 0;
  }

  /** How often it asked for regions whole. */
  get resyncs() {
    return this.#sequence.resyncs;
  }

  /** Sends an event of the joined page. @param {import("./pending.js").Sent} event @returns {number} its reference */
  send(event) {
    const ref = this.#request(wire.EVENT, event.body);
    this.#pending.add(ref, event);
    return ref;
  }

  /** Tells the joined page what may be lost, and drops it when there is none. @param {string} name @param {Value} payload */
  ephemeral(name, payload) {
    if (this.#topic) this.#socket.send(wire.EPHEMERAL, this.#topic, 0, [name, payload]);
  }

  /** Asks for the joined page under another query; a newer visit takes the place of an older one. @param {string} url @param {Visited} visited */
  visit(url, visited) {
    if (!this.joined) return visited(false);
    this.#visit = { ref: this.#request(wire.JOIN, ["", url, new Map(), null, []]), visited };
  }

  /** The page goes away for good. @param {string} reason */
  leave(reason) {
    if (this.joined) this.#request(wire.LEAVE, [reason]);
  }

  opened() {
    this.#join(false);
  }

  /** Scopes that can't be heard of are no reason to give the page up. @param {import("./status.js").Failure} [failure] */
  subscribed(failure) {
    if (failure) this.#report(failure.code, failure.message);
  }

  /** @param {number} code @param {string} reason @param {boolean} terminal */
  closed(code, reason, terminal) {
    this.#drop();
    if (terminal) this.#status.error({ code: String(code), message: reason, stopped: true });
  }

  /** @param {import("./frame.js").Frame} frame */
  received({ kind, topic, ref, body }) {
    // What a session that was replaced meanwhile has to say concerns nobody.
    if (topic && topic !== this.#topic) return;
    if (kind === wire.REPLY) this.#replied(topic, ref, bodyOf(body));
    else if (kind === wire.ERROR) this.#failed(ref, bodyOf(body));
    else if (kind === wire.REDIRECT) this.#redirected(ref, bodyOf(body));
    else if (kind === wire.PATCH) this.#sequence.next(bodyOf(body));
    else if (kind === wire.COMMAND) this.#patcher.run(bodyOf(body));
    else if (kind === wire.EPHEMERAL) {
      const [from, name, payload = null] = bodyOf(body);
      this.#status.emit("ephemeral", { from, name, payload: plain(payload) });
    }
  }

  /** @param {number} kind @param {Value} body @returns {number} the reference */
  #request(kind, body) {
    this.#socket.send(kind, this.#topic ?? "", ++this.#ref, body);
    return this.#ref;
  }

  /** @param {boolean} fresh forget the session, if there was one */
  #join(fresh) {
    if (fresh) this.#session = "";
    this.#status.set("loading");
    const resume = this.#session ? [this.#session, this.#sequence.seen] : null;
    // The token vouches for the HTML as it was served: once a patch was applied it would vouch for something else.
    const token = fresh || this.#joinedAt ? "" : this.#host.token();
    const params = new Map();
    // A server that always sets a cookie would ask for a full load each time; it is told that there was one.
    if (this.#navigator.forced) params.set(wire.FORCED, "1");
    if (this.#host.syncs()) params.set(wire.POKES_PARAM, "1");
    if (this.#host.user !== null) params.set(wire.USER_PARAM, this.#host.user);
    this.#joining = { ref: this.#request(wire.JOIN, [token, this.#navigator.url, params, resume, []]), fresh };
  }

  /** @param {string} topic @param {number} ref @param {Value[]} body */
  #replied(topic, ref, [status, patch, payload]) {
    const ok = status === wire.OK;
    if (ref === this.#joining?.ref) return ok ? this.#welcome(patch, list(payload)) : this.#refused(...failure(payload));
    if (ref === this.#visit?.ref) {
      // A payload is an error, or another session than this page's: the browser loads what that shows.
      const taken = ok && !payload;
      this.#visited(taken);
      if (!taken) return;
    }
    const event = this.#pending.take(ref);
    if (topic) this.#sequence.next(patch);
    if (ok) event?.accepted?.();
    else this.#report(...failure(payload));
  }

  /** @param {Value | undefined} patch @param {Value[]} payload */
  #welcome(patch, [topic, session, seq, heartbeat, , fresh]) {
    this.#joining = undefined;
    this.#topic = String(topic);
    this.#session = String(session);
    this.#joinedAt = Date.now();
    this.#socket.settle(Number(heartbeat) || undefined);
    this.#host.joined(this.#session);
    const lost = fresh ? this.#pending.clear() : [];
    this.#host.mounting(fresh === true, () => this.#sequence.begin(patch, Number(seq) || 0));
    // Until it hears this, the server can't know that its answer arrived, and has to honour the old token.
    this.#sequence.tell();
    this.#status.set("connected");
    if (lost.length) this.#status.lost(lost);
    for (const [ref, { body }] of this.#pending.all()) this.#socket.send(wire.EVENT, this.#topic, ref, body);
    this.#host.connected(fresh === true);
  }

  /** @param {boolean} done @param {string} [to] */
  #visited(done, to) {
    const visit = this.#visit;
    this.#visit = undefined;
    visit?.visited(done, to);
  }

  /** @param {number} ref @param {Value[]} body */
  #failed(ref, body) {
    const [code, message] = failure(body);
    if (ref === this.#joining?.ref) return this.#refused(code, message, body[2] === true);
    if (ref === this.#visit?.ref) return this.#visited(false);
    if (!this.joined) return;
    this.#pending.take(ref);
    if (ENDED.includes(code)) this.#rejoin(code, message);
    else this.#report(code, message);
  }

  /** The server refused a join; what it calls recoverable passes, some day. @param {string} code @param {string} message @param {boolean} [recoverable] */
  #refused(code, message, recoverable) {
    const fresh = this.#joining?.fresh;
    this.#joining = undefined;
    if (code === wire.BAD_TOKEN && !fresh) this.#join(true);
    else if (code === wire.RATE_LIMITED || (recoverable && code === wire.INTERNAL)) this.#socket.drop(code);
    else if (!FINAL.includes(code)) this.#rejoin(code, message);
    else if (!this.#navigator.reload()) this.#stop(code, message);
  }

  /** The session is gone: start a new one, but not forever. @param {string} code @param {string} message */
  #rejoin(code, message) {
    const age = this.joined ? Date.now() - this.#joinedAt : 0;
    this.#drop();
    if (this.#retry.again(() => this.#join(true), age)) this.#report(code, message);
    else this.#stop(code, message);
  }

  /** @param {number} ref @param {Value[]} body */
  #redirected(ref, [to, replace, , flash]) {
    if (typeof flash === "string") this.#navigator.flash(flash);
    if (ref === this.#visit?.ref) return this.#visited(false, String(to));
    // A join that is sent back to its own page again and again is a loop; a handler may well do so.
    if (!this.#navigator.go(String(to), replace === true, !!this.#joining)) this.#stop("redirect", `not following ${to}`);
  }

  /** @param {string} code @param {string} message */
  #stop(code, message) {
    this.stop();
    const lost = this.#pending.clear();
    if (lost.length) this.#status.lost(lost);
    this.#status.error({ code, message, stopped: true });
  }

  /** The page is joined no longer. A visit that has no answer won't get one. */
  #drop() {
    this.#retry.stop();
    this.#topic = this.#joining = undefined;
    this.#status.set("disconnected");
    this.#visited(false);
  }

  /** @param {string} code @param {string} message */
  #report(code, message) {
    this.#status.error({ code, message });
  }
}

/** @param {Value | undefined} payload @returns {[code: string, message: string]} */
function failure(payload) {
  const [code, message] = list(payload);
  return [String(code ?? ""), String(message ?? "")];
}
