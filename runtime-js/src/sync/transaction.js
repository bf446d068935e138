/** What an optimistic mutator sees: the rows of the scopes that it declared, with what was done so far. */
import { keyOf, partsOf } from "./records.js";

/** @typedef {import("./json.js").Json} Json */
/** Rows by scope and key; undefined is a row that is gone. @typedef {Map<string, Map<string, Json | undefined>>} Layer */

/**
 * @typedef {object} Transaction
 * @property {(entity: string, id: string) => Json | undefined} get a copy of the row, or undefined
 * @property {(entity: string, id: string, data: Json) => void} put the whole row
 * @property {(entity: string, id: string) => void} delete
 * @property {(entity: string, prefix?: string) => { id: string, data: Json }[]} scan rows whose id begins with `prefix`, by id
 * @property {(scope: string) => Transaction} scope the same in another scope, which has to be declared
 */

/** @param {Layer[]} layers the upper ones first @param {string} scope @param {string} key */
export const find = (layers, scope, key) => layers.find((layer) => layer.get(scope)?.has(key))?.get(scope)?.get(key);

/** Keys of the rows that are there, in order. @param {Layer[]} layers @param {string} scope @param {string} prefix */
export function list(layers, scope, prefix) {
  const keys = new Set(layers.flatMap((layer) => [...(layer.get(scope)?.keys() ?? [])]));
  return [...keys].filter((key) => key.startsWith(prefix) && find(layers, scope, key) !== undefined).sort();
}

/** @param {Layer[]} layers written to the first @param {string[]} declared @param {string} scope @returns {Transaction} */
export function transaction(layers, declared, scope) {
  if (!declared.includes(scope)) throw new Error(`undeclared scope ${scope}`);
  const [written] = layers;
  /** @param {string} entity @param {string} id @param {Json} [data] */
  const put = (entity, id, data) => {
    if (!written.has(scope)) written.set(scope, new Map());
    written.get(scope)?.set(keyOf(entity, id), structuredClone(data));
  };
  /** @param {string} key */
  const get = (key) => /** @type {Json} */ (structuredClone(find(layers, scope, key)));
  return {
    get: (entity, id) => get(keyOf(entity, id)),
    put,
    delete: (entity, id) => put(entity, id),
    scan: (entity, prefix = "") => list(layers, scope, keyOf(entity, prefix)).map((key) => ({ id: partsOf(key)[1], data: get(key) })),
    scope: (other) => transaction(layers, declared, other),
  };
}
