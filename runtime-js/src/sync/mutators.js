/** What mutations do here before the server has seen them. Those without a mutator do nothing until then. */
import { INVALID } from "./constants.js";
import { SyncError } from "./error.js";
import { bytes } from "./json.js";

/** @typedef {import("./json.js").Json} Json */
/** @typedef {import("./transaction.js").Transaction} Transaction */
/** @typedef {Record<string, Json> & { id: string }} Fields of an entity's row */

/**
 * The same as the server's mutator, as far as it can be foreseen. It runs again on every rebase, so it may use nothing
 * but the transaction and its arguments, and it may not wait.
 *
 * @template {Json} A
 * @typedef {(tx: Transaction, args: A) => void} Mutator
 */

/** @template {Json} A @typedef {{ scopes?: (args: A) => string[] }} MutatorOptions scopes that it writes to besides its own */

/** Of a mutation. */
const NAME = /^[\w./:-]{1,100}$/;
/** Bytes of UTF-8, so no half characters, without control characters, not beginning with `!`. */
const SCOPE = /^(?!!)[^\p{Cc}\p{Cs}]+$/u;
const LONGEST = 200;

export class Mutators {
  /** @type {Map<string, { run: Mutator<Json>, scopes: (args: Json) => string[] }>} */
  #all = new Map();

  /** @template {Json} A @param {string} name @param {Mutator<A>} run @param {MutatorOptions<A>} options */
  add(name, run, { scopes = () => [] }) {
    check(NAME, name);
    this.#all.set(name, { run: /** @type {Mutator<Json>} */ (run), scopes: /** @type {(args: Json) => string[]} */ (scopes) });
  }

  /** Those that the server gives an entity for free. @param {string} entity */
  addEntity(entity) {
    /** @param {string} name @param {Mutator<Fields>} run */
    const add = (name, run) => this.add(`${entity}.${name}`, run, {});
    add("create", (tx, row) => {
      if (tx.get(entity, row.id) !== undefined) throw new SyncError("exists", `${entity} ${row.id} exists`);
      tx.put(entity, row.id, row);
    });
    add("merge", (tx, fields) => {
      const row = /** @type {Fields | undefined} */ (tx.get(entity, fields.id));
      if (row === undefined) throw new SyncError("not_found", `no ${entity} ${fields.id}`);
      tx.put(entity, fields.id, { ...row, ...fields });
    });
    add("delete", (tx, { id }) => tx.delete(entity, id));
  }

  /** All scopes that a mutation declares, sorted. @param {string} name @param {string} scope @param {Json} args */
  scopes(name, scope, args) {
    check(NAME, name);
    const declared = [...new Set([scope, ...(this.#all.get(name)?.scopes(args) ?? [])])].sort();
    declared.forEach(checkScope);
    return declared;
  }

  /** @param {string} name @param {Transaction} tx @param {Json} args */
  run(name, tx, args) {
    /** @type {unknown} */
    const result = this.#all.get(name)?.run(tx, args);
    if (result instanceof Promise) throw new SyncError(INVALID, `mutator ${name} is async`);
  }
}

/** @param {string} scope @throws {SyncError} `invalid` */
export const checkScope = (scope) => check(SCOPE, scope);

/** @param {RegExp} pattern @param {string} text @throws {SyncError} `invalid` */
function check(pattern, text) {
  if (!text?.match?.(pattern) || bytes(text) > LONGEST) throw new SyncError(INVALID, `${JSON.stringify(text)} is no name`);
}
