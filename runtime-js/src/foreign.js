/**
 * Elements that others put among the server's: the widgets of password managers and spelling checkers. They stay where they are,
 * and patches count as if they were not there.
 *
 * Such widgets are custom elements, which keep their inside to themselves. What else a script adds is for the server's next word to
 * undo, as what a person writes into rich text is. A node that was taken out and comes back is no stranger.
 */
export class Foreign {
  /** @type {WeakSet<Node>} */
  #known = new WeakSet();
  /** @type {WeakSet<Node>} */
  #foreign = new WeakSet();
  #any = false;
  #observer = new MutationObserver((records) => this.#note(records));

  /** @param {Element} root of the page, as the server sent it */
  constructor(root) {
    this.#observer.observe(root, { childList: true, subtree: true });
  }

  /** Runs what changes the page by our own hand. @param {() => void} change @param {(records: MutationRecord[]) => void} after hears what was changed */
  during(change, after) {
    this.#note(this.#observer.takeRecords());
    try {
      change();
    } finally {
      after(this.#observer.takeRecords());
    }
  }

  /** @param {Node} node */
  has(node) {
    return this.#foreign.has(node);
  }

  /** The server has this one now, too. @param {Node} node */
  adopt(node) {
    this.#foreign.delete(node);
  }

  /** The children that are the server's. @param {Node} parent @returns {ChildNode[] | NodeListOf<ChildNode>} */
  without(parent) {
    // Most pages have no strangers, and lists may be long.
    return this.#any ? [...parent.childNodes].filter((node) => !this.has(node)) : parent.childNodes;
  }

  /** @param {MutationRecord[]} records */
  #note(records) {
    for (const { addedNodes, removedNodes } of records) {
      for (const node of removedNodes) this.#known.add(node);
      for (const node of addedNodes) {
        if (!node.nodeName.includes("-") || this.#known.has(node)) continue;
        this.#foreign.add(node);
        this.#any = true;
      }
    }
  }
}
