/**
 * A connection without a page, as far as it has the shape of a page's session. It is there for the scopes that are
 * subscribed to: their answer shows that it works.
 */

export class Pageless {
  #socket;
  #status;

  /** @param {(owner: import("./pokes.js").Subscriber) => import("./socket.js").Socket} open makes the socket @param {import("./status.js").Status} status */
  constructor(open, status) {
    this.#socket = open(this);
    this.#status = status;
  }

  start() {
    this.#status.set("loading");
    this.#socket.start();
  }

  stop() {
    this.#socket.stop();
    this.#status.set("disconnected");
  }

  /** Comes back when woken. */
  pause() {
    this.#socket.pause();
    this.#status.set("disconnected");
  }

  wake() {
    this.#socket.wake();
  }

  /** There is no page to leave. */
  leave() {}

  opened() {}

  received() {}

  /** @param {import("./status.js").Failure} [failure] */
  subscribed(failure) {
    if (!failure) {
      this.#socket.settle();
      return this.#status.set("connected");
    }
    // There is nothing else that the connection is good for.
    if (failure.stopped) this.stop();
    else this.#socket.drop(failure.code);
    this.#status.error(failure);
  }

  /** @param {number} code @param {string} reason @param {boolean} terminal */
  closed(code, reason, terminal) {
    this.#status.set("disconnected");
    if (terminal) this.#status.error({ code: String(code), message: reason, stopped: true });
  }
}
