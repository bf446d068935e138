/** Classes of elements whose mutations are not settled: `data-lv-optimistic`. */
import { OPTIMISTIC } from "./constants.js";
import { words } from "./values.js";

export class Marks {
  /** @type {Set<{ element: Element, names: string[], added: string[] }>} */
  #marks = new Set();

  /** @param {Element} element @param {Promise<unknown>} settled */
  begin(element, settled) {
    const names = words(element, OPTIMISTIC);
    if (!names.length) return;
    const mark = { element, names, added: [] };
    this.#marks.add(mark);
    this.draw();
    const end = () => {
      this.withdraw();
      this.#marks.delete(mark);
      this.draw();
    };
    settled.then(end, end);
  }

  /** Takes away what was added. */
  withdraw() {
    for (const { element, added } of this.#marks) {
      element.classList.remove(...added.splice(0));
      if (!element.classList.length) element.removeAttribute("class");
    }
  }

  /** Adds what isn't there by itself. */
  draw() {
    for (const { element, names, added } of this.#marks) {
      added.push(...names.filter((name) => !element.classList.contains(name)));
      element.classList.add(...added);
    }
  }
}
