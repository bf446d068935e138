/**
 * The queue, the scopes and the client within one transaction: every rule about what leaves the queue is here.
 *
 * 1. A sequence number is given once, in the transaction before the first push that carries it, so what is numbered and
 *    not known as processed may have arrived. That, and nothing later, is what the next push sends (the fence).
 * 2. A mutation gets its outcome when all scopes that it declared acked it through a pull or a snapshot; a rejected one
 *    when any did. A push answer
 *    only says that it was processed. Scopes that may not be read any more give no acks, so they aren't waited for.
 * 3. A server that lost the client's history gets a new client. What surely was not processed is numbered anew; when
 *    anything is uncertain, all that is pending is set aside in its order, for the application to decide.
 */
import * as wire from "./constants.js";
import { hex } from "./environment.js";
import { isPending, keyOf } from "./records.js";

/** @typedef {import("./records.js").Entry} Entry */
/** @typedef {import("./records.js").Ack} Ack */
/** @typedef {import("./records.js").Outcome} Outcome */
/** @typedef {import("./records.js").ScopeRecord} ScopeRecord */
/** @typedef {import("./records.js").StoredRow} StoredRow */

/** Outcomes that are kept, so that each tab learns those of its own mutations. */
const KEPT = 100;

export class Ledger {
  #work;
  /** @type {Set<Entry>} */
  #dirty = new Set();
  /** Rows that changed, by scope; undefined for all of them. @type {Map<string, string[] | undefined>} */
  touched = new Map();

  /**
   * @param {import("./database.js").Work} work @param {import("./records.js").Meta} meta
   * @param {Entry[]} queue in order @param {ScopeRecord[]} scopes
   */
  constructor(work, meta, queue, scopes) {
    this.#work = work;
    this.meta = meta;
    this.queue = queue;
    this.scopes = new Map(scopes.map((record) => [record.scope, record]));
  }

  get pending() {
    return this.queue.filter(isPending);
  }

  /** There is something to push. */
  get due() {
    return this.pending.some(({ seq = Infinity }) => seq > this.meta.done);
  }

  /** @param {string} scope @returns {ScopeRecord} */
  scope(scope) {
    let record = this.scopes.get(scope);
    if (!record) this.scopes.set(scope, (record = { scope, cursor: "", version: 0 }));
    return record;
  }

  /** What to push: the numbered ones that may have arrived, or else the next ones. @param {number} most */
  batch(most) {
    const { meta } = this;
    let batch = this.pending.filter(({ seq = 0 }) => seq > meta.done).slice(0, most);
    if (!batch.length) {
      batch = this.pending.filter(({ seq }) => !seq).slice(0, most);
      for (const entry of batch) entry.seq = meta.next++;
    }
    for (const entry of batch) {
      entry.tries++;
      this.#dirty.add(entry);
    }
    return batch;
  }

  /** The server's answer to a push. @param {string} client @param {Ack[]} results @returns {string[]} scopes that have acks now */
  answered(client, results) {
    if (client !== this.meta.client) return [];
    /** @type {string[]} */
    const scopes = [];
    for (const { seq, status, code, error, cursor } of results) {
      const entry = this.#processed(seq);
      if (!entry) continue;
      scopes.push(...entry.scopes);
      entry.answer = { status, code, error };
      // It is in no scope's log, so no ack will ever come.
      if (status === wire.REJECTED && !cursor) entry.acked = entry.scopes;
      // Nor of this one. What the user did is not lost: it can be exported, or replayed one day.
      if (code === wire.SCOPE_FORBIDDEN) this.#settle(entry, { status: wire.STRANDED, code, error });
      else this.#finish(entry);
      // Its acks may be gone from the log as well, but a snapshot tells how far it goes.
      if (status === wire.EXPIRED) entry.scopes.forEach((scope) => this.rewind(scope));
    }
    return scopes;
  }

  /** @param {string} scope @param {import("./records.js").Page} page of changes @param {number} time */
  pulled(scope, { changes, cursor }, time) {
    /** @type {Set<string>} */
    const keys = new Set();
    for (const change of changes) {
      if (change.op === wire.ACK) {
        this.#acked(scope, /** @type {Ack} */ (change));
        continue;
      }
      const { entity, id } = change;
      keys.add(keyOf(entity, id));
      if (change.op === wire.DELETE) this.#work.delete(wire.ROWS, [scope, entity, id]);
      else this.#work.put(wire.ROWS, { scope, entity, id, data: /** @type {import("./records.js").PutChange} */ (change).data });
    }
    this.#touch(scope, cursor, time, [...keys]);
  }

  /**
   * A whole snapshot. Every mutation up to `last` is in it, though the outcomes of old ones are not told any more.
   *
   * @param {string} scope @param {import("./records.js").Snapshot} snapshot @param {number} time
   */
  snapshotted(scope, { rows, acks, last = 0, cursor }, time) {
    this.#work.delete(wire.ROWS, scope);
    for (const { entity, id, data } of rows) this.#work.put(wire.ROWS, { scope, entity, id, data });
    for (const ack of acks) this.#acked(scope, ack);
    for (const { seq = Infinity } of this.pending) if (seq <= last) this.#acked(scope, { seq, status: "" });
    this.scope(scope).forbidden = false;
    this.#touch(scope, cursor, time);
  }

