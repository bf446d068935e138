/**
 * Work with the server that is tried until it succeeds. Between two attempts it waits for a random time below a bound
 * that doubles with every failure, and not less than the server asked for.
 *
 * Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
import { CLIENT_FOREIGN, CLOSED, OTHER_USER, UNAUTHORIZED } from "./constants.js";
import { syncError } from "./error.js";
import { Single } from "./single.js";

/** Somebody else is signed in, or nobody: trying again by itself would change nothing. */
const DENIED = [UNAUTHORIZED, OTHER_USER, CLIENT_FOREIGN];
/** Bounds of the first wait and of all, in milliseconds. */
const BASE = 1_000;
const CAP = 30_000;

/**
 * @typedef {object} Context what the loops work with
 * @property {import("./environment.js").Environment} environment
 * @property {import("./status.js").Status} status
 * @property {import("./transport.js").Transport} transport
 * @property {import("./store.js").Store} store
 */

export class Loop {
  #environment;
  /** In a row, since it was last asked for. */
  #failures = 0;
  /** How long the server asked to be left alone, in milliseconds. */
  #wait = 0;
  /** @type {unknown} */
  #timer;
  #single;
  /** It waits for somebody to sign in. */
  #denied = false;

  /** @param {Context} context @param {string} what name of it in the status @param {() => Promise<boolean>} work */
  constructor({ environment, status }, what, work) {
    this.#environment = environment;
    this.#single = new Single(async () => {
      this.stop();
      this.#denied = false;
      try {
        const done = await work();
        this.#failures = this.#wait = 0;
        status.result(what);
        return done;
      } catch (error) {
        const failure = syncError(error);
        if (failure.code === CLOSED) return false;
        status.result(what, failure);
        this.#denied = DENIED.includes(failure.code);
        this.#wait = failure.wait;
        if (!this.#denied) {
          const delay = this.#wait + environment.random() * Math.min(CAP, BASE * 2 ** this.#failures++);
          this.#timer = environment.setTimeout(() => void this.#single.run(), delay);
        }
        return false;
      }
    });
  }

  /** Tries at once, and after that as if nothing had failed before. It never fails. @returns {Promise<boolean>} whether it succeeded */
  run() {
    this.#failures = 0;
    return this.#single.run();
  }

  /**
   * There may be something to do: tries, unless a failure has to be waited out.
   *
   * @param {boolean} [probe] the server is reached, or it is time to find out: only what it asked for itself is waited out
   */
  nudge(probe) {
    if (probe ? !this.#wait : !this.#denied && !this.#timer) void this.#single.run();
  }

  /** Doesn't try again by itself. */
  stop() {
    this.#environment.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
