/**
 * `open` of details and dialogs. It is no property beside an attribute: the user's toggling changes the attribute
 * itself. So what the server said is remembered, and shown again only when the server says something else.
 */
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

  /** Brings `next`'s word into `old`. @param {Element} old @param {Element} next */
  sync(old, next) {
    if (!(old instanceof HTMLDetailsElement || old instanceof HTMLDialogElement)) return;
    const was = this.#said.get(old) ?? old.hasAttribute("open");
    const now = next.hasAttribute("open");
    this.#said.set(old, now);
    if (was === now || old.open === now) return;
    // A modal dialog that only lost its attribute would leave the page inert.
    if (old instanceof HTMLDialogElement && !now) old.close();
    else old.toggleAttribute("open", now);
  }
}
