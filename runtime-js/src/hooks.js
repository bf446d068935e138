/**
 * What scripts of the page do with elements that the server renders: `data-lv-hook="Chart"`, and `live.hook("Chart", { mounted() {} })`.
 *
 * An element is mounted once it is on a joined page and its hook is registered, whichever comes last, and destroyed when it is there no
 * more, or its attribute names another hook. Both happen at the end of a patch, where one that was only moved is still there; hooks
 * hear that they were updated after that, all in the turn of the patch. Only `beforeUpdate` is called in between, right before the
 * first change of the element or of what is in it.
 */
import { attribute } from "./attribute.js";
import { HOOK } from "./constants.js";
import { call, mounted, renamed, touched } from "./touch.js";

/**
 * @typedef {object} Hook what to do on each occasion, all of it optional. `this.element` is the element as well, and what else is put
 *   into `this` belongs to this element.
 * @property {(this: Life, element: Element) => void} [mounted] it is on the page
 * @property {(this: Life, element: Element) => void} [beforeUpdate] a patch is about to change it, or something in it; followed by
 *   `updated` or `destroyed`
 * @property {(this: Life, element: Element) => void} [updated] a patch has
 * @property {(this: Life, element: Element) => void} [destroyed] it is no longer on the page
 * @property {(this: Life, element: Element) => void} [disconnected] the page has lost its session
 * @property {(this: Life, element: Element) => void} [reconnected] the page is joined again
 */

/** @typedef {Hook & { element: Element, [own: string]: any }} Life a hook with its element */

export class Hooks {
  #root;
  /** @type {Map<string | null, Hook>} */
  #known = new Map();
  /** The page was joined. */
  #joined = false;
  /** Those that heard of a disconnect. @type {Life[]} */
  #away = [];

  /** @param {Element} root */
  constructor(root) {
    this.#root = root;
  }

  /** @param {string} name @param {Hook} hook */
  add(name, hook) {
    this.#known.set(name, hook);
    this.#settle([this.#root]);
  }

  connected() {
    for (const life of this.#away.splice(0)) if (mounted.get(life.element) === life) call(life, "reconnected");
    this.#joined = true;
    this.#settle([this.#root]);
  }

  disconnected() {
    this.#away = [...mounted.values()];
    for (const life of this.#away) call(life, "disconnected");
  }

  /** The page was changed by our own hand. @param {MutationRecord[]} records */
  changed(records) {
    if (this.#known.size) this.#settle([...renamed, ...records.flatMap(({ addedNodes }) => [...addedNodes])]);
    renamed.clear();
  }

  /** @param {Node[]} nodes that may be new here */
  #settle(nodes) {
    const updated = [...touched];
    touched.clear();
    for (const [node, life] of mounted) {
      if (node.isConnected && this.#of(life.element)?.isPrototypeOf(life)) continue;
      mounted.delete(node);
      call(life, "destroyed");
    }
    for (const node of this.#joined ? nodes : []) {
      if (!(node instanceof Element)) continue;
      for (const element of [node, ...node.querySelectorAll(`[${HOOK}]`)]) {
        const hook = element.isConnected && !mounted.has(element) && this.#of(element);
        if (!hook) continue;
        const life = Object.assign(Object.create(hook), { element });
        mounted.set(element, life);
        call(life, "mounted");
      }
    }
    for (const life of updated) if (mounted.get(life.element) === life) call(life, "updated");
  }

  /** @param {Element} element */
  #of(element) {
    return this.#known.get(attribute(element, HOOK));
  }
}
