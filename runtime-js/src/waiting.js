/**
 * Marks elements whose event waits for its answer: a class by event type, and `data-lv-disable-with`. The marks are the
 * client's own, so a patch that arrives in between neither removes them nor is undone when they go: `carry` puts them
 * on the incoming node and keeps that node's own content to restore.
 */
import { DISABLE_WITH, waitingClass } from "./constants.js";
import { attribute } from "./attribute.js";

/** @typedef {HTMLButtonElement | HTMLInputElement} Button */

export class Waiting {
  /** One mark an event. @type {Set<{ element: Element, name: string }>} */
  #marks = new Set();
  /** What disabled buttons go back to, and how many events hold them. @type {Map<Element, { label: Node[] | string, disabled: boolean, holders: number }>} */
  #disabled = new Map();

  /**
   * @param {string} type of the DOM event @param {Element} element @param {Iterable<Element>} buttons to disable if they ask for it
   * @returns {() => void} takes the marks away
   */
  begin(type, element, buttons) {
    const mark = { element, name: waitingClass(type) };
    this.#marks.add(mark);
    element.classList.add(mark.name);
    const held = [...buttons].filter(isButton).filter((button) => button.hasAttribute(DISABLE_WITH));
    for (const button of held) this.#disable(button);
    return () => {
      this.#unmark(mark);
      for (const button of held) this.#enable(button);
    };
  }

  /** Puts the marks of `old` on the node it is about to become. @param {Element} old @param {Element} next */
  carry(old, next) {
    for (const { element, name } of this.#marks) if (element === old) next.classList.add(name);
    const kept = this.#disabled.get(old);
    if (!kept || old.localName !== next.localName) return;
    const button = /** @type {Button} */ (next);
    kept.disabled = button.disabled;
    kept.label = relabel(button, attribute(next, DISABLE_WITH) ?? attribute(old, DISABLE_WITH) ?? "");
    button.disabled = true;
  }

  /** @param {{ element: Element, name: string }} mark */
  #unmark(mark) {
    this.#marks.delete(mark);
    const { element, name } = mark;
    for (const other of this.#marks) if (other.element === element && other.name === name) return;
    element.classList.remove(name);
    if (!element.classList.length) element.removeAttribute("class");
  }

  /** @param {Button} button */
  #disable(button) {
    const kept = this.#disabled.get(button);
    if (kept) kept.holders++;
    else {
      const disabled = button.disabled;
      this.#disabled.set(button, { disabled, holders: 1, label: relabel(button, attribute(button, DISABLE_WITH) ?? "") });
      button.disabled = true;
    }
  }

  /** @param {Button} button */
  #enable(button) {
    const kept = this.#disabled.get(button);
    if (!kept || --kept.holders) return;
    this.#disabled.delete(button);
    relabel(button, kept.label);
    button.disabled = kept.disabled;
  }
}

/** @param {Element} element @returns {element is Button} */
function isButton(element) {
  return element instanceof HTMLButtonElement || element instanceof HTMLInputElement;
}

/** Gives a button another label, and returns the one it had. @param {Button} button @param {Node[] | string} label */
function relabel(button, label) {
  if (button.localName === "input") {
    const old = attribute(button, "value") ?? "";
    if (typeof label === "string") button.setAttribute("value", label);
    return old;
  }
  const old = [...button.childNodes];
  button.replaceChildren(...(typeof label === "string" ? [label] : label));
  return old;
}
