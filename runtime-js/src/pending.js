/** Events that were sent and not answered, by reference and in the order of sending. */

/**
 * @typedef {object} Sent
 * @property {string} name of the event
 * @property {import("./msgpack.js").Value} body to send again after a resume
 * @property {(ref: number) => void} [answered] called before the answer is applied
 * @property {() => void} [accepted] called after it was, when the handler had no error
 */

export class Pending {
  /** @type {Map<number, Sent>} */
  #sent = new Map();

  /** @param {number} ref @param {Sent} event */
  add(ref, event) {
    this.#sent.set(ref, event);
  }

  /** @param {number} ref @returns {Sent | undefined} */
  take(ref) {
    const event = this.#sent.get(ref);
    this.#sent.delete(ref);
    event?.answered?.(ref);
    return event;
  }

  /** Those that still have no answer. */
  all() {
    return [...this.#sent];
  }

  /** Gives up waiting. @returns {{ name: string, ref: number }[]} what for */
  clear() {
    return this.all().map(([ref, { name }]) => {
      this.take(ref);
      return { name, ref };
    });
  }
}
