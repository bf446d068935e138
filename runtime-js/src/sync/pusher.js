/**
 * Sends the queue, one push at a time. A push that had no answer may have arrived, so it is sent again as it was, and
 * nothing after it, until an answer or a pull says what became of it.
 */
import * as wire from "./constants.js";
import { SyncError, syncError } from "./error.js";
import { Loop } from "./loop.js";

/** The server doesn't know the client's history. */
const LOST = [wire.GAP, wire.CLIENT_UNKNOWN, wire.SEQ_REUSED];

export class Pusher extends Loop {
  #context;
  #processed;

  /** @param {import("./loop.js").Context} context @param {(scopes: string[]) => void} processed these have acks to pull */
  constructor(context, processed) {
    super(context, wire.PUSH, async () => {
      while (await context.store.look((ledger) => ledger.due)) await this.#push();
      return true;
    });
    this.#context = context;
    this.#processed = processed;
  }

  async #push() {
    const { store, status, transport } = this.#context;
    const { client, batch } = await store.change((ledger) => ({ client: ledger.meta.client, batch: ledger.batch() }));
    const mutations = batch.map(({ seq, id, name, scope, args }) => ({ seq, id, name, scope, args }));
    try {
      const answer = await status.during(transport.post(wire.PUSH, { client, mutations }));
      if ((await this.#take(client, answer)) < batch.length) throw new SyncError(wire.BAD_ANSWER, "results missing");
    } catch (error) {
      const { code, message, answer } = syncError(error);
      await this.#take(client, answer);
      if (!LOST.includes(code)) throw error;
      await store.change((ledger) => {
        // A server that doesn't know the client at all wants its first mutation.
        const expected = code === wire.GAP ? Number(answer.expected) : Number(code === wire.CLIENT_UNKNOWN);
        if (ledger.meta.client !== client || ledger.resend(expected)) return;
        ledger.renew({ status: wire.STRANDED, code, error: message }, true);
      });
    }
  }

  /** @param {string} client @param {import("./transport.js").Answer} answer @returns {Promise<number>} results that it had */
  async #take(client, { results }) {
    const acks = /** @type {import("./records.js").Ack[]} */ (Array.isArray(results) ? results : []);
    if (acks.length) this.#processed(await this.#context.store.change((ledger) => ledger.answered(client, acks)));
    return acks.length;
  }
}
