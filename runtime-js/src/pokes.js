/**
 * The scopes that a connection is to hear of. This stands between a socket and its owner: it asks for the scopes whenever
 * the socket opens, takes what the server says of them, and passes everything else on.
 *
 * A poke says that a scope has moved, and never how. Those that came while there was no socket are lost; so whoever hears
 * that a scope is subscribed to has to look at it as if it had been poked.
 */
import * as wire from "./constants.js";
import { bodyOf, list } from "./frame.js";

/** References begin here, where those of the page's session never arrive. */
const REFS = 2 ** 31;

/** @typedef {import("./socket.js").Owner & { subscribed(failure?: import("./status.js").Failure): void }} Subscriber hears of each answer */

export class Pokes {
  /** @type {Subscriber | undefined} */
  #owner;
  #status;
  #always;
  #socket;
  #ref = REFS;
  /** Whether each was asked for on this connection, and not refused. @type {Map<string, boolean>} */
  #scopes = new Map();
  /** Those that wait for an answer, by its reference. @type {Map<number, string[]>} */
  #asked = new Map();

  /**
   * @param {(owner: import("./socket.js").Owner) => import("./socket.js").Socket} open makes the socket
   * @param {import("./status.js").Status} status
   * @param {boolean} always asks even for nothing: the answer is all that shows that the connection is of use
   */
  constructor(open, status, always) {
    this.#status = status;
    this.#always = always;
    this.#socket = open(this);
  }

  /** @param {Subscriber} owner who hears all the rest @returns {import("./socket.js").Socket} */
  over(owner) {
    this.#owner = owner;
    return this.#socket;
  }

  /** @param {string | string[]} scopes */
  subscribe(scopes) {
    for (const scope of named(scopes)) if (!this.#scopes.has(scope)) this.#scopes.set(scope, false);
    this.#ask(named(scopes));
  }

  /** @param {string | string[]} scopes */
  unsubscribe(scopes) {
    const gone = named(scopes).filter((scope) => this.#scopes.delete(scope));
    if (gone.length) this.#socket.send(wire.UNSUBSCRIBE, "", 0, [gone]);
  }

  opened() {
    this.#asked.clear();
    for (const scope of this.#scopes.keys()) this.#scopes.set(scope, false);
    this.#owner?.opened();
    this.#ask([...this.#scopes.keys()], this.#always);
  }

  /** @param {number} code @param {string} reason @param {boolean} terminal */
  closed(code, reason, terminal) {
    this.#owner?.closed(code, reason, terminal);
  }

  /** @param {import("./frame.js").Frame} frame */
  received(frame) {
    const { kind, ref, body } = frame;
    if (kind === wire.POKE) {
      const [scope, cursor] = bodyOf(body);
      this.#status.emit("poke", { scope, cursor: cursor ?? "" });
    } else if (ref < REFS) this.#owner?.received(frame);
    else this.#answered(kind, ref, bodyOf(body));
  }

  /** @param {string[]} scopes @param {boolean} [always] */
  #ask(scopes, always) {
    const fresh = scopes.filter((scope) => !this.#scopes.get(scope));
    if (!(fresh.length || always) || !this.#socket.send(wire.SUBSCRIBE, "", ++this.#ref, [fresh])) return;
    this.#asked.set(this.#ref, fresh);
    for (const scope of fresh) this.#scopes.set(scope, true);
  }

  /** @param {number} kind @param {number} ref @param {import("./msgpack.js").Value[]} body */
  #answered(kind, ref, body) {
    const asked = this.#asked.get(ref);
    if (!asked) return;
    this.#asked.delete(ref);
    const ok = kind === wire.REPLY && body[0] === wire.OK;
    const [scopes, refused] = ok ? list(body[2]).map(list) : [[], asked];
    // Asked for again it may be allowed; and nobody cares any more for what was given up meanwhile.
    const wanted = (/** @type {import("./msgpack.js").Value} */ scope) => this.#scopes.has(String(scope));
    for (const scope of refused.filter(wanted)) this.#scopes.set(String(scope), false);
    const [code, message, recoverable] = kind === wire.REPLY ? list(body[2]) : body;
    this.#owner?.subscribed(ok ? undefined : { code: String(code), message: String(message), stopped: recoverable === false });
    this.#status.emit("subscribed", { scopes: scopes.filter(wanted), refused: refused.filter(wanted) });
  }
}

/** @param {string | string[]} scopes */
function named(scopes) {
  return [...new Set([scopes].flat())];
}
