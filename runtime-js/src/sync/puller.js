/**
 * Brings one scope up to date: pages of changes from our cursor on, or a snapshot when there is no cursor. A page is
 * stored in one transaction with its cursor and what it acks, and only if the scope is still where the request began, so
 * that two tabs can't write over each other.
 */
import * as wire from "./constants.js";
import { Loop } from "./loop.js";
import { SyncError, syncError } from "./error.js";

/** @typedef {import("./ledger.js").Ledger} Ledger */
/** @typedef {import("./records.js").Snapshot} Snapshot */

export class Puller extends Loop {
  #context;
  #scope;

  /** @param {import("./loop.js").Context} context @param {string} scope @param {() => Promise<void>} pulled the server let us */
  constructor(context, scope, pulled) {
    super(context, `${wire.PULL} ${scope}`, async () => {
      const done = await context.status.during(this.#pull());
      if (done) await pulled();
      return done;
    });
    this.#context = context;
    this.#scope = scope;
  }

  async #pull() {
    const scope = this.#scope;
    const { store, environment } = this.#context;
    let allowed = true;
    for (let more = true; more; ) {
      const { client, cursor } = await store.look((ledger) => ({ client: ledger.meta.client, cursor: ledger.scope(scope).cursor }));
      /** @type {(ledger: Ledger) => void} */
      let change;
      more = false;
      allowed = true;
      try {
        if (cursor) {
          /** @type {import("./records.js").Page} */
          const page = await this.#post(wire.PULL, { client, cursor });
          if (page.cursor === cursor) break;
          more = page.has_more;
          change = (ledger) => ledger.pulled(scope, page, environment.now());
        } else {
          const snapshot = await this.#snapshot(client);
          more = true;
          change = (ledger) => ledger.snapshotted(scope, snapshot, environment.now());
        }
      } catch (error) {
        const { code, message } = syncError(error);
        allowed = code !== wire.SCOPE_FORBIDDEN;
        // A snapshot that can't be had is waited for.
        if (allowed && !(cursor && [wire.CURSOR_TOO_OLD, wire.EPOCH_CHANGED].includes(code))) throw error;
        more = allowed;
        change = (ledger) => {
          if (!allowed) ledger.forbid(scope, message);
          else if (code === wire.CURSOR_TOO_OLD) ledger.rewind(scope);
          else ledger.renew({ status: wire.STRANDED, code, error: message }, false);
        };
      }
      const stored = await store.change((ledger) => {
        const still = ledger.meta.client === client && ledger.scope(scope).cursor === cursor;
        if (still) change(ledger);
        return still;
      });
      // Somebody else moved on in the meantime.
      more ||= !stored;
    }
    return allowed;
  }

  /** All pages of it, as one, or those from `page` on. @param {string} client @param {string} [page] @returns {Promise<Snapshot>} */
  async #snapshot(client, page) {
    /** @type {Snapshot} */
    const part = await this.#post(wire.SNAPSHOT, { client, page });
    if (part.next) part.rows = part.rows.concat((await this.#snapshot(client, part.next)).rows);
    return part;
  }

  /** @template T @param {string} path @param {object} body @returns {Promise<T>} */
  async #post(path, body) {
    const answer = await this.#context.transport.post(path, { ...body, scope: this.#scope, limit: wire.PAGE });
    if (Array.isArray(answer.rows ?? answer.changes) && answer.cursor) return /** @type {T} */ (answer);
    throw new SyncError(wire.BAD_ANSWER, `unreadable ${path}`);
  }
}
