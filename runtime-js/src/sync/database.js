/**
 * One IndexedDB database: transactions over all of its stores. The connection is opened when it is needed, so it may go
 * at any time: the browser ends it, another tab deletes the database, the page rests in the back/forward cache.
 */
import { wrap } from "idb";
import { KEYS, QUEUE, ROWS, STORAGE, STORAGE_FULL } from "./constants.js";
import { SyncError } from "./error.js";

/**
 * @typedef {object} Work within one transaction; nothing else may be awaited there
 * @property {(store: string, key: IDBValidKey) => Promise<unknown>} get
 * @property {(store: string, scope?: string) => Promise<unknown[]>} all
 * @property {(store: string, value: unknown) => Promise<unknown>} put
 * @property {(store: string, key: IDBValidKey) => Promise<unknown>} delete a record, or all rows whose key begins so
 * @property {() => void} commit nothing follows
 */

/** @typedef {Pick<Database, "run" | "close" | "destroy">} Backend */

export class Database {
  #factory;
  #name;
  /** @type {Promise<IDBDatabase> | undefined} */
  #connection;

  /** @param {IDBFactory | undefined} factory @param {string} name */
  constructor(factory, name) {
    this.#factory = factory;
    this.#name = name;
  }

  /**
   * Runs one transaction, and returns when it is on disk: what was written survives a crash right after.
   *
   * @template T
   * @param {"readonly" | "readwrite"} mode
   * @param {(work: Work) => Promise<T>} body
   * @returns {Promise<T>}
   * @throws {SyncError} `storage_full` or `storage`; then nothing was written
   */
  async run(mode, body) {
    /** @type {IDBTransaction | undefined} */
    let tx;
    try {
      // A connection may have been closed behind our back; a new one has not.
      tx = await this.#begin(mode).catch(() => {
        this.close();
        return this.#begin(mode);
      });
      const [result] = await Promise.all([body(work(tx)), end(tx)]);
      return result;
    } catch (error) {
      try {
        tx?.abort();
      } catch {
        // It is over already.
      }
      // A transaction that failed by itself knows why; its requests know only that it was aborted.
      const cause = String(tx?.error ?? error);
      throw new SyncError(/Quota/.test(cause) ? STORAGE_FULL : STORAGE, cause);
    }
  }

  close() {
    this.#connection?.then((db) => db.close(), () => {});
    this.#connection = undefined;
  }

  /** Deletes everything, as soon as the other tabs have let go of it. */
  async destroy() {
    this.close();
    await wrap(/** @type {IDBFactory} */ (this.#factory).deleteDatabase(this.#name));
  }

  /** @param {"readonly" | "readwrite"} mode */
  async #begin(mode) {
    return (await (this.#connection ??= this.#connect())).transaction(Object.keys(KEYS), mode, { durability: "strict" });
  }

  async #connect() {
    const request = /** @type {IDBFactory} */ (this.#factory).open(this.#name, 1);
    request.onupgradeneeded = () => {
      for (const [name, keyPath] of Object.entries(KEYS)) {
        // A key that the store gives out keeps the tabs' mutations in one order.
        request.result.createObjectStore(name, { keyPath, autoIncrement: name === QUEUE });
      }
    };
    const db = /** @type {IDBDatabase} */ (/** @type {unknown} */ (await wrap(request)));
    db.onversionchange = db.onclose = () => this.close();
    return db;
  }
}

/** @param {IDBTransaction} tx @returns {Promise<unknown>} */
const end = (tx) =>
  new Promise((resolve, reject) => {
    tx.oncomplete = resolve;
    tx.onabort = reject;
  });

/** @param {IDBTransaction} tx @returns {Work} */
function work(tx) {
  /** @param {string} name */
  const store = (name) => tx.objectStore(name);
  /** A request fails together with its transaction, which is heard. @template T @param {IDBRequest<T>} request */
  const heard = (request) => {
    const result = wrap(request);
    result.catch(() => {});
    return result;
  };
  return {
    get: (name, key) => heard(store(name).get(key)),
    all: (name, scope) => heard(store(name).getAll(scope && within(scope))),
    put: (name, value) => heard(store(name).put(value)),
    delete: (name, key) => heard(store(name).delete(name === ROWS ? within(key) : key)),
    commit: () => tx.commit(),
  };
}

/** The keys that begin so: arrays come after strings. @param {IDBValidKey} start */
function within(start) {
  const key = [start].flat();
  return IDBKeyRange.bound(key, [...key, []]);
}
