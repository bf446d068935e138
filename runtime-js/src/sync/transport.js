/** Requests to the server. Whatever comes of one is an answer, or an error with a code. */
import { BAD_ANSWER, OFFLINE, TIMEOUT } from "./constants.js";
import { SyncError, syncError } from "./error.js";

/** @typedef {Record<string, unknown>} Answer */

export class Transport {
  #base;
  #user;
  #timeout;
  #environment;

  /** @param {string} base @param {string} user @param {number} timeout @param {import("./environment.js").Environment} environment */
  constructor(base, user, timeout, environment) {
    this.#base = base;
    // Without a user, the server is not told of one; it checks one that it is told of.
    this.#user = user || undefined;
    this.#timeout = timeout;
    this.#environment = environment;
  }

  /**
   * @param {string} path @param {object} body
   * @returns {Promise<Answer>}
   * @throws {SyncError} with the server's code, or `offline`, `timeout`, `bad_answer`
   */
  async post(path, body) {
    const { fetch, page, setTimeout, clearTimeout } = this.#environment;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(TIMEOUT), this.#timeout);
    // What was asked over the network before hangs; it must not hold up what is asked over the one that is there now.
    page?.addEventListener("online", () => abort.abort(OFFLINE), abort);
    let code = OFFLINE;
    try {
      const response = await fetch(`${this.#base}/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ user: this.#user, ...body }),
        signal: abort.signal,
      });
      const text = await response.text();
      // Whoever sends anything else isn't the server: a proxy, the page of a hotel's network.
      code = BAD_ANSWER;
      const answer = JSON.parse(text);
      if (response.ok) return answer;
      const wait = Number(response.headers.get("retry-after")) * 1_000 || 0;
      throw new SyncError(answer.code ?? code, answer.error, wait, answer);
    } catch (error) {
      throw syncError(error, abort.signal.reason ?? code);
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
  }
}
