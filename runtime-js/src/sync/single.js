/** Work that runs once at a time. Who asks while it runs gets a run that begins after that: one for all who ask. */

/** @template T */
export class Single {
  #work;
  /** @type {Promise<T> | undefined} */
  #next;
  /** The run that is under way. @type {Promise<T> | undefined} */
  #running;

  /** @param {() => Promise<T>} work must not fail, or whoever waits does too */
  constructor(work) {
    this.#work = work;
  }

  /** @returns {Promise<T>} the end of a run that has not begun yet */
  run() {
    const again = () => {
      this.#next = undefined;
      return this.run();
    };
    if (this.#running) return (this.#next ??= this.#running.then(again, again));
    return (this.#running = this.#work().finally(() => (this.#running = undefined)));
  }
}
