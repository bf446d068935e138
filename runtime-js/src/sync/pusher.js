/**
 * Sends the queue, one push at a time. A push that had no answer may have arrived, so it is sent again as it was, and
 * nothing after it, until an answer or a pull says what became of it. One that the server doesn't even read, be it too
 * large or not what the server calls a push, is halved, until those that are to blame are alone.
 */
import * as wire from "./constants.js";
import { SyncError, syncError } from "./error.js";
import { Loop } from "./loop.js";

/** The server doesn't know the client's history. */
const LOST = [wire.GAP, wire.CLIENT_UNKNOWN, wire.SEQ_REUSED];
/** The server has read nothing, and done nothing. */
const UNREAD = [wire.INVALID, wire.TOO_LARGE];

export class Pusher extends Loop {
  #context;
  /** Mutations that a push may hold; once the queue is empty, as many as ever. */
  #most = wire.PUSH_LIMIT;
  /**
   * Of the mutation that the server didn't read, alone in its push: why. It must not hold up the others, nor may its number be
   * missing. So an empty one is sent under it, which any server rejects, in every retry, and takes this one's part.
   *
   * @type {{ id?: string } & import("./records.js").Outcome | undefined}
   */
  #unread;
  /** Scopes to pull when nothing is left to push: a pull replays all that is left. @type {Set<string>} */
  due = new Set();

  /** @param {import("./loop.js").Context} context @param {(scopes: string[]) => void} pull these have acks */
  constructor(context, pull) {
    super(context, wire.PUSH, async () => {
      try {
        while (await context.store.look(({ due }) => due)) await this.#push();
        this.#most = wire.PUSH_LIMIT;
        return true;
      } finally {
        pull([...this.due]);
        this.due.clear();
      }
    });
    this.#context = context;
  }

  async #push() {
    const { store, status, transport } = this.#context;
    const { client, batch } = await store.change((ledger) => ({ client: ledger.meta.client, batch: ledger.batch(this.#most) }));
    // Another tab may have pushed all of it.
    const id = batch[0]?.id;
    const unread = this.#unread?.id === id ? this.#unread : undefined;
    const mutations = batch.map(({ seq, id, name, scope, args }) => (unread ? { seq, id, name: "", scope: "" } : { seq, id, name, scope, args }));
    try {
      const answer = await status.during(transport.post(wire.PUSH, { client, mutations }));
      if ((await this.#take(client, answer, unread)) < batch.length) throw new SyncError(wire.BAD_ANSWER, `unreadable ${wire.PUSH}`);
      if (unread) this.#most = wire.PUSH_LIMIT;
    } catch (error) {
      const { code, message, answer } = syncError(error);
      await this.#take(client, answer);
      if (UNREAD.includes(code)) {
        this.#most = Math.max(1, batch.length >> 1);
        // When an empty one isn't read either, it is not for what was in it.
        this.#unread = batch[1] || unread ? undefined : { id, status: wire.REJECTED, code, error: message };
        if (batch[1] || this.#unread) return;
      }
      if (!LOST.includes(code)) throw error;
      await store.change((ledger) => {
        // A server that doesn't know the client at all wants its first mutation.
        const expected = +(answer.expected ?? code === wire.CLIENT_UNKNOWN);
        if (ledger.meta.client !== client || ledger.resend(expected)) return;
        ledger.renew({ status: wire.STRANDED, code, error: message }, true);
      });
    }
  }

  /** @param {string} client @param {import("./transport.js").Answer} answer @param {object} [unread] @returns {Promise<number>} results that it had */
  async #take(client, { results }, unread) {
    const acks = /** @type {import("./records.js").Ack[]} */ (Array.isArray(results) ? results : []).map((ack) => ({ ...ack, ...unread }));
    if (acks.length) for (const scope of await this.#context.store.change((ledger) => ledger.answered(client, acks))) this.due.add(scope);
    return acks.length;
  }
}
