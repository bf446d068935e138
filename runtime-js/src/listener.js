/** Something that listens while it is started. Starting twice is starting once. */
export class Listener {
  /** @type {AbortController | undefined} */
  #listening;

  start() {
    if (this.#listening) return;
    this.#listening = new AbortController();
    this.listen(this.#listening);
  }

  stop() {
    this.#listening?.abort();
    this.#listening = undefined;
  }

  /** Adds the listeners; they go when the signal says so. @param {{ signal: AbortSignal }} _options for `addEventListener` */
  listen(_options) {}
}
