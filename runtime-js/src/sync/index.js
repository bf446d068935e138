/**
 * A sync engine for the browser: rows that are there without a network, changes that are never lost, one truth.
 *
 * ```js
 * import { MizuSync } from "/_mizu/…/mizu-sync.js";
 * const sync = new MizuSync({ user: "123" }).entity("todo");
 * sync.subscribe({ scope: "user:123:todos", entity: "todo" }, (rows) => draw(rows));
 * await sync.open();
 * sync.mutate("todo.create", { id: "a", title: "Tea" }, { scope: "user:123:todos" });
 * ```
 */
import * as offline from "./offline.js";
import { checkScope, Mutators } from "./mutators.js";
import { copyOf } from "./json.js";
import * as wire from "./constants.js";
import { View } from "./view.js";
import { SyncError } from "./error.js";
import { Emitter } from "./emitter.js";
import { Engine } from "./engine.js";
import { complete, uuid } from "./environment.js";
import { Transport } from "./transport.js";

export { SyncError };

/** @typedef {import("./json.js").Json} Json */
/** @typedef {import("./records.js").Outcome} Outcome */
/** @typedef {import("./status.js").SyncStatus} SyncStatus */
/** @typedef {import("./subscriptions.js").Query} Query */
/** @typedef {import("./subscriptions.js").Row} Row */

/**
 * @typedef {object} Options
 * @property {string} [baseUrl] of the server's sync routes; by default `/_sync`
 * @property {string} [user] key of the signed-in user, as the server rendered it. Each user has a database of its own,
 *   and the server refuses requests that come from another user's page. Leave it out only where nobody signs in.
 * @property {number | string} [schema] version of the rows: when it changes, rows are fetched anew; the queue stays
 * @property {number} [poll] how often to ask without being poked, in milliseconds; by default 30,000
 * @property {number} [timeout] after which a request has failed, in milliseconds; by default 20,000
 * @property {Partial<import("./environment.js").Environment>} [environment] replaces parts of the browser
 */

/**
 * @typedef {object} Mutation
 * @property {string} id a UUID, for tracing
 * @property {Promise<void>} queued it is on disk: from now on, nothing but the server's answer removes it. Rejects when it
 *   was refused right here (`invalid` arguments, what the mutator threw, `storage_full`); then it never happened.
 * @property {Promise<Outcome>} done what became of it, once its effects are in the rows. Resolves with the status `applied`,
 *   `rejected` (with a code), `expired` (processed, but the outcome is not known any more) or `stranded` (it is up to
 *   the application now); rejects only as `queued` does.
 */

/**
 * @typedef {{
 *   changes: { scopes: string[] },
 *   status: SyncStatus,
 *   settled: { id: string, name: string, scope: string } & Outcome,
 *   error: SyncError,
 * }} Events
 */

export class MizuSync {
  #user;
  /** @type {Emitter<Events>} */
  #events = new Emitter();
  #mutators = new Mutators();
  #view = new View(this.#mutators);
  #engine;
  /** @type {Promise<void> | undefined} */
  #opening;
  /** Mutations that can't be run yet. */
  #waiting = 0;
  /** What the newest of them waits for. @type {Promise<unknown> | undefined} */
  #before;

