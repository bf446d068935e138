/**
 * The other tabs of the same user. One holds a lock for as long as it lives, and that one talks to the server; when it
 * goes, the browser gives the lock to the next. Tabs that can't lock or can't hear each other all lead: pushing twice is
 * harmless, the server knows each mutation by its number.
 */

/** @typedef {{ kind: number, hints?: import("./records.js").Hint[], scopes?: string[], status?: import("./status.js").SyncStatus }} Message */

export class Tabs {
  #name;
  #environment;
  #lead;
  #heard;
  #shared = true;
  /** @type {import("./environment.js").Channel | undefined} */
  #channel;
  /** @type {AbortController | undefined} */
  #life;
  leading = false;

  /**
   * @param {string} name @param {import("./environment.js").Environment} environment
   * @param {() => void} lead this tab leads from now on @param {(message: Message) => void} heard
   */
  constructor(name, environment, lead, heard) {
    this.#name = name;
    this.#environment = environment;
    this.#lead = lead;
    this.#heard = heard;
  }

  /** @param {boolean} [shared] there are other tabs with the same store */
  start(shared = this.#shared) {
    this.#shared = shared;
    const { signal } = (this.#life = new AbortController());
    const { channel, locks } = this.#environment;
    const lead = () => {
      if (signal.aborted) return;
      this.leading = true;
      this.#lead();
    };
    if (channel && shared) {
      this.#channel = channel(this.#name);
      this.#channel.onmessage = ({ data }) => this.#heard(data);
    }
    if (!this.#channel || !locks) return lead();
    const held = () =>
      new Promise((release) => {
        signal.addEventListener("abort", release);
        lead();
      });
    // Locks may be forbidden to this document; then it's every tab for itself.
    locks.request(this.#name, { signal }, held).catch(lead);
  }

  stop() {
    this.#life?.abort();
    this.leading = false;
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** Tells all other tabs. @param {number} kind @param {Omit<Message, "kind">} [more] */
  post(kind, more) {
    this.#channel?.postMessage({ kind, ...more });
  }
}
