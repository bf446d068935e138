/** What an optimistic mutator sees: the rows of the scopes that it declared, with what was done so far. */

/** @typedef {import("./json.js").Json} Json */
/** Rows by scope and key; undefined is a row that is gone. @typedef {Map<string, Map<string, Json | undefined>>} Layer */
import { keyOf, partsOf } from "./records.js";

/** @param {Layer[]} layers the upper ones first @param {string} scope @param {string} key */
export function find(layers, scope, key) {
  for (const layer of layers) {
    const rows = layer.get(scope);
    if (rows?.has(key)) return rows.get(key);
  }
  return undefined;
}

/** Keys of the rows that are there, in order. @param {Layer[]} layers @param {string} scope @param {string} prefix */
export function list(layers, scope, prefix) {
  const keys = new Set(layers.flatMap((layer) => [...(layer.get(scope)?.keys() ?? [])]));
  return [...keys].filter((key) => key.startsWith(prefix) && find(layers, scope, key) !== undefined).sort();
}

export class Transaction {
  #layers;
  #declared;
  #scope;

  /** @param {Layer[]} layers written to the first @param {string[]} declared @param {string} scope */
  constructor(layers, declared, scope) {
    if (!declared.includes(scope)) throw new Error(`undeclared scope ${scope}`);
    this.#layers = layers;
    this.#declared = declared;
    this.#scope = scope;
  }

  /** A copy of the row, or undefined. @param {string} entity @param {string} id @returns {Json | undefined} */
  get(entity, id) {
    return structuredClone(find(this.#layers, this.#scope, keyOf(entity, id)));
  }

  /** @param {string} entity @param {string} id @param {Json} data the whole row */
  put(entity, id, data) {
    this.#write(keyOf(entity, id), structuredClone(data));
  }

  /** @param {string} entity @param {string} id */
  delete(entity, id) {
    this.#write(keyOf(entity, id), undefined);
  }

  /** Rows whose id begins with `prefix`, by id. @param {string} entity @param {string} [prefix] @returns {{ id: string, data: Json }[]} */
  scan(entity, prefix = "") {
    return list(this.#layers, this.#scope, keyOf(entity, prefix)).map((key) => {
      const id = partsOf(key)[1];
      return { id, data: /** @type {Json} */ (this.get(entity, id)) };
    });
  }

  /** The same in another scope, which has to be declared. @param {string} scope */
  scope(scope) {
    return new Transaction(this.#layers, this.#declared, scope);
  }

  /** @param {string} key @param {Json | undefined} data */
  #write(key, data) {
    const [written] = this.#layers;
    let rows = written.get(this.#scope);
    if (!rows) written.set(this.#scope, (rows = new Map()));
    rows.set(key, data);
  }
}
