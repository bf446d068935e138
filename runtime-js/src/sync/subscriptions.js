/** Who looks at which rows. They hear of changes once a turn, and only when what they look at is another than before. */
import { equal } from "./json.js";
import { partsOf } from "./records.js";

/** @typedef {import("./json.js").Json} Json */

/** @typedef {{ entity: string, id: string, data: Json, pending: boolean }} Row `pending`: not all of it is the server's yet */

/**
 * @typedef {object} Query
 * @property {string} scope
 * @property {string} [entity] all of them without it
 * @property {string} [id] of one row; needs an entity
 * @property {(row: Row) => boolean} [where]
 * @property {(one: Row, other: Row) => number} [sort] by entity and id without it
 */

/** @typedef {{ entity: string, id: string, row?: Row, old?: Row }} RowChange without `row` it is gone, without `old` it is new */
/** @typedef {(rows: Row[], what: { changes: RowChange[], synced: boolean }) => void} Callback `synced`: the scope was pulled at least once */

/** @typedef {{ query: Query, callback: Callback, rows: Map<string, Row>, synced?: boolean }} Subscription what it was told last; nothing yet without `synced` */

export class Subscriptions {
  #view;
  #synced;
  /** @type {Set<Subscription>} */
  #all = new Set();
  #due = false;
  #changed;

  /**
   * @param {import("./view.js").View} view @param {(scope: string) => boolean} synced
   * @param {(scopes: string[]) => void} changed hears of every change, once a turn
   */
  constructor(view, synced, changed) {
    this.#view = view;
    this.#synced = synced;
    this.#changed = changed;
  }

  /** @param {Query} query @param {Callback} callback @returns {() => void} */
  add(query, callback) {
    /** @type {Subscription} */
    const subscription = { query: { ...query }, callback, rows: new Map() };
    this.#all.add(subscription);
    this.schedule();
    return () => this.#all.delete(subscription);
  }

  get scopes() {
    return [...this.#all].map(({ query }) => query.scope);
  }

  /** Tells at the end of this turn. */
  schedule() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#tell();
    });
  }

  #tell() {
    const scopes = [...this.#view.touched];
    this.#view.touched.clear();
    for (const subscription of this.#all) {
      const { scope } = subscription.query;
      const synced = this.#synced(scope);
      if (this.#view.has([scope]) && (subscription.synced !== synced || scopes.includes(scope))) this.#compare(subscription, synced);
    }
    if (scopes.length) this.#changed(scopes);
  }

  /** @param {Subscription} subscription @param {boolean} synced */
  #compare(subscription, synced) {
    try {
      const rows = this.#view.select(subscription.query);
      /** @type {RowChange[]} */
      const changes = [];
      for (const key of new Set([...subscription.rows.keys(), ...rows.keys()])) {
        const [entity, id] = partsOf(key);
        const old = subscription.rows.get(key);
        const row = rows.get(key);
        // A row that is the same stays the same object.
        if (old && equal(old, row)) rows.set(key, old);
        else changes.push({ entity, id, row, old });
      }
      const same = subscription.synced === synced && !changes.length;
      subscription.rows = rows;
      subscription.synced = synced;
      if (!same) subscription.callback([...rows.values()], { changes, synced });
    } catch (error) {
      // One listener's mistake is not the others' problem.
      console.error(error);
    }
  }
}
