/**
 * Links to this page under another query, `<a href="/table?rows=20" data-lv-patch>`: the page turns to it without being
 * loaded anew. Its session is asked first, and the address changes only when that took it; anything else, like a page
 * that isn't joined, another path or a refusal, is a navigation as the browser knows it. Going back and forth between
 * such addresses asks in the same way.
 */
import { PATCH_LINK, REPLACE } from "./constants.js";
import { Listener } from "./listener.js";

export class Links extends Listener {
  #session;
  #navigator;
  /** The address that the page shows, or was asked for last. */
  #url;

  /** @param {import("./session.js").Session} session @param {import("./navigator.js").Navigator} navigator */
  constructor(session, navigator) {
    super();
    this.#session = session;
    this.#navigator = navigator;
    this.#url = navigator.url;
  }

  /** @override @param {{ signal: AbortSignal }} options */
  listen(options) {
    // The last to hear of a click, so that a listener of the page can prevent it.
    window.addEventListener("click", (event) => this.#click(event), options);
    window.addEventListener("popstate", () => this.#moved(), options);
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const { target } = event;
    const link = target instanceof Element ? target.closest(`a[${PATCH_LINK}]`) : null;
    if (!(link instanceof HTMLAnchorElement) || link.target || event.defaultPrevented || isModified(event)) return;
    const { origin, pathname, search, hash } = link;
    // A fragment is for the browser to scroll to.
    const here = origin === location.origin && pathname === location.pathname && !hash;
    if (!here || !this.#session.joined) return;
    event.preventDefault();
    const url = pathname + search;
    const replace = link.hasAttribute(REPLACE) || url === this.#navigator.url;
    this.#visit(url, replace, () => history[replace ? "replaceState" : "pushState"](null, "", url));
  }

  /** The user went back or forth, maybe within what the page shows already. */
  #moved() {
    const { url } = this.#navigator;
    if (url !== this.#url) this.#visit(url, true, () => {});
  }

  /** @param {string} url @param {boolean} replace @param {() => void} done */
  #visit(url, replace, done) {
    this.#url = url;
    this.#session.visit(url, (taken, to = url) => {
      if (taken) done();
      else this.#navigator.go(to, replace);
    });
  }
}

/** A click that asks the browser for something else: another tab, a download. @param {MouseEvent} event */
export function isModified(event) {
  return event.button > 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
}
