/** What the browser tells about network and tab. */
import { Listener } from "./listener.js";

export class Lifecycle extends Listener {
  #wake;
  #hide;

  /**
   * @param {() => void} wake the network is back, or the tab is looked at again
   * @param {(kept: boolean) => void} hide the page goes away; `kept` when it may come back as it is
   */
  constructor(wake, hide) {
    super();
    this.#wake = wake;
    this.#hide = hide;
  }

  /** @override @param {{ signal: AbortSignal }} options */
  listen(options) {
    window.addEventListener("online", () => this.#wake(), options);
    window.addEventListener("pageshow", ({ persisted }) => persisted && this.#wake(), options);
    window.addEventListener("pagehide", ({ persisted }) => this.#hide(persisted), options);
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake(), options);
  }
}
