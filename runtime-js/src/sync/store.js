/**
 * What is kept of one user: every change of it is one transaction, and tells afterwards what it changed. Nothing is
 * held between two transactions, so any number of tabs may work on the same database.
 */
import { hex } from "./environment.js";
import { Ledger } from "./ledger.js";
import { partsOf } from "./records.js";
import { CLOSED, META, QUEUE, ROWS, SCOPES } from "./constants.js";
import { SyncError } from "./error.js";

/** @typedef {import("./records.js").Entry} Entry */
/** @typedef {import("./records.js").Hint} Hint */
/** @typedef {import("./records.js").Meta} Meta */
/** @typedef {import("./records.js").ScopeRecord} ScopeRecord */
/** @typedef {import("./records.js").StoredRow} StoredRow */
/** @typedef {import("./database.js").Work} Work */

/**
 * @typedef {object} Loaded
 * @property {Meta} meta
 * @property {Entry[]} queue
 * @property {Map<string, ScopeRecord>} scopes
 * @property {{ scope: string, version: number, rows: StoredRow[], keys?: string[] }[]} rows of the scopes that changed;
 *   with `keys`, of these only, and what is missing is gone
 */

export class Store {
  /** None while it is closed. @type {import("./database.js").Backend | undefined} */
  #backend;
  #schema;
  #changed;

  /**
   * @param {unknown} schema of the rows
   * @param {(hints: Hint[]) => Promise<void>} changed
   */
  constructor(schema, changed) {
    this.#schema = schema;
    this.#changed = changed;
  }

  /** Sees to it that the rows are of this schema version. @param {import("./database.js").Backend} backend */
  open(backend) {
    this.#backend = backend;
    return this.change((ledger) => {
      if (ledger.meta.schema !== this.#schema) ledger.restart();
      ledger.meta.schema = this.#schema;
    });
  }

  /** Lets go of the database until it is needed again. */
  rest() {
    this.#backend?.close();
  }

  /** Nothing is read or written any more: an answer that comes late changes nothing. */
  close() {
    this.rest();
    this.#backend = undefined;
  }

  /** Deletes everything, and is closed. */
  async destroy() {
    const backend = this.#backend;
    this.close();
    await backend?.destroy();
  }

  /**
   * Writes a mutation, and leaves it to the caller to tell. All requests leave in this turn, so that a page that is
   * closed right after has still written.
   *
   * @param {Entry} entry
   */
  async append(entry) {
    await this.#open().run("readwrite", async (work) => {
      work.put(QUEUE, entry);
      work.commit();
    });
  }

  /** @template T @param {(ledger: Ledger) => T} body @returns {Promise<T>} */
  async change(body) {
    const [result, hints] = await this.#open().run("readwrite", async (work) => {
      const ledger = await this.#ledger(work);
      const result = body(ledger);
      ledger.save();
      /** @type {(touched: [string, string[] | undefined]) => Hint} */
      const hint = ([scope, keys]) => [scope, ledger.scope(scope).version, keys];
      return /** @type {const} */ ([result, [...ledger.touched].map(hint)]);
    });
    await this.#changed(hints);
    return result;
  }

  /** @template T @param {(ledger: Ledger) => T} body @returns {Promise<T>} */
  async look(body) {
    return this.#open().run("readonly", async (work) => body(await this.#ledger(work)));
  }

  /**
   * Reads the queue, and those rows of `known` scopes that are of another version than the one given.
   *
   * @param {Map<string, number>} known @param {Hint[]} hints
   * @returns {Promise<Loaded>}
   */
  async load(known, hints) {
    const loaded = await this.#open().run("readonly", async (work) => {
      const { meta, queue, scopes } = await this.#ledger(work);
      const rows = [];
      for (const [scope, mine] of known) {
        const version = scopes.get(scope)?.version ?? 0;
        if (version === mine) continue;
        const keys = hints.find((hint) => hint[0] === scope && hint[1] === version && version === mine + 1)?.[2];
        const found = keys
          ? (await Promise.all(keys.map((key) => work.get(ROWS, [scope, ...partsOf(key)])))).filter(Boolean)
          : await work.all(ROWS, scope);
        rows.push({ scope, version, rows: /** @type {StoredRow[]} */ (found), keys });
      }
      return { meta, queue, scopes, rows };
    });
    // What was read meanwhile may not be shown once it is closed.
    this.#open();
    return loaded;
  }

  /** @throws {SyncError} `closed` */
  #open() {
    if (!this.#backend) throw new SyncError(CLOSED, CLOSED);
    return this.#backend;
  }

  /** @param {Work} work */
  async #ledger(work) {
    const [meta, queue, scopes] = await Promise.all([work.get(META, META), work.all(QUEUE), work.all(SCOPES)]);
    return new Ledger(
      work,
      /** @type {Meta} */ (meta ?? { key: META, client: hex(), next: 1, done: 0, schema: this.#schema }),
      /** @type {Entry[]} */ (queue),
      /** @type {ScopeRecord[]} */ (scopes),
    );
  }
}
