/**
 * Mizu in the browser. A page with `[data-lv]` needs nothing but this file: it starts by itself, once.
 *
 * ```js
 * import { live } from "/_mizu/…/mizu-live.js";
 * live?.on("disconnected", () => …);
 * live?.hook("Chart", { mounted(element) { … }, updated(element) { … }, destroyed(element) { … } });
 * ```
 *
 * Other documents can hear which scopes of durable data move, and have a sync client pull them:
 *
 * ```js
 * import { MizuLive } from "/_mizu/…/mizu-live.js";
 * new MizuLive({ scopes: ["notes"], sync }).connect();
 * ```
 */
import { EVENT_PREFIX, INSTANCE, LIVE_PATH, ROOT, USER } from "./constants.js";
import { Debug } from "./debug.js";
import { Ephemeral } from "./ephemeral.js";
import { Events } from "./events.js";
import { Fallback, sessionToken, storeToken } from "./fallback.js";
import { Fields } from "./fields.js";
import { Foreign } from "./foreign.js";
import { removePlain } from "./forms.js";
import { Hooks } from "./hooks.js";
import { Lifecycle } from "./lifecycle.js";
import { Links } from "./links.js";
import { Morph } from "./morph.js";
import { Navigator } from "./navigator.js";
import { Ops } from "./ops.js";
import { Pace } from "./pace.js";
import { Pageless } from "./pageless.js";
import { Patcher } from "./patch.js";
import { Pokes } from "./pokes.js";
import { Sender } from "./sender.js";
import { Session } from "./session.js";
import { Socket } from "./socket.js";
import { Status } from "./status.js";
import { Streams } from "./streams.js";
import { Toggles } from "./toggles.js";
import { Waiting } from "./waiting.js";

/** @typedef {{ poke(scope: string, cursor?: string): void }} Sync a `MizuSync`, or what else is to be told that a scope has moved */

/**
 * @typedef {object} Taken a mutation that an element names
 * @property {Element} element
 * @property {[string, string][]} values
 * @property {[string, string][]} fields of its form
 * @property {() => void} accepted to be called when it is done: the form is emptied
 */

/**
 * @typedef {object} Local what takes mutations and draws over what the server renders
 * @property {(taken: Taken) => boolean} take false when it is none of its own
 * @property {(regions: string[]) => void} before a patch of these: takes back what it has drawn over what the server rendered
 * @property {() => void} after the patch, in the same turn
 */

/**
 * @typedef {object} Details what each event tells
 * @property {{}} connected the page is joined; without a page, its scopes were answered
 * @property {{}} disconnected
 * @property {import("./status.js").Failure} error
 * @property {{ events: { name: string, ref: number }[] }} lost events that the server will never answer
 * @property {{ name: string, type: string }} refused an action that was not sent
 * @property {{ scope: string, cursor: string }} poke a scope has moved, as far as the cursor; without one (it is empty then)
 *   it may have moved anywhere
 * @property {{ scopes: string[], refused: string[] }} subscribed the answer for scopes that were asked for; pokes may have
 *   been missed before it. `refused`: they may not be read, are no scopes, or are more than 100.
 * @property {{ id: string, name: string, scope: string, status: string, code?: string, error?: string }} rejected a mutation that the server refused
 * @property {{ from: unknown, name: string, payload: unknown }} ephemeral somebody on this page says something
 */

export class MizuLive {
  /** Where events are heard. */
  #root;
  /** @type {Session | Pageless} */
  #session;
  #pokes;
  /** @type {Ephemeral | undefined} */
  #ephemeral;
  /** @type {Hooks | undefined} */
  #hooks;
  /** Somebody pulls. */
  #syncs = false;
  #lifecycle;
  /** @type {{ events: Events, patcher: Patcher, session: Session } | undefined} */
  #page;
  /** What works on the page, connected or not. @type {{ start(): void }[]} */
  #parts = [];

