/** Leaving the page: full loads, with a guard against going round in circles. */
import { FLASH_COOKIE, RELOAD_KEY } from "./constants.js";

/** Within this time a second forced load of the same address is a loop, in milliseconds. */
const LOOP = 30_000;

export class Navigator {
  #location;
  #storage;

  /** @param {Location} location @param {Storage} storage */
  constructor(location, storage) {
    this.#location = location;
    this.#storage = storage;
  }

  /** What the server knows this page as. */
  get url() {
    return this.#location.pathname + this.#location.search;
  }

  /**
   * Loads another address. One that is no web address, or that is this page again when `guarded`, is not followed.
   *
   * @param {string} to @param {boolean} replace the entry in the history @param {boolean} [guarded]
   * @returns {boolean} false when it is not followed
   */
  go(to, replace, guarded) {
    const url = new URL(to, this.#location.href);
    if (!url.protocol.startsWith("http")) return false;
    if (url.pathname + url.search === this.url && guarded && !this.#first()) return false;
    if (replace) this.#location.replace(url.href);
    else this.#location.assign(url.href);
    return true;
  }

  /** Hands flash messages to the page that is loaded next. @param {string} messages as the server signed them */
  flash(messages) {
    document.cookie = `${FLASH_COOKIE}=${messages}; path=/; max-age=60; samesite=lax`;
  }

  /** Loads this page anew, unless that was just done. @returns {boolean} */
  reload() {
    if (!this.#first()) return false;
    this.#location.reload();
    return true;
  }

  /** This address was loaded by force a moment ago. */
  get forced() {
    try {
      const [url, at] = JSON.parse(this.#storage.getItem(RELOAD_KEY) ?? "[]");
      return url === this.url && Date.now() - at < LOOP;
    } catch {
      return false;
    }
  }

  /** True once for an address in a while. Without storage there is no guard, and so no forced load. */
  #first() {
    try {
      if (this.forced) return false;
      this.#storage.setItem(RELOAD_KEY, JSON.stringify([this.url, Date.now()]));
      return true;
    } catch {
      return false;
    }
  }
}
