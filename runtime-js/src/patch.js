/**
 * Applies what the server sends for a page: regions, title, commands, all of one frame in one turn, so that nobody
 * sees half of it. A region that is not here, or is written in a way that this client doesn't know, is asked for whole.
 */
import { INNER, OUTER, ROOT_ID, STEPS, STREAM } from "./constants.js";
import { list } from "./frame.js";
import { rememberFocus } from "./morph.js";

/** @typedef {import("./msgpack.js").Value} Value */

export class Patcher {
  #root;
  #morph;
  #ops;
  #navigator;
  #debug;
  #foreign;
  #streams;
  #hooks;
  /** Draws over what the server renders. @type {import("./index.js").Local | undefined} */
  local;
  /** True while the document changes by our own hand: focus that moves now was not moved by the user. */
  busy = false;

  /**
   * @param {Element} root @param {import("./morph.js").Morph} morph @param {import("./ops.js").Ops} ops
   * @param {import("./navigator.js").Navigator} navigator @param {import("./debug.js").Debug} debug
   * @param {import("./foreign.js").Foreign} foreign @param {import("./streams.js").Streams} streams @param {import("./hooks.js").Hooks} hooks
   */
  constructor(root, morph, ops, navigator, debug, foreign, streams, hooks) {
    this.#foreign = foreign;
    this.#streams = streams;
    this.#hooks = hooks;
    this.#root = root;
    this.#morph = morph;
    this.#ops = ops;
    this.#navigator = navigator;
    this.#debug = debug;
  }

  /**
   * @param {Value | undefined} regions @param {Value | undefined} title @param {Value | undefined} commands
   * @returns {string[]} the regions to ask for
   */
  apply(regions, title, commands) {
    /** @type {Set<string>} */
    const missing = new Set();
    const patches = list(regions).map(list);
    const restore = rememberFocus();
    this.during(() => {
      this.local?.before(patches.map(([id]) => String(id)));
      try {
        for (const [id, kind, html] of patches) {
          const unknown = this.#region(String(id), kind, html);
          if (unknown) missing.add(unknown);
        }
      } finally {
        this.local?.after();
        // What was drawn had to wait elsewhere, perhaps.
        if (document.activeElement === document.body) restore();
      }
    });
    if (typeof title === "string" && title !== document.title) document.title = title;
    this.run(commands);
    return [...missing];
  }

  /** Changes the document by our own hand; what is drawn over a patch is part of it. @param {() => void} change */
  during(change) {
    if (this.busy) return change();
    this.busy = true;
    this.#foreign.during(change, (records) => {
      this.busy = false;
      this.#hooks.changed(records);
    });
  }

  /** What `draw` turns an element back with. @param {Element} element */
  copy(element) {
    return this.#morph.copy(element);
  }

  /** Turns an element into another one, as a patch does. @param {Element} element @param {Element} next */
  draw(element, next) {
    if (!element.isEqualNode(next)) this.#morph.outer(element, next.outerHTML);
  }

  /** @param {Value | undefined} commands names with their arguments; unknown ones are for newer clients */
  run(commands) {
    for (const command of list(commands)) {
      const [name, ...args] = list(command);
      const first = String(args[0]);
      if (name === "redirect") this.#navigator.go(first, args[1] === true);
      else if (name === "title") document.title = first;
      else if (name === "debug") this.#debug.note(args[0]);
      else if (name === "focus") this.#focus(first);
    }
  }

  /** @param {string} id @param {Value | undefined} kind @param {Value | undefined} html @returns {string | undefined} the region to ask for instead */
  #region(id, kind, html) {
    const element = document.getElementById(id);
    // What is not here can't be asked for alone: where it belongs is not here either.
    if (!element || !this.#root.contains(element)) return ROOT_ID;
    if (kind === STEPS) return this.#ops.apply(element, html) ? undefined : id;
    if (kind === STREAM) return this.#streams.apply(element, html) ? undefined : id;
    if (typeof html !== "string") return id;
    if (kind === INNER) this.#morph.inner(element, html);
    else if (kind === OUTER) this.#morph.outer(element, html);
    else return id;
  }

  /** @param {string} selector */
  #focus(selector) {
    const element = document.querySelector(selector);
    if (element instanceof HTMLElement) element.focus();
  }
}
