/**
 * What runs between `open` and `close`: the store and its copy, the loops that talk to the server, the other tabs. The
 * tab that leads pushes what is queued in any tab, and pulls what any tab looks at. The others do so only when asked by
 * name (`push`, `pull`, `sync`), which is harmless, and otherwise tell the leader.
 */
import { Pusher } from "./pusher.js";
import { Store } from "./store.js";
import { syncError } from "./error.js";
import { Replica } from "./replica.js";
import { Subscriptions } from "./subscriptions.js";
import { listen } from "./lifecycle.js";
import { Puller } from "./puller.js";
import { Status } from "./status.js";
import * as wire from "./constants.js";
import { Memory } from "./memory.js";
import { Tabs } from "./tabs.js";
import { Database } from "./database.js";

/** @typedef {import("./records.js").Hint} Hint */

/**
 * @typedef {object} Settings
 * @property {import("./environment.js").Environment} environment
 * @property {import("./transport.js").Transport} transport
 * @property {import("./emitter.js").Emitter<import("./index.js").Events>} events
 * @property {import("./view.js").View} view
 * @property {string} name of the database
 * @property {unknown} schema
 * @property {number} poll in milliseconds
 */

export class Engine {
  #settings;
  #pusher;
  #tabs;
  #deafen = () => {};
  /** @type {Map<string, Puller>} */
  #pullers = new Map();
  /** Scopes that this tab, or one that told it, looks at. @type {Set<string>} */
  #wanted = new Set();
  /** @type {Promise<boolean> | undefined} */
  #waking;
  /** @type {unknown} */
  #timer;

