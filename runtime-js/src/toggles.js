/**
 * `open` of details and dialogs. It is no property beside an attribute: the user's toggling changes the attribute
 * itself. So what the server said is remembered, and shown again only when the server says something else.
 */
import { touch } from "./touch.js";

export class Toggles {
  /** What the server said about `open`. @type {WeakMap<Element, boolean>} */
  #said = new WeakMap();

  /**
   * Remembers what the server said about `open`: for elements that are new here, or all of them.
   *
   * @param {Element} region @param {boolean} [all]
   */
  learn(region, all) {
    for (const element of region.querySelectorAll("details, dialog")) {
      if (all || !this.#said.has(element)) this.#said.set(element, element.hasAttribute("open"));
    }
  }

  /** Takes the user's toggling out of a copy. @param {Element} element @param {Element} copy */
  restore(element, copy) {
    const copies = all(copy);
    for (const [at, original] of all(element).entries()) copies[at].toggleAttribute("open", !!this.#said.get(original));
  }

  /** Brings `next`'s word into `old`. @param {Element} old @param {Element} next */
  sync(old, next) {
    if (!(old instanceof HTMLDetailsElement || old instanceof HTMLDialogElement)) return;
    const was = this.#said.get(old) ?? old.hasAttribute("open");
    const now = next.hasAttribute("open");
    this.#said.set(old, now);
    if (was === now || old.open === now) return;
    touch(old);
    // A modal dialog that only lost its attribute would leave the page inert.
    if (old instanceof HTMLDialogElement && !now) old.close();
    else old.toggleAttribute("open", now);
  }
}

/** Elements that open, itself included. @param {Element} element @returns {Element[]} */
function all(element) {
  return [element, ...element.querySelectorAll("*")].filter(({ localName }) => localName === "details" || localName === "dialog");
}