  /** The next pull begins with a snapshot. @param {string} scope */
  rewind(scope) {
    this.scope(scope).cursor = "";
    this.#work.put(wire.SCOPES, this.scope(scope));
  }

  /** The scope may not be read any more. @param {string} scope @param {string} error */
  forbid(scope, error) {
    const record = this.scope(scope);
    if (!record.forbidden) {
      record.forbidden = true;
      this.#drop(scope);
    }
    for (const entry of this.pending) {
      if (!entry.scopes.includes(scope)) continue;
      // A number that was given has to be pushed, or the server would wait for it.
      if (!entry.seq) this.#settle(entry, { status: wire.STRANDED, code: wire.SCOPE_FORBIDDEN, error });
      else if (entry.seq <= this.meta.done) this.#finish(entry);
    }
  }

  /**
   * The server wants an earlier number again.
   *
   * @param {number} expected @returns {boolean} whether it can be had
   */
  resend(expected) {
    const has = expected <= this.meta.done && this.pending.some(({ seq }) => seq === expected);
    if (has) this.meta.done = expected - 1;
    return has;
  }

  /**
   * Begins anew under another client. The rows are of a history that the server doesn't have any more.
   *
   * @param {Outcome} why @param {boolean} refused the newest push of each mutation surely did nothing
   */
  renew(why, refused) {
    const { pending, meta } = this;
    const uncertain = pending.some(({ seq = 0, tries }) => seq && (seq <= meta.done || tries > +refused));
    for (const entry of pending) {
      if (uncertain) this.#settle(entry, why);
      else this.#fresh(entry);
    }
    Object.assign(meta, { client: hex(), next: 1, done: 0 });
    this.restart();
  }

  /** All rows are fetched anew. */
  restart() {
    for (const scope of this.scopes.keys()) this.#drop(scope);
  }

  /** Stranded mutations are queued again, after all others, or given up. @param {string[] | undefined} ids @param {boolean} again */
  decide(ids, again) {
    const chosen = this.queue.filter(({ id, outcome }) => outcome?.status === wire.STRANDED && (!ids || ids.includes(id)));
    for (const entry of chosen) {
      this.#work.delete(wire.QUEUE, /** @type {number} */ (entry.order));
      delete entry.order;
      delete entry.outcome;
      if (again) this.#fresh(entry);
    }
  }

  /** Writes what changed. */
  save() {
    for (const entry of this.#dirty) this.#work.put(wire.QUEUE, entry);
    // What is settled just now stays in any case: nobody has seen it yet.
    const old = this.queue.filter((entry) => entry.outcome && entry.outcome.status !== wire.STRANDED && !this.#dirty.has(entry));
    for (const { order } of old.slice(0, -KEPT)) this.#work.delete(wire.QUEUE, /** @type {number} */ (order));
    this.#work.put(wire.META, this.meta);
  }

  /** The server has come to this number. @param {number} seq @returns what waits under it */
  #processed(seq) {
    this.meta.done = Math.max(this.meta.done, seq);
    return this.pending.find((entry) => entry.seq === seq);
  }

  /** @param {string} scope @param {Ack} ack without a status when that isn't known */
  #acked(scope, { seq, status, code, error }) {
    const entry = this.#processed(seq);
    if (!entry) return;
    // What is rejected did nothing anywhere, and perhaps before the server knew its scopes: this ack may be all there is.
    if (status === wire.REJECTED) entry.acked = entry.scopes;
    if (!entry.acked.includes(scope)) entry.acked.push(scope);
    if (status) entry.answer = { status, code, error };
    this.#finish(entry);
  }

  /** @param {Entry} entry leaves the queue when no scope has to ack it any more */
  #finish(entry) {
    this.#dirty.add(entry);
    if (entry.scopes.every((scope) => entry.acked.includes(scope) || this.scopes.get(scope)?.forbidden)) {
      this.#settle(entry, entry.answer ?? { status: wire.EXPIRED });
    }
  }

  /** @param {Entry} entry @param {Outcome} outcome */
  #settle(entry, outcome) {
    entry.outcome = outcome;
    if (outcome.status !== wire.STRANDED) entry.args = null;
    this.#dirty.add(entry);
  }

  /** As if it had just been made. @param {Entry} entry */
  #fresh(entry) {
    entry.seq = entry.answer = undefined;
    entry.tries = 0;
    entry.acked = [];
    this.#dirty.add(entry);
  }

  /** @param {string} scope */
  #drop(scope) {
    this.#work.delete(wire.ROWS, scope);
    this.#touch(scope, "");
  }

  /** @param {string} scope @param {string} cursor @param {number} [time] @param {string[]} [keys] all rows without them */
  #touch(scope, cursor, time, keys) {
    const record = this.scope(scope);
    record.cursor = cursor;
    record.time = time;
    record.version++;
    this.touched.set(scope, keys);
    this.#work.put(wire.SCOPES, record);
  }
}