  /** @param {Settings} settings */
  constructor(settings) {
    const { environment, events, view, name, schema } = settings;
    this.#tabs = new Tabs(name, environment, () => this.#lead(), (message) => this.#heard(message));
    this.status = new Status((status) => {
      events.emit("status", status);
      this.#share();
    });
    this.store = new Store(schema, (hints) => this.#changed(hints));
    this.replica = new Replica(this.store, view, () => this.#queued(), (settled) => this.#refreshed(settled), (error) => this.report(error));
    this.subscriptions = new Subscriptions(
      view,
      (scope) => this.replica.loaded?.scopes.get(scope)?.time !== undefined,
      (scopes) => events.emit("changes", { scopes }),
    );
    this.#settings = { ...settings, status: this.status, store: this.store };
    this.#pusher = new Pusher(this.#settings, (scopes) => this.#want(scopes, true));
  }

  /** Begins over the browser's storage, or else over memory. */
  async open() {
    const { environment, name } = this.#settings;
    let shared = true;
    try {
      await this.store.open(new Database(environment.indexedDB, name));
    } catch (error) {
      this.report(error);
      shared = false;
      this.status.update({ storage: "memory" });
      await this.store.open(new Memory());
    }
    await this.replica.refresh();
    this.#deafen = listen(environment.page, (event) => this.wake(event), () => this.#rest(), () => this.#resume());
    this.#tabs.start(shared);
  }

  /** Lets go of everything; what is stored stays. */
  close() {
    this.#deafen();
    this.#rest();
    this.store.close();
  }

  /** The other tabs end at once. This one has something to do still, but doesn't take over from them. */
  signOut() {
    this.#tabs.post(wire.SIGNED_OUT);
    this.#rest();
  }

  /** The user has signed out: nothing of theirs is shown any more, and nothing follows. */
  end() {
    const { view } = this.#settings;
    this.close();
    this.replica.loaded = undefined;
    view.clear();
    this.subscriptions.schedule();
    this.status.update({ state: wire.ENDED });
  }

  push() {
    return this.#pusher.run();
  }

  /** @param {string} scope */
  pull(scope) {
    this.#wanted.add(scope);
    return this.#puller(scope).run();
  }

  async sync() {
    const done = [await this.push()];
    return [...done, ...(await Promise.all(this.#scopes.map((scope) => this.pull(scope))))].every(Boolean);
  }

  /** Somebody says that a scope is at `cursor`. @param {string} scope @param {string} [cursor] */
  poke(scope, cursor) {
    if (cursor && cursor === this.replica.loaded?.scopes.get(scope)?.cursor) return;
    const { due } = this.#pusher;
    // While many are pushed, each push is heard of.
    if (due.size) due.add(scope);
    else if (this.#tabs.leading) void this.#puller(scope).run();
    else this.#tabs.post(wire.WAKE, { scopes: [scope] });
  }

  /** The network or the user is back, perhaps: whatever waits is tried at once. @param {{ type: string }} [event] */
  wake(event) {
    // What is under way over the network before is given up.
    if (event?.type === "online") this.#waking = undefined;
    // A page that is looked at again hears of it twice.
    if (this.#tabs.leading) this.#waking ??= this.sync().finally(() => (this.#waking = undefined));
    else this.#tabs.post(wire.WAKE);
  }

  /** Looks at a scope from now on. @param {string} scope */
  look(scope) {
    this.#want([scope]);
    return this.replica.need([scope]);
  }

  /** Tells the application. @param {unknown} error */
  report(error) {
    const failure = syncError(error);
    if (failure.code !== wire.CLOSED) this.#settings.events.emit("error", failure);
  }

  get #scopes() {
    return [...new Set([...this.#wanted, ...this.#settings.view.queue.flatMap(({ scopes }) => scopes)])];
  }

  /** @param {string} scope */
  #puller(scope) {
    let puller = this.#pullers.get(scope);
    if (!puller) this.#pullers.set(scope, (puller = new Puller(this.#settings, scope, () => this.#pulled())));
    return puller;
  }

  /** @param {string[]} scopes @param {boolean} [anew] pull those that are known, too */
  #want(scopes, anew) {
    const wanted = scopes.filter((scope) => anew || !this.#wanted.has(scope));
    for (const scope of wanted) {
      this.#wanted.add(scope);
      // Whoever pushed pulls what came of it; what is merely looked at is up to the leader.
      if (anew || this.#tabs.leading) this.#puller(scope).nudge(anew);
    }
    if (wanted.length) this.#tabs.post(wire.WANT, { scopes: wanted });
  }

  #lead() {
    this.status.lead();
    this.#tabs.post(wire.LEAD);
    this.#poll();
    void this.sync();
  }

  /** The failsafe: pokes may be lost, all of them. */
  #poll() {
    const { environment, poll } = this.#settings;
    // Spread out, so that clients that began together don't ask together.
    this.#timer = environment.setTimeout(() => {
      this.#poll();
      this.#pusher.nudge();
      for (const scope of this.#scopes) this.#puller(scope).nudge(true);
    }, poll * (0.9 + environment.random() * 0.2));
  }

  async #pulled() {
    this.status.update({ lastSync: this.#settings.environment.now() });
    // The server let us pull: if it refused to be pushed to before, somebody has signed in; if it was not reached, it is now.
    this.#pusher.nudge(true);
    // When nothing was new, it may be because a tab that we don't hear of has pulled it.
    await this.replica.refresh();
  }

  #queued() {
    if (this.#tabs.leading) this.#pusher.nudge();
    return this.#changed();
  }

  /** This tab changed the store. @param {Hint[]} [hints] */
  #changed(hints) {
    this.#tabs.post(wire.CHANGED, { hints });
    return this.replica.refresh(hints);
  }

  /** @param {import("./tabs.js").Message} message of another tab */
  async #heard({ kind, hints, scopes, status }) {
    const { leading } = this.#tabs;
    if (kind === wire.CHANGED) {
      await this.replica.refresh(hints);
      if (leading) this.#pusher.nudge();
    } else if (kind === wire.WANT) {
      this.#want(scopes ?? []);
      this.#share();
    } else if (kind === wire.WAKE && leading) {
      if (scopes) for (const scope of scopes) this.poke(scope);
      else this.wake();
    } else if (kind === wire.LEAD) this.#tabs.post(wire.WANT, { scopes: [...this.#wanted] });
    else if (status && !leading) this.status.follow(status);
    else if (kind === wire.SIGNED_OUT) this.end();
  }

  /** Tells the other tabs how it stands. */
  #share() {
    if (this.#tabs.leading) this.#tabs.post(wire.STATUS, { status: this.status.value });
  }

  /** @param {import("./replica.js").Settled[]} settled */
  #refreshed(settled) {
    const { view, events } = this.#settings;
    const { queue = [], scopes: all = new Map() } = this.replica.loaded ?? {};
    const scopes = [...all.values()];
    const times = scopes.map(({ time = 0 }) => time);
    this.status.update({
      pending: view.queue.length,
      failing: view.failed.size,
      stranded: queue.filter(({ outcome }) => outcome?.status === wire.STRANDED).length,
      forbidden: scopes.filter(({ forbidden }) => forbidden).map(({ scope }) => scope),
      lastSync: Math.max(...times, this.status.value.lastSync ?? 0) || undefined,
    });
    this.subscriptions.schedule();
    for (const { id, name, scope, outcome } of settled) events.emit("settled", { id, name, scope, ...outcome });
  }

  #rest() {
    this.#tabs.stop();
    this.#settings.environment.clearTimeout(this.#timer);
    for (const loop of [this.#pusher, ...this.#pullers.values()]) loop.stop();
    this.status.update({ leader: false });
    this.store.rest();
  }

  #resume() {
    this.#tabs.start();
    this.#tabs.post(wire.WANT, { scopes: [...this.#wanted] });
    void this.replica.refresh();
    this.wake();
  }
}
