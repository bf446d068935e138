/**
 * Finds dead connections. When nothing was heard for an interval it beats; when nothing is heard after the beat
 * either, the peer is gone, whatever the browser believes (sleep, a lost network and a dead proxy close nothing).
 */
export class Heartbeat {
  #beat;
  #dead;
  #interval = 25_000;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #waiting = false;

  /** @param {() => void} beat sends one @param {() => void} dead is told once */
  constructor(beat, dead) {
    this.#beat = beat;
    this.#dead = dead;
  }

  /** @param {number} [interval] in milliseconds */
  start(interval = this.#interval) {
    this.#interval = interval;
    this.heard();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#waiting = false;
  }

  /** Something arrived: the peer lives. */
  heard() {
    this.stop();
    this.#timer = setTimeout(() => this.probe(), this.#interval);
  }

  /** Asks now instead of at the end of the interval. */
  probe() {
    if (this.#waiting) return;
    this.stop();
    this.#waiting = true;
    this.#timer = setTimeout(() => {
      this.stop();
      this.#dead();
    }, Math.min(this.#interval, 10_000));
    this.#beat();
  }
}