  /** Nothing happens before `open`. @param {Options} [options] */
  constructor({ baseUrl = wire.BASE_PATH, user = "", schema = 1, poll = 30_000, timeout = 20_000, environment: replaced } = {}) {
    this.#user = user;
    const environment = complete(replaced);
    this.#engine = new Engine({
      environment,
      transport: new Transport(baseUrl, user, timeout, environment),
      events: this.#events,
      view: this.#view,
      name: `mizu ${JSON.stringify([baseUrl, user])}`,
      schema,
      poll,
    });
  }

  /** Opens the store, shows what is in it, and begins to sync. Opening twice is opening once. @returns {Promise<this>} */
  async open() {
    if (this.status.state === wire.ENDED) throw new SyncError(wire.CLOSED, wire.ENDED);
    await (this.#opening ??= this.#engine.open());
    await Promise.all(this.#engine.subscriptions.scopes.map((scope) => this.#engine.look(scope)));
    return this;
  }

  /** Stops; what is stored stays, and `open` begins again. */
  close() {
    this.#opening?.then(() => this.#engine.close());
    this.#opening = undefined;
  }

  /** Where it stands now; `on("status", ..)` hears of changes. @returns {SyncStatus} */
  get status() {
    return this.#engine.status.value;
  }

  /**
   * Says what a mutation does here until the server has answered.
   *
   * @template {Json} A
   * @param {string} name @param {import("./mutators.js").Mutator<A>} run
   * @param {import("./mutators.js").MutatorOptions<A>} [options]
   */
  mutator(name, run, options = {}) {
    this.#mutators.add(name, run, options);
    return this;
  }

  /** Registers `<name>.create`, `<name>.merge` and `<name>.delete`, as the server has them. @param {string} name */
  entity(name) {
    this.#mutators.addEntity(name);
    return this;
  }

  /**
   * Changes something: at once in the rows, durably a moment later, on the server as soon as it is reached.
   *
   * @param {string} name @param {unknown} args JSON, at most 64 KiB
   * @param {{ scope: string }} options
   * @returns {Mutation}
   */
  mutate(name, args, options) {
    const id = uuid();
    const { waiting } = this.#engine.replica;
    /** @type {Promise<Outcome>} */
    const outcome = new Promise((resolve) => waiting.set(id, resolve));
    const queued = this.#mutate(name, args, options?.scope, id);
    const done = queued.then(() => outcome);
    // Who awaits neither hears of it by `on("error")`.
    done.catch((error) => {
      waiting.delete(id);
      this.#engine.report(error);
    });
    return { id, queued, done };
  }

  /**
   * Calls back with the rows of a query: once when they are there, and then whenever they are others than before.
   *
   * @param {Query} query @param {import("./subscriptions.js").Callback} callback must not write into the rows
   * @returns {() => void} ends it
   * @throws {SyncError} `invalid` when the scope is no scope
   */
  subscribe(query, callback) {
    checkScope(query.scope);
    if (this.#opening) void this.#engine.look(query.scope);
    return this.#engine.subscriptions.add(query, callback);
  }

  /** The rows of a query now: those of scopes that are looked at or changed. @param {Query} query @returns {Row[]} */
  rows(query) {
    return [...this.#view.select(query).values()];
  }

  /** @template {keyof Events} N @param {N} name @param {(detail: Events[N]) => void} listener @returns {() => void} stops hearing */
  on(name, listener) {
    return this.#events.on(name, listener);
  }

  /** Pushes what is queued, now. It never rejects: what failed is in the status. @returns {Promise<boolean>} whether all had an answer */
  async push() {
    await this.open();
    return this.#engine.push();
  }

  /** Pulls a scope, now and from now on. It rejects only when that is no scope. @param {string} scope @returns {Promise<boolean>} whether it is up to date */
  async pull(scope) {
    checkScope(scope);
    await this.open();
    await this.#engine.replica.need([scope]);
    return this.#engine.pull(scope);
  }

  /** Pushes, then pulls every scope that is looked at or waited for. @returns {Promise<boolean>} whether all of it worked */
  async sync() {
    await this.open();
    return this.#engine.sync();
  }

  /** A hint that a scope has changed. With the cursor that we have, it is ignored. @param {string} scope @param {string} [cursor] */
  poke(scope, cursor) {
    this.#engine.poke(scope, cursor);
  }

  /** Mutations that the server may have lost, or may not take any more: replay, export or discard them. */
  stranded() {
    return this.#described((outcome) => outcome?.status === wire.STRANDED);
  }

  /** Queues stranded mutations again, in their order: all, or some. `on("settled", ..)` hears what becomes of them. @param {string[]} [ids] */
  async replay(ids) {
    await this.#decide(ids, true);
    void this.push();
  }

  /** Gives stranded mutations up: all, or some. @param {string[]} [ids] */
  discard(ids) {
    return this.#decide(ids, false);
  }

  /** What the server has not confirmed, pending and stranded, as JSON text for a person to keep. */
  export() {
    const mutations = this.#described((outcome) => !outcome || outcome.status === wire.STRANDED);
    return JSON.stringify({ user: this.#user, mutations }, null, 2);
  }

  /**
   * Keeps these pages for when there is no network, until the user signs out or somebody else's page does the same.
   *
   * @param {string[]} paths of pages, without queries
   * @param {{ build?: string }} [options] `build` names the deployed version; by default, this script's address
   */
  async offline(paths, { build = import.meta.url } = {}) {
    await offline.keep(paths, this.#user, build);
  }

  /**
   * Forgets the user's pages and rows, in all tabs: they show no rows any more, and their state is `ended`. What was not
   * sent is kept for when the user is back.
   *
   * @param {{ discard?: boolean }} [options] `discard` forgets that, too
   */
  async signOut({ discard = false } = {}) {
    await this.open();
    this.#engine.signOut();
    await offline.forget();
    await this.#engine.store.change((ledger) => ledger.restart());
    if (discard) await this.#engine.store.destroy();
    this.#engine.end();
  }

  /** All there is to see, as plain data: for a developer, or a report. */
  inspect() {
    const { meta, scopes = new Map() } = this.#engine.replica.loaded ?? {};
    return {
      user: this.#user,
      client: meta?.client,
      status: this.status,
      scopes: [...scopes.values()].map((record) => ({ ...record, rows: this.rows(record) })),
      queue: this.#described((outcome) => !outcome),
      stranded: this.stranded(),
    };
  }

  /** @param {(outcome: Outcome | undefined) => boolean} which */
  #described(which) {
    const { queue = [] } = this.#engine.replica.loaded ?? {};
    return queue
      .filter(({ outcome }) => which(outcome))
      .map(({ order, answer, outcome, ...entry }) => ({ ...entry, failed: this.#view.failed.get(entry.id), ...(outcome ?? answer) }));
  }

  /** @param {string[] | undefined} ids @param {boolean} again */
  async #decide(ids, again) {
    await this.open();
    await this.#engine.store.change((ledger) => ledger.decide(ids, again));
  }

  /** @param {string} name @param {unknown} args @param {string} scope @param {string} id */
  async #mutate(name, args, scope, id) {
    if (!scope) throw new SyncError(wire.INVALID, "mutate needs { scope }");
    const copy = copyOf(args);
    const scopes = this.#mutators.scopes(name, scope, copy);
    const { replica } = this.#engine;
    // Whatever is ready is done in this turn, but never before what was asked for earlier.
    if (this.#waiting || !this.#view.has(scopes)) {
      this.#waiting++;
      await (this.#before = Promise.allSettled([this.#before, this.open().then(() => replica.need(scopes))]));
      this.#waiting--;
    }
    await replica.append({ id, name, scope, scopes, args: copy, acked: [], tries: 0 });
  }
}
