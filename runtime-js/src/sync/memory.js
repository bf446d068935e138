/** The same as a database, for a browser that has none to offer: it lasts as long as the page. */
import { KEYS, QUEUE, ROWS } from "./constants.js";

/** @typedef {import("./database.js").Work} Work */
/** @typedef {Record<string, unknown>} Stored */

export class Memory {
  /** Records by store and key. @type {Record<string, Map<string, Stored>>} */
  #stores = Object.fromEntries(Object.keys(KEYS).map((name) => [name, new Map()]));
  #order = 0;
  /** The last transaction: they run one after the other. @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * @template T
   * @param {"readonly" | "readwrite"} _mode @param {(work: Work) => Promise<T>} body @returns {Promise<T>}
   */
  run(_mode, body) {
    const result = this.#last.then(() => body(this.#work()));
    this.#last = result.catch(() => {});
    return result;
  }

  close() {}

  async destroy() {}

  /** @returns {Work} */
  #work() {
    const stores = this.#stores;
    /** @param {string} name @param {string} [scope] */
    const within = (name, scope) => [...stores[name]].filter(([, value]) => !scope || value.scope === scope);
    return {
      get: async (name, key) => structuredClone(stores[name].get(JSON.stringify([key].flat()))),
      all: async (name, scope) => structuredClone(within(name, scope).map(([, value]) => value)),
      put: async (name, value) => {
        const record = /** @type {Stored} */ (structuredClone(value));
        if (name === QUEUE) record.order ??= ++this.#order;
        stores[name].set(JSON.stringify([KEYS[name]].flat().map((part) => record[part])), record);
      },
      delete: async (name, key) => stores[name].delete(JSON.stringify([key].flat())),
      clear: async (scope) => {
        for (const [key] of within(ROWS, scope)) stores[ROWS].delete(key);
      },
      commit() {},
    };
  }
}
