/**
 * Steps from one rendering of a region to the next. Each names its node by the nearest element above it with an id and
 * the way down from there, and says what it expects to find: the length of a text, the tag of an element, how many
 * children there are. Whatever else is there (a script's doing) is a surprise, and the region is asked for whole; widgets of
 * extensions aren't counted. A change costs what it changes, however large the region is.
 */
import { isIgnored } from "./attribute.js";
import { ATTRIBUTES, CHILDREN, IGNORE, MORPH, STREAMED, TEXT } from "./constants.js";
import { list } from "./frame.js";
import { rememberFocus } from "./morph.js";
import { touch } from "./touch.js";

/** @typedef {import("./msgpack.js").Value} Value */

export class Ops {
  #morph;
  #toggles;
  #waiting;
  #foreign;

  /** @param {import("./morph.js").Morph} morph @param {import("./toggles.js").Toggles} toggles @param {import("./waiting.js").Waiting} waiting @param {import("./foreign.js").Foreign} foreign */
  constructor(morph, toggles, waiting, foreign) {
    this.#foreign = foreign;
    this.#morph = morph;
    this.#toggles = toggles;
    this.#waiting = waiting;
  }

  /** @param {Element} region @param {Value | undefined} ops @returns {boolean} false when something was not as expected */
  apply(region, ops) {
    return list(ops).every((op) => this.#step(region, list(op)));
  }

  /** @param {Element} region @param {Value[]} op */
  #step(region, [code, anchor, path, expected, value, at = 0, length = expected]) {
    /** @type {Node | null | undefined} */
    let node = typeof anchor === "string" ? document.getElementById(anchor) : region;
    if (!node || !region.contains(node)) return false;
    if (node !== region && isKept(/** @type {Element} */ (node))) return true;
    for (const at of list(path)) node = node && this.#foreign.without(node)[Number(at)];
    const stream = (code === CHILDREN && node instanceof Element ? node : node?.parentElement)?.closest(`[${STREAMED}]`);
    if (stream && region.contains(stream)) return true;
    if (code === TEXT) {
      if (!(node instanceof Text) || node.length !== expected) return false;
      touch(node);
      node.replaceData(Number(at), Number(length), String(value));
      return true;
    }
    if (!(node instanceof Element)) return false;
    if (code === ATTRIBUTES) return node.localName === expected && this.#attributes(node, list(value));
    if (code === MORPH) this.#morph.outer(node, String(expected));
    else return code === CHILDREN && this.#children(node, expected, list(value));
    return true;
  }

  /** @param {Element} element @param {Value[]} values names, each with its value or nothing */
  #attributes(element, values) {
    for (let at = 0; at < values.length; at += 2) {
      const [name, value] = [String(values[at]), values[at + 1]];
      if (isIgnored(element, name)) continue;
      touch(element, name);
      if (value === null) element.removeAttribute(name);
      else element.setAttribute(name, String(value));
    }
    // What says that the element waits for its answer is ours, and stays.
    this.#waiting.carry(element, element);
    return true;
  }

  /** @param {Element} parent @param {Value} expected how many children @param {Value[]} steps */
  #children(parent, expected, steps) {
    const old = [...this.#foreign.without(parent)];
    if (old.length !== expected) return false;
    const next = /** @type {ChildNode[]} */ ([]);
    const moved = new Set();
    let passed = 0;
    for (const step of steps) {
      if (typeof step === "string") next.push(...this.#parse(parent, step));
      else if (Array.isArray(step)) {
        const node = old[Number(step[0])];
        moved.add(node);
        next.push(node);
      } else {
        const count = Number(step);
        if (count > 0) next.push(...old.slice(passed, passed + count));
        passed += Math.abs(count);
      }
    }
    if (passed !== old.length || next.includes(/** @type {any} */ (undefined))) return false;
    touch(parent);
    const restore = rememberFocus();
    const stays = new Set(next);
    for (const node of old) if (!stays.has(node)) node.remove();
    let place = parent.firstChild;
    for (const node of next) {
      while (place && place !== node && (moved.has(place) || this.#foreign.has(place))) place = place.nextSibling;
      if (place === node) place = node.nextSibling;
      else move(parent, node, place);
    }
    restore();
    return true;
  }

  /** @param {Element} parent @param {string} html */
  #parse(parent, html) {
    const context = this.#morph.parse(parent, html);
    this.#toggles.learn(context);
    return context.childNodes;
  }
}

/** What is around it is no business of patches, or not now. @param {Element} element */
function isKept({ parentElement }) {
  return !!parentElement?.closest(`[${IGNORE}]`) || !!parentElement?.closest("[contenteditable]")?.contains(document.activeElement);
}

/** Without a reload of what plays or shows in it, where the browser can. @param {Element} parent @param {Node} node @param {Node | null} place */
export function move(parent, node, place) {
  if ("moveBefore" in parent && node.parentNode === parent) parent.moveBefore(node, place);
  else parent.insertBefore(node, place);
}
