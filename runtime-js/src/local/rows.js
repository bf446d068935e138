/**
 * The local rows of one entity in one scope, and which of them say more than the page does.
 *
 * A row that is *pending* does, and so does one that was deleted here. Once the server has confirmed a change it is still
 * *held*: the page's own patch may come later than the store's answer, and until then the page shows what was.
 */

/** @typedef {import("../sync/index.js").Row} Row */
/** @typedef {import("../sync/index.js").MizuSync} MizuSync */

/** How long the page's patch may take once the page is joined, in milliseconds. */
export const PATIENCE = 5_000;

export class Rows {
  #sync;
  #scope;
  /** By id, in the store's order. @type {Map<string, Row>} */
  all = new Map();
  /** They were fetched once, so a row that isn't here is none. */
  synced = false;
  /** Rows that are held, by id, and since when; rows that are to be deleted, infinitely late. @type {Map<string, number>} */
  held = new Map();

  /** @param {MizuSync} sync @param {string} scope @param {string} entity @param {() => void} changed */
  constructor(sync, scope, entity, changed) {
    this.#sync = sync;
    this.#scope = scope;
    this.entity = entity;
    sync.subscribe({ scope, entity }, (rows, { changes, synced }) => {
      this.all = new Map(rows.map((row) => [row.id, row]));
      this.synced = synced;
      for (const { id, row, old } of changes) {
        // Rows that are about to be fetched anew are not deleted.
        if (!row) synced && this.held.set(id, Infinity);
        else if (!old || row.pending) this.held.delete(id);
        else if (old.pending) this.held.set(id, Date.now());
      }
      changed();
    });
  }

  /** What was deleted before this page was loaded, and the server doesn't know yet. */
  remember() {
    for (const { name, scope, args } of this.#sync.inspect().queue) {
      const { id } = /** @type {{ id?: string }} */ (args ?? {});
      if (id && scope === this.#scope && name === `${this.entity}.delete` && !this.all.has(id)) this.held.set(id, Infinity);
    }
  }

  /** Nothing is pending any more, so nothing is to be deleted. The time of what is held begins anew when the page is joined. @param {boolean} [anew] */
  settle(anew) {
    const { pending } = this.#sync.status;
    for (const [id, since] of this.held) if (since === Infinity ? !pending : anew) this.held.set(id, Date.now());
  }

  /** @param {string} id */
  pending(id) {
    return this.all.get(id)?.pending || this.held.get(id) === Infinity;
  }

  /** Ids of the rows that say more than the page. */
  get newer() {
    const pending = [...this.all.values()].filter((row) => row.pending).map(({ id }) => id);
    return [...new Set([...pending, ...this.held.keys()])];
  }
}
