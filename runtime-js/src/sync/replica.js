/**
 * This tab's working copy of what is stored. Whatever changes the store, here or in another tab, is followed by a
 * refresh, which reads what changed in one transaction; so all tabs show the same.
 *
 * A mutation is in the view from the call on, and in the store a moment later; until a refresh finds it there, it is
 * replayed from `#fresh`.
 */
import { isPending } from "./records.js";
import { Single } from "./single.js";
import * as wire from "./constants.js";

/** @typedef {import("./records.js").Entry} Entry */
/** @typedef {import("./records.js").Hint} Hint */
/** @typedef {import("./records.js").Outcome} Outcome */
/** @typedef {Entry & { outcome: Outcome }} Settled */

export class Replica {
  #store;
  #view;
  #tell;
  #changed;
  #refresh;
  /** @type {Hint[]} */
  #hints = [];
  /** Scopes that are read. @type {Set<string>} */
  #wanted = new Set();
  /** Mutations of this tab that no refresh has found in the store yet. @type {Set<Entry>} */
  #fresh = new Set();
  /** Who waits for the outcome of a mutation, by id. @type {Map<string, (outcome: Outcome) => void>} */
  waiting = new Map();
  /** What the last refresh read. @type {import("./store.js").Loaded | undefined} */
  loaded;

  /**
   * @param {import("./store.js").Store} store @param {import("./view.js").View} view
   * @param {() => Promise<void>} tell that a mutation was written, and refresh @param {(settled: Settled[]) => void} changed
   * @param {(error: unknown) => void} report
   */
  constructor(store, view, tell, changed, report) {
    this.#store = store;
    this.#view = view;
    this.#tell = tell;
    this.#changed = changed;
    this.#refresh = new Single(() => this.#read().catch(report));
  }

  /** @param {Hint[]} [hints] what is known to have changed */
  refresh(hints = []) {
    this.#hints.push(...hints);
    return this.#refresh.run();
  }

  /** Reads these scopes from now on. @param {string[]} scopes */
  async need(scopes) {
    for (const scope of scopes) this.#wanted.add(scope);
    if (!this.#view.has(scopes)) await this.refresh();
  }

  /**
   * Adds a mutation; its scopes are needed already. The view has it when this returns, the store when the promise does.
   *
   * @param {Entry} entry
   * @throws what its mutator throws; then nothing has happened
   */
  append(entry) {
    this.#view.append(entry);
    this.#fresh.add(entry);
    this.#changed([]);
    return this.#write(entry);
  }

  /** @param {Entry} entry */
  async #write(entry) {
    try {
      await this.#store.append(entry);
    } catch (error) {
      this.#fresh.delete(entry);
      this.#view.rebase(this.#view.queue.filter((other) => other !== entry));
      this.#changed([]);
      throw error;
    }
    await this.#tell();
    this.#fresh.delete(entry);
  }

  async #read() {
    const hints = this.#hints.splice(0);
    const known = new Map([...this.#wanted].map((scope) => [scope, this.#view.versions.get(scope) ?? -1]));
    const loaded = (this.loaded = await this.#store.load(known, hints));
    const stored = new Map(loaded.queue.map((entry) => [entry.id, entry]));
    const pending = [...loaded.queue.filter(isPending), ...[...this.#fresh].filter(({ id }) => !stored.has(id))];
    const ids = new Set(pending.map(({ id }) => id));
    // A page that slept for long may find that the outcome is not kept any more.
    const settled = this.#view.queue
      .filter(({ id }) => !ids.has(id))
      .map((entry) => ({ outcome: { status: wire.EXPIRED }, ...(stored.get(entry.id) ?? entry) }));
    for (const rows of loaded.rows) this.#view.take(rows);
    if (loaded.rows.length || !same(pending, this.#view.queue)) this.#view.rebase(pending);
    this.#view.queue = pending;
    for (const { id, outcome } of settled) {
      this.waiting.get(id)?.(outcome);
      this.waiting.delete(id);
    }
    this.#changed(settled);
    void this.need(pending.flatMap(({ scopes }) => scopes));
  }
}

/** Whether a replay would do the same. @param {Entry[]} one @param {Entry[]} other */
function same(one, other) {
  return one.length === other.length && one.every(({ id, acked }, n) => id === other[n].id && acked.length === other[n].acked.length);
}