  /**
   * @param {object} [options]
   * @param {string} [options.url] of the WebSocket; by default `/_live` of this origin
   * @param {HTMLElement | null} [options.root] of the page to join; without one, the connection is for scopes only. The page
   *   that starts by itself must not be joined again: use `live`.
   * @param {string | string[]} [options.scopes] to hear of, as with `subscribe`
   * @param {Sync} [options.sync] pulls what has moved, as with `use`
   */
  constructor({ url = LIVE_PATH, root, scopes = [], sync } = {}) {
    // Without a page, an element that is nowhere shows how it stands.
    this.#root = root ?? document.createElement("div");
    const debug = new Debug(this.#root.getAttribute(ROOT));
    const status = new Status(this.#root);
    const address = new URL(url, location.href.replace(/^http/, "ws")).href;
    const pokes = (this.#pokes = new Pokes((owner) => new Socket(address, owner, debug), status, !root));
    this.#lifecycle = new Lifecycle(
      () => this.#session.wake(),
      (kept) => this.#hide(kept),
    );
    this.subscribe(scopes);
    if (sync) this.use(sync);
    if (!root) {
      this.#session = new Pageless((owner) => pokes.over(owner), status);
      return;
    }
    const fields = new Fields();
    const toggles = new Toggles();
    const waiting = new Waiting();
    const navigator = new Navigator(location, sessionStorage);
    const foreign = new Foreign(root);
    const morph = new Morph(fields, toggles, waiting, foreign);
    const ops = new Ops(morph, toggles, waiting, foreign);
    const hooks = (this.#hooks = new Hooks(root));
    const patcher = new Patcher(root, morph, ops, navigator, debug, foreign, new Streams(morph, toggles, foreign), hooks);
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
        hooks.connected();
      },
      user: root.getAttribute(USER),
      syncs: () => this.#syncs,
    };
    const session = (this.#session = new Session((owner) => pokes.over(owner), host, patcher, navigator, status, debug));
    const sender = new Sender(session, fields, waiting, status);
    const events = new Events(root, session, patcher, fields, pace, fallback, sender);
    this.#page = { events, patcher, session };
    this.#ephemeral = new Ephemeral(session);
    toggles.learn(root);
    this.on("disconnected", () => hooks.disconnected());
    this.#parts = [fallback, events, fields, new Links(session, navigator)];
  }

  /** Opens the connection, joins the page if there is one and listens to its elements. Connecting twice is connecting once. */
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
   * Asks to be poked about scopes of durable data, on this connection and on those that follow it. Each may be asked for
   * before `connect`, and twice; on("subscribed", ..) hears what the server thinks of it.
   *
   * @param {string | string[]} scopes at most 100 in all: the server refuses those that are more
   */
  subscribe(scopes) {
    this.#pokes.subscribe(scopes);
  }

  /** Asks no more. @param {string | string[]} scopes */
  unsubscribe(scopes) {
    this.#pokes.unsubscribe(scopes);
  }

  /**
   * Has a sync client pull whatever moves: scopes that are subscribed to, which it is told of once more after each
   * reconnect, and those that the page watches. The server learns of these with a join: call this in the turn in which
   * the page connects, or subscribe to them.
   *
   * @param {Sync} sync
   * @returns {this}
   */
  use(sync) {
    this.#syncs = true;
    this.on("poke", ({ detail: { scope, cursor } }) => sync.poke(scope, cursor || undefined));
    // What moved before the answer was missed.
    this.on("subscribed", ({ detail: { scopes } }) => scopes.forEach((scope) => sync.poke(scope)));
    return this;
  }

  /**
   * Lets a local store take mutations, and draw.
   *
   * @param {Local} local
   * @returns {Patcher | undefined} what it draws with; none without a page
   */
  over(local) {
    if (this.#page) this.#page.events.local = this.#page.patcher.local = local;
    return this.#page?.patcher;
  }

  /**
   * Tells whoever is on the joined page something that nobody keeps: a pointer, who is typing. At most one of a name is sent
   * in 50 ms, and of those that come sooner the last. While the page is not joined, it is dropped.
   *
   * @param {string} name @param {unknown} [payload] JSON
   */
  ephemeral(name, payload) {
    this.#ephemeral?.send(name, payload);
  }

  /**
   * Says what to do with each element that has `data-lv-hook="NAME"`, now and later. A name that is given again is another hook from
   * then on. Without a page there is nothing to do.
   *
   * @param {string} name @param {import("./hooks.js").Hook} hook
   */
  hook(name, hook) {
    this.#hooks?.add(name, hook);
  }

  /**
   * How often the page was not as the server's patches expect it, so that regions were asked for whole: after a patch that got
   * lost, or because a script or an extension changed what the server renders. Such changes belong under `data-lv-ignore`.
   */
  get resyncs() {
    return this.#page?.session.resyncs ?? 0;
  }

  /**
   * Hears `lv:*` events of this page, or of this connection when it has none.
   *
   * @template {keyof Details} N
   * @param {N} name @param {(event: CustomEvent<Details[N]>) => void} listener
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

/** @returns {MizuLive | undefined} */
function start() {
  // One for a document, even when two versions of this file are in it.
  /** @type {Document & { [INSTANCE]?: MizuLive }} */
  const owner = document;
  const root = page();
  if (root) owner[INSTANCE] ??= new MizuLive({ root }).connect();
  return owner[INSTANCE];
}

/** @returns {HTMLElement | null} */
function page() {
  return document.querySelector(`[${ROOT}]`);
}

/** The instance that started by itself: none in a document without `[data-lv]`, or that is still being parsed. */
export const live = document.readyState === "loading" ? undefined : start();
if (!live) document.addEventListener("DOMContentLoaded", start, { once: true });
