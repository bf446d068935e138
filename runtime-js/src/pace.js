/**
 * Debounce and throttle. Work is keyed by the control that the user acts on and the event's type; new work for a key
 * takes the place of what waits there. Work of an element that left the document is dropped, and work that could not
 * be done (there is no connection) is kept as *late*, to be tried again when there is one.
 */

/**
 * @typedef {object} Work
 * @property {Element} control the user acts on
 * @property {Element} element that listens
 * @property {string} type of the DOM event
 * @property {() => boolean} run false when it could not be done, and should be tried later
 */

/** @typedef {Work & { timer?: ReturnType<typeof setTimeout>, late?: boolean }} Waiting */

export class Pace {
  /** @type {Set<Waiting>} */
  #waiting = new Set();
  /** When throttled work may be done again. @type {WeakMap<Element, Map<string, number>>} */
  #opens = new WeakMap();

  /**
   * Does the work when the pace allows it: `debounce` is milliseconds, or `blur`; `throttle` is milliseconds.
   *
   * @param {Work} work @param {{ debounce: string | null, throttle: string | null }} pace
   */
  call(work, { debounce, throttle }) {
    this.#forget(work);
    if (debounce !== null) this.#wait(work, debounce === "blur" ? undefined : Number(debounce));
    else if (throttle !== null) this.#throttle(work, Number(throttle));
    else this.#run(work);
  }

  /** Does waiting work now. @param {(work: Waiting) => boolean} which */
  flush(which) {
    for (const work of [...this.#waiting]) if (which(work)) this.#run(work);
  }

  /** Tries again what could not be done. */
  retry() {
    this.flush((work) => !!work.late);
  }

  /** Forgets waiting work. @param {(work: Waiting) => boolean} which */
  cancel(which) {
    for (const work of this.#waiting) if (which(work)) this.#drop(work);
  }

  /** The first at once, the last at the end of the pause. @param {Work} work @param {number} pause */
  #throttle(work, pause) {
    const opens = this.#opens.get(work.control) ?? new Map();
    this.#opens.set(work.control, opens);
    const left = (opens.get(work.type) ?? 0) - Date.now();
    if (left > 0) return this.#wait(work, left);
    opens.set(work.type, Date.now() + pause);
    this.#run(work);
  }

  /** @param {Waiting} work @param {number} [delay] without it only a flush ends the waiting */
  #wait(work, delay) {
    if (delay !== undefined) work.timer = setTimeout(() => this.#run(work), delay);
    this.#waiting.add(work);
  }

  /** @param {Waiting} work */
  #run(work) {
    this.#drop(work);
    if (!work.control.isConnected || work.run()) return;
    work.late = true;
    this.#waiting.add(work);
  }

  /** @param {Work} work */
  #forget({ control, type }) {
    this.cancel((waiting) => waiting.control === control && waiting.type === type);
  }

  /** @param {Waiting} work */
  #drop(work) {
    clearTimeout(work.timer);
    this.#waiting.delete(work);
  }
}
