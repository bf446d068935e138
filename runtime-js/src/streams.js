/**
 * Keyed children that the server sends once and doesn't keep, in an element with `data-lv-stream`. Each step names its items by what it
 * brings: an item with an id that is here already turns into the new one and keeps what a person does in it. Morphs and steps of what
 * is around leave the items alone; whoever asks for such a region whole gets none of them.
 *
 * A step that can't be read doesn't keep the next ones from being done, since nobody could send them again.
 */
import { attribute } from "./attribute.js";
import { APPEND, CLEAR, IGNORE, INSERT, PREPEND, REMOVE, STREAMED, UPSERT } from "./constants.js";
import { list } from "./frame.js";
import { move } from "./ops.js";
import { touch } from "./touch.js";

/** @typedef {import("./msgpack.js").Value} Value */

export class Streams {
  #morph;
  #toggles;
  #foreign;

  /** @param {import("./morph.js").Morph} morph @param {import("./toggles.js").Toggles} toggles @param {import("./foreign.js").Foreign} foreign */
  constructor(morph, toggles, foreign) {
    this.#morph = morph;
    this.#toggles = toggles;
    this.#foreign = foreign;
  }

  /** @param {Element} stream @param {Value | undefined} ops @returns {boolean} false when something was not as expected */
  apply(stream, ops) {
    if (!stream.hasAttribute(STREAMED)) return false;
    if (stream.closest(`[${IGNORE}]`)) return true;
    return !list(ops).filter((op) => !this.#step(stream, list(op))).length;
  }

  /** @param {Element} stream @param {Value[]} op */
  #step(stream, [code, value, at, limit]) {
    if (code === CLEAR || code === REMOVE) {
      drop(code === CLEAR ? [...this.#foreign.without(stream)] : [itemOf(stream, value)]);
      return true;
    }
    const front = code === PREPEND || code === INSERT;
    if (!front && code !== APPEND && code !== UPSERT) return false;
    const context = this.#morph.parse(stream, String(value));
    const next = [...context.children];
    if (!next.length || !next.every((item) => attribute(item, "id"))) return false;
    this.#toggles.learn(context);
    const items = next.map((item) => this.#turned(stream, item));
    const others = front ? this.#items(stream).filter((item) => !items.includes(item)) : [];
    const place = others[code === INSERT ? Number(at) : 0] ?? null;
    for (const item of items) {
      if (item.parentNode === stream && (code === UPSERT || item.nextSibling === place)) continue;
      touch(stream);
      move(stream, item, place);
    }
    const most = Number(code === INSERT ? limit : at);
    if (most > 0) {
      const all = this.#items(stream);
      drop(front ? all.slice(most) : all.slice(0, -most));
    }
    return true;
  }

  /** The item that is here already, as the new one, or that itself. @param {Element} stream @param {Element} next */
  #turned(stream, next) {
    const id = attribute(next, "id");
    const old = itemOf(stream, id);
    if (old) this.#morph.turn(old, next);
    // Of another tag it is another element by now.
    return itemOf(stream, id) ?? next;
  }

  /** @param {Element} stream */
  #items(stream) {
    return [...this.#foreign.without(stream)].filter((node) => node instanceof Element);
  }
}

/** @param {Element} stream @param {Value} id @returns {Element | null | undefined} */
function itemOf(stream, id) {
  const item = document.getElementById(String(id));
  // Elsewhere there may be another one: what goes from one stream to the next is in both between their steps.
  return item && [item, ...(item.parentNode === stream ? [] : stream.children)].find((one) => one.parentNode === stream && attribute(one, "id") === String(id));
}

/** @param {(ChildNode | null | undefined)[]} nodes */
function drop(nodes) {
  for (const node of nodes) {
    touch(node?.parentNode);
    node?.remove();
  }
}
