/**
 * The rows as the user sees them: what the server has, and on top of it what pending mutations do. The lower layer
 * changes by pulls only; the upper one is computed by running the mutators again, in the order of the queue.
 *
 * A mutation that a scope acked is in that scope's lower layer already, so what it does there again is dropped. One
 * that fails does nothing; it stays in the queue, and `failed` says why.
 */
import { keyOf, partsOf } from "./records.js";
import { find, list, transaction } from "./transaction.js";

/** @typedef {import("./records.js").Entry} Entry */
/** @typedef {import("./json.js").Json} Json */
/** @typedef {import("./transaction.js").Layer} Layer */

export class View {
  #mutators;
  /** @type {Layer} */
  #rows = new Map();
  /** @type {Layer} */
  #upper = new Map();
  /** What is replayed, in order. @type {Entry[]} */
  queue = [];
  /** Why mutations failed in the last replay, by id. @type {Map<string, string>} */
  failed = new Map();
  /** Versions of the scopes that are here. @type {Map<string, number>} */
  versions = new Map();
  /** Scopes whose rows may have changed; who looks empties it. @type {Set<string>} */
  touched = new Set();

  /** @param {import("./mutators.js").Mutators} mutators */
  constructor(mutators) {
    this.#mutators = mutators;
  }

  /** @param {string[]} scopes */
  has(scopes) {
    return scopes.every((scope) => this.versions.has(scope));
  }

  /** Takes over rows of the server. @param {import("./store.js").Loaded["rows"][number]} loaded */
  take({ scope, version, rows, keys }) {
    const mine = (keys && this.#rows.get(scope)) || new Map();
    for (const key of keys ?? []) mine.delete(key);
    for (const { entity, id, data } of rows) mine.set(keyOf(entity, id), data);
    this.#rows.set(scope, mine);
    this.versions.set(scope, version);
    this.touched.add(scope);
  }

  /** Nothing is here any more, and whoever looks is told. */
  clear() {
    for (const scope of this.versions.keys()) this.touched.add(scope);
    this.#rows.clear();
    this.rebase([]);
  }

  /** Replays everything. @param {Entry[]} queue */
  rebase(queue) {
    for (const scope of this.#upper.keys()) this.touched.add(scope);
    this.#upper.clear();
    this.failed.clear();
    this.queue = queue;
    for (const entry of queue) {
      try {
        this.#run(entry);
      } catch (error) {
        this.failed.set(entry.id, String(error));
      }
    }
  }

  /** Adds a mutation at the end. @param {Entry} entry @throws what its mutator throws; then it is not added */
  append(entry) {
    this.#run(entry);
    this.queue = [...this.queue, entry];
  }

  /** @param {import("./subscriptions.js").Query} query @returns {Map<string, import("./subscriptions.js").Row>} */
  select({ scope, entity, id, where, sort }) {
    const layers = [this.#upper, this.#rows];
    const all = list(layers, scope, entity ? keyOf(entity, id ?? "") : "").map((key) => {
      const [entity, id] = partsOf(key);
      return { entity, id, data: /** @type {Json} */ (find(layers, scope, key)), pending: !!this.#upper.get(scope)?.has(key) };
    });
    // What was listed only begins with the id.
    const rows = all.filter((row) => (!id || row.id === id) && (!where || where(row)));
    if (sort) rows.sort(sort);
    return new Map(rows.map((row) => [keyOf(row.entity, row.id), row]));
  }

  /** @param {Entry} entry */
  #run({ name, scope, scopes, args, acked }) {
    /** @type {Layer} */
    const written = new Map();
    this.#mutators.run(name, transaction([written, this.#upper, this.#rows], scopes, scope), structuredClone(args));
    for (const [scope, rows] of written) {
      if (acked.includes(scope)) continue;
      this.touched.add(scope);
      const upper = this.#upper.get(scope);
      if (upper) for (const [key, data] of rows) upper.set(key, data);
      else this.#upper.set(scope, rows);
    }
  }
}
