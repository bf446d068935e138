/** What is stored, and what the server says about it. */

/** @typedef {import("./json.js").Json} Json */

/** @typedef {{ scope: string, entity: string, id: string, data: Json }} StoredRow a row as the server has it */

/**
 * @typedef {object} ScopeRecord
 * @property {string} scope
 * @property {string} cursor empty when a snapshot is needed
 * @property {number} version rises with every change of the rows, and never falls
 * @property {number} [time] of the last pull that was stored, in milliseconds
 * @property {boolean} [forbidden]
 */

/**
 * @typedef {object} Meta
 * @property {"meta"} key
 * @property {string} client
 * @property {number} next sequence number that is given out next
 * @property {number} done highest sequence number that the server is known to have processed
 * @property {unknown} schema
 */

/** @typedef {{ status: string, code?: string, error?: string }} Outcome */

/**
 * A mutation. It is *pending* until it has an outcome; a *stranded* one waits for the application to decide.
 *
 * @typedef {object} Entry
 * @property {number} [order] place in the queue, given by the store
 * @property {string} id
 * @property {string} name
 * @property {string} scope
 * @property {string[]} scopes all that it declared, its own included
 * @property {Json} args
 * @property {string[]} acked the scopes that acked it
 * @property {number} [seq] given before it is sent for the first time
 * @property {number} tries pushes that it was part of
 * @property {Outcome} [answer] what the server said so far; it counts once all scopes acked
 * @property {Outcome} [outcome] final
 */

/** @typedef {{ seq: number, status: string, code?: string, error?: string, cursor?: string }} Ack also a result of a push: then with the place of the ack */

/** @typedef {{ op: "create" | "update", entity: string, id: string, data: Json }} PutChange */
/** @typedef {{ op: "delete", entity: string, id: string }} DeleteChange */
/** @typedef {PutChange | DeleteChange | ({ op: "ack" } & Ack)} Change */

/** @typedef {{ changes: Change[], cursor: string, has_more: boolean }} Page */
/** @typedef {{ rows: StoredRow[], acks: Ack[], last?: number, cursor: string, next?: string }} Snapshot all but rows as in its first part */

/** @typedef {[scope: string, version: number, keys: string[] | undefined]} Hint which rows a version changed; all without keys */

/** @param {Entry} entry */
export const isPending = (entry) => !entry.outcome;

/** What a row is found by within its scope. Neither part can hold the separator. @param {string} entity @param {string} id */
export const keyOf = (entity, id) => `${entity}\0${id}`;

/** @param {string} key @returns {[entity: string, id: string]} */
export const partsOf = (key) => /** @type {[string, string]} */ (key.split("\0"));
