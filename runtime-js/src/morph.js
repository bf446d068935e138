/**
 * Turns an element into what the server rendered, touching only what differs.
 *
 * The HTML is parsed in an inert document, inside a copy of the element that will hold it: rows parse in a table body,
 * circles in an SVG, images don't load and scripts are marked as already run. Old and new are then matched by idiomorph
 * (by ids, then by position). What belongs to the user is kept by `Fields` and `Toggles`, what waits for an answer by `Waiting`, and
 * a subtree under `data-lv-ignore` isn't looked at, and neither are attributes that `data-lv-ignore-attrs` names. Widgets of
 * extensions stay (`Foreign`), and so do the children of a stream. When both trees are equal, not one node is touched.
 */
import { Idiomorph } from "idiomorph";
import { isIgnored } from "./attribute.js";
import { IGNORE, STREAMED } from "./constants.js";
import { touch } from "./touch.js";

export class Morph {
  #fields;
  #toggles;
  #waiting;
  #foreign;
  #inert = document.implementation.createHTMLDocument("");

  /** @param {import("./fields.js").Fields} fields @param {import("./toggles.js").Toggles} toggles @param {import("./waiting.js").Waiting} waiting @param {import("./foreign.js").Foreign} foreign */
  constructor(fields, toggles, waiting, foreign) {
    this.#foreign = foreign;
    this.#fields = fields;
    this.#toggles = toggles;
    this.#waiting = waiting;
  }

  /** An element as the server rendered it, as far as that is known, where nothing of it comes alive. @param {Element} element @returns {Element} */
  copy(element) {
    const copy = this.#inert.importNode(element, true);
    this.#toggles.restore(element, copy);
    return copy;
  }

  /** Replaces what is inside `element`. @param {Element} element @param {string} html */
  inner(element, html) {
    this.turn(element, this.parse(element, html), true);
  }

  /** Replaces `element` itself. @param {Element} element @param {string} html of one element */
  outer(element, html) {
    const context = this.parse(/** @type {Element} */ (element.parentNode), html);
    if (context.firstElementChild) this.turn(element, context.firstElementChild);
  }

  /** Parses what `parent` is to hold, where nothing of it comes alive. @param {Element} parent @param {string} html @returns {Element} holds it */
  parse(parent, html) {
    const context = this.#inert.importNode(parent, false);
    context.innerHTML = html;
    return context;
  }

  /** @param {Element} old @param {Element} next where it was parsed @param {boolean} [whole] also what is in it, if it is a stream */
  turn(old, next, whole) {
    const parent = /** @type {Element} */ (old.parentNode);
    // What a template holds is compared by nothing but a look at it.
    const equal = old.isEqualNode(next) && !(next.parentElement ?? next).querySelector("template");
    if (!equal) {
      // A parent keeps idiomorph from moving the new tree into this document, where it would come alive.
      if (!next.parentNode) this.#inert.createElement("div").append(next);
      const restore = rememberFocus();
      Idiomorph.morph(old, next, { callbacks: this.#callbacks(whole ? old : null) });
      restore();
    }
    this.#toggles.learn(old.isConnected ? old : parent, equal);
  }

  /** @param {Element | null} whole */
  #callbacks(whole) {
    /** @type {Map<Node, () => void>} */
    const after = new Map();
    return {
      /** @param {Node} old @param {Node} next */
      beforeNodeMorphed: (old, next) => {
        if (!(old instanceof Element && next instanceof Element)) return true;
        if (old.hasAttribute(IGNORE) || isEditing(old)) return false;
        this.#foreign.adopt(old);
        this.#waiting.carry(old, next);
        this.#toggles.sync(old, next);
        const rest = this.#fields.sync(old, next);
        if (rest) after.set(old, rest);
        return true;
      },
      changing: touch,
      /** @param {Element} old @param {Element} next or other nodes, which have no attributes */
      keepsChildren: (old, next) => old !== whole && old.hasAttribute?.(STREAMED) && next.hasAttribute(STREAMED),
      /** @param {Node} old */
      beforeNodeRemoved: (old) => {
        if (this.#foreign.has(old)) return false;
        touch(old.parentNode);
        return true;
      },
      /** @param {Node} old */
      afterNodeMorphed: (old) => after.get(old)?.(),
      /** @param {string} name @param {Element} element */
      beforeAttributeUpdated: (name, element) => {
        if (this.#fields.owns(name, element) || isIgnored(element, name)) return false;
        touch(element, name);
        return true;
      },
    };
  }
}

/** The user is writing in this rich text. @param {Element} element */
function isEditing(element) {
  return element instanceof HTMLElement && element.isContentEditable && element.contains(document.activeElement);
}

/**
 * Moves take focus and selection away in some browsers, whatever is done to keep the focused element in place.
 *
 * @returns {() => void} puts both back, if they got lost and the element is still there
 */
export function rememberFocus() {
  const active = document.activeElement;
  const text = active instanceof HTMLInputElement || active instanceof HTMLTextAreaElement ? active : null;
  const selection = text && /** @type {const} */ ([text.selectionStart, text.selectionEnd, text.selectionDirection ?? undefined]);
  return () => {
    if (!(active instanceof HTMLElement) || !active.isConnected || active === document.body) return;
    if (document.activeElement !== active) active.focus({ preventScroll: true });
    // Inputs without a selection (numbers, e-mail) answer null.
    if (!text || !selection || selection[0] === null) return;
    if (text.selectionStart !== selection[0] || text.selectionEnd !== selection[1]) text.setSelectionRange(...selection);
  };
}
