/**
 * Mizu in the browser. A page with `[data-lv]` needs nothing but this file: it starts by itself, once.
 *
 * ```js
 * import { live } from "/_mizu/…/mizu-live.js";
 * live?.on("disconnected", () => …);
 * ```
 */
import { EVENT_PREFIX, LIVE_PATH, ROOT } from "./constants.js";
import { Debug } from "./debug.js";
import { Events } from "./events.js";
import { Fallback, sessionToken, storeToken } from "./fallback.js";
import { Fields } from "./fields.js";
import { removePlain } from "./forms.js";
import { Lifecycle } from "./lifecycle.js";
import { Links } from "./links.js";
import { Morph } from "./morph.js";
import { Navigator } from "./navigator.js";
import { Pace } from "./pace.js";
import { Patcher } from "./patch.js";
import { Sender } from "./sender.js";
import { Session } from "./session.js";
import { Socket } from "./socket.js";
import { Status } from "./status.js";
import { Toggles } from "./toggles.js";
import { Waiting } from "./waiting.js";

/** @typedef {"connected" | "disconnected" | "error" | "lost" | "refused"} Name */

export class MizuLive {
  #root;
  #session;
  #lifecycle;
  /** What works on the page, connected or not. @type {{ start(): void }[]} */
  #parts;

  /**
   * @param {object} [options]
   * @param {string} [options.url] of the WebSocket; by default `/_live` of this origin
   * @param {HTMLElement | null} [options.root] of the page; by default the first `[data-lv]`
   * @throws {Error} when there is no root
   */
  constructor({ url = LIVE_PATH, root = page() } = {}) {
    if (!root) throw new Error(`there is no [${ROOT}] in this document`);
    this.#root = root;
    const debug = new Debug(root.getAttribute(ROOT));
    const status = new Status(root);
    const fields = new Fields();
    const toggles = new Toggles();
    const waiting = new Waiting();
    const navigator = new Navigator(location, sessionStorage);
    const patcher = new Patcher(root, new Morph(fields, toggles, waiting), navigator, debug);
    const pace = new Pace();
    const fallback = new Fallback();
    const host = {
      token: sessionToken,
      /** @param {string} session */
      joined: (session) => {
        storeToken(session);
        removePlain(root);
      },
      /** @param {boolean} fresh @param {() => void} apply */
      mounting: (fresh, apply) => (fresh ? fields.keeping(apply) : apply()),
      /** @param {boolean} fresh */
      connected: (fresh) => {
        fields.settle();
        events.resume(fresh);
      },
    };
    const address = new URL(url, location.href.replace(/^http/, "ws")).href;
    this.#session = new Session((owner) => new Socket(address, owner, debug), host, patcher, navigator, status, debug);
    const sender = new Sender(this.#session, fields, waiting, status);
    const events = new Events(root, this.#session, patcher, fields, pace, fallback, sender);
    this.#lifecycle = new Lifecycle(
      () => this.#session.wake(),
      (kept) => this.#hide(kept),
    );
    toggles.learn(root);
    this.#parts = [fallback, events, fields, new Links(this.#session, navigator)];
  }

  /** Opens the connection, joins the page and listens to its elements. Connecting twice is connecting once. */
  connect() {
    for (const part of this.#parts) part.start();
    this.#lifecycle.start();
    this.#session.start();
    return this;
  }

  /** Closes the connection until `connect` is called again; meanwhile the page works natively. */
  disconnect() {
    this.#lifecycle.stop();
    this.#session.stop();
  }

  /**
   * Hears `lv:*` events of this page.
   *
   * @param {Name} name @param {(event: CustomEvent) => void} listener
   * @returns {() => void} stops hearing
   */
  on(name, listener) {
    const hear = /** @type {EventListener} */ (listener);
    this.#root.addEventListener(EVENT_PREFIX + name, hear);
    return () => this.#root.removeEventListener(EVENT_PREFIX + name, hear);
  }

  /** @param {boolean} kept */
  #hide(kept) {
    if (!kept) this.#session.leave("unload");
    this.#session.pause();
  }
}

/** One instance for a document, even when two versions of this file are in it. */
const KEY = Symbol.for("mizu");

/** @returns {MizuLive | undefined} */
function start() {
  /** @type {Document & { [KEY]?: MizuLive }} */
  const owner = document;
  if (page()) owner[KEY] ??= new MizuLive().connect();
  return owner[KEY];
}

/** @returns {HTMLElement | null} */
function page() {
  return document.querySelector(`[${ROOT}]`);
}

/** The instance that started by itself: none in a document without `[data-lv]`, or that is still being parsed. */
export const live = document.readyState === "loading" ? undefined : start();
if (!live) document.addEventListener("DOMContentLoaded", start, { once: true });
