/** The same as a database, for a browser that has none to offer: it lasts as long as the page. */
import { KEYS, QUEUE } from "./constants.js";

/** @typedef {import("./database.js").Work} Work */
/** @typedef {Record<string, unknown>} Stored */

export class Memory {
  /** Records by store and key, which is what their name begins with. @type {Map<string, Stored>} */
  #records = new Map();
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
    const records = this.#records;
    /** Left open, for what begins so. @param {unknown[]} key */
    const named = (...key) => `${JSON.stringify(key.flat()).slice(0, -1)},`;
    /** @param {unknown[]} key */
    const within = (...key) => {
      const start = named(...key);
      return [...records.keys()].filter((name) => name.startsWith(start));
    };
    return {
      get: async (...key) => structuredClone(records.get(named(...key))),
      all: async (...key) => structuredClone(within(...key).map((name) => records.get(name))),
      put: async (name, value) => {
        const record = /** @type {Stored} */ (structuredClone(value));
        if (name === QUEUE) record.order ??= ++this.#order;
        records.set(named(name, [KEYS[name]].flat().map((part) => record[part])), record);
      },
      delete: async (...key) => within(...key).forEach((name) => records.delete(name)),
      commit() {},
    };
  }
}
