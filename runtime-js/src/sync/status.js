/** How it stands: whether the server is reached, what waits, what failed. */
import { ENDED, OFFLINE, TIMEOUT } from "./constants.js";
import { equal } from "./json.js";

/** @typedef {{ code: string, message: string }} Failure */

/**
 * @typedef {object} SyncStatus
 * @property {"offline" | "syncing" | "online" | "error" | "ended"} state `offline`: the server was not reached, or never yet;
 *   `ended`: the user has signed out, in this tab or another; that is final
 * @property {number} pending mutations that the server has not confirmed
 * @property {number} failing of these, the mutators that failed in the last replay
 * @property {number} stranded mutations that the application has to decide about
 * @property {string[]} forbidden scopes that may not be read any more
 * @property {number} [lastSync] time of the last pull that succeeded, in milliseconds
 * @property {"indexeddb" | "memory"} storage in `memory`, what is pending is lost when the page is closed
 * @property {boolean} leader this tab talks to the server
 * @property {Failure} [error] the oldest one that holds
 */

/** What the leader says, by its name among the failures. */
const LEADER = "leader";

export class Status {
  #tell;
  /** Requests under way. */
  #busy = 0;
  /** The server has answered. */
  #reached = false;
  /** What failed last, by what was tried. @type {Map<string, Failure>} */
  #failures = new Map();
  /** @type {SyncStatus} */
  value = { state: OFFLINE, pending: 0, failing: 0, stranded: 0, forbidden: [], storage: "indexeddb", leader: false };

  /** @param {(status: SyncStatus) => void} tell */
  constructor(tell) {
    this.#tell = tell;
  }

  /** @template T @param {Promise<T>} request @returns {Promise<T>} */
  async during(request) {
    this.#busy++;
    this.update();
    try {
      const result = await request;
      this.#reached = true;
      return result;
    } finally {
      this.#busy--;
      this.update();
    }
  }

  /** @param {string} what was tried @param {Failure} [failure] */
  result(what, failure) {
    if (failure) this.#failures.set(what, { code: failure.code, message: failure.message });
    else this.#failures.delete(what);
    this.update();
  }

  /** This tab leads from now on. */
  lead() {
    this.result(LEADER);
    this.update({ leader: true });
  }

  /** Where another tab leads, it stands as that one says. @param {SyncStatus} status */
  follow({ state, error, lastSync }) {
    this.#reached ||= state === "online";
    this.result(LEADER, error);
    this.update({ lastSync });
  }

  /** @param {Partial<SyncStatus>} [changed] */
  update(changed) {
    const [error] = this.#failures.values();
    const away = error ? [OFFLINE, TIMEOUT].includes(error.code) : !this.#reached;
    const state = this.#busy ? "syncing" : away ? OFFLINE : error ? "error" : "online";
    const value = /** @type {SyncStatus} */ ({ ...this.value, error, state, ...changed });
    if (this.value.state === ENDED || equal(value, this.value)) return;
    this.value = value;
    this.#tell(value);
  }
}
