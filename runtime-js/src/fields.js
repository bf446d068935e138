/**
 * Whose word counts in a form control: the user's or the server's.
 *
 * An attribute (`value`, `checked`, `selected`) is what the server rendered last; the property beside it is what the
 * user made of it. The rule: *the property stays, unless the attribute changed between two renderings*. Then the server
 * has something new to say, and it is shown at once, except in a control that is busy:
 *
 * - it is focused and holds text (the caret would jump under the fingers), or an input method is composing in it;
 * - its newest input is not acknowledged: it waits for its debounce, or is on its way to the server;
 * - the user wrote text in it, and none of that was sent: what the server says it says without knowing of it, and a submit has to send
 *   what the user sees.
 *
 * A busy control takes the attribute and keeps the property. What it shows is remembered, and when it is busy no
 * longer and still shows that, the attribute is shown. If it shows something else by then, the user was faster and wins.
 */
import { copyAttribute } from "./attribute.js";
import { choose, defaults, detach, differs, isCheckable, isControl, shown, showDefault } from "./controls.js";
import { Listener } from "./listener.js";
import { touch } from "./touch.js";

/** @typedef {import("./controls.js").Control} Control */
/** @typedef {import("./controls.js").Text} Text */

/** Attributes that the morph leaves alone, with the tags they are left alone on. */
const OWNED = /^(input (value|checked)|textarea value|option selected|(details|dialog) open)$/;

/** Types of controls that hold no text and no open list: focus doesn't keep the server from changing them, nor does what was not sent. */
const SIMPLE = /^(checkbox|radio|hidden|submit|button|reset|image)$/;

export class Fields extends Listener {
  /** Controls with unacknowledged input; the reference of the event that carries it, infinite until it is sent. @type {Map<Control, number>} */
  #newer = new Map();
  /** Controls that took an attribute while busy, and what they showed. @type {Map<Control, string>} */
  #deferred = new Map();
  /** Controls that the user changed, and the server didn't since. @type {WeakSet<Element>} */
  #touched = new WeakSet();
  /** Those of which the server knows what the user made of them. @type {WeakSet<Element>} */
  #told = new WeakSet();
  /** The server starts anew and knows nothing of what the user wrote. */
  #keeping = false;
  /** @type {EventTarget | null} */
  #composing = null;

  /** @override @param {{ signal: AbortSignal }} options */
  listen(options) {
    // Before anybody sends it.
    document.addEventListener("input", ({ target }) => this.#changed(target), { ...options, capture: true });
    document.addEventListener("compositionstart", ({ target }) => (this.#composing = target), options);
    document.addEventListener("compositionend", () => this.#release(), options);
    document.addEventListener("focusout", () => this.#release(), options);
  }

  /** The user changed a control whose input is going to be sent. @param {EventTarget | null} control */
  edited(control) {
    if (!isControl(control)) return;
    this.#newer.set(control, Infinity);
    // The answer to this input decides, and not a race with what was put off before.
    if (this.#deferred.has(control)) this.#deferred.set(control, shown(control));
  }

  /** The newest input of these controls travels with event `ref`. @param {Control[]} controls @param {number} ref */
  sent(controls, ref) {
    for (const control of controls) {
      this.#told.add(control);
      if (this.#newer.has(control)) this.#newer.set(control, ref);
    }
  }

  /** The server has seen event `ref`, or never will. @param {number} ref */
  answered(ref) {
    for (const [control, newest] of this.#newer) {
      if (newest === ref || !control.isConnected) this.#newer.delete(control);
    }
    this.settle();
  }

  /** Shows what was put off, where nothing is in the way any more. */
  settle() {
    for (const [control, before] of this.#deferred) {
      if (this.#busy(control)) continue;
      if (control.isConnected && shown(control) === before && !this.#unheard(control)) this.#show(control);
      else this.#deferred.delete(control);
    }
  }

  /**
   * Applies the HTML of a fresh mount: it knows nothing of what the user wrote, so all of that stays.
   *
   * @param {() => void} apply
   */
  keeping(apply) {
    this.#keeping = true;
    apply();
    this.#keeping = false;
  }

  /** The user's input differs from what the server rendered. @param {Control} control */
  unsaved(control) {
    return this.#touched.has(control) && differs(control);
  }

  /**
   * A submit hands the input over: what the user has not touched since shows what the server renders now, as it would
   * after the redirect of a native submit. Files stay, and so does a composition.
   *
   * @param {Control[]} controls
   * @returns {() => void} to call when the server has accepted the submit
   */
  handOver(controls) {
    const before = new Map(controls.map((control) => [control, shown(control)]));
    return () => {
      for (const [control, text] of before) {
        if (this.#newer.has(control) || control === this.#composing || shown(control) !== text) continue;
        this.#show(control);
      }
    };
  }

  /** @param {string} name @param {Element} element */
  owns(name, element) {
    return OWNED.test(`${element.localName} ${name}`);
  }

  /**
   * Brings `next`'s word into `old`, before the rest of it is morphed.
   *
   * @param {Element} old @param {Element} next
   * @returns {(() => void) | undefined} what remains to be done after the children were morphed
   */
  sync(old, next) {
    if (old instanceof HTMLSelectElement) return this.#select(old, /** @type {HTMLSelectElement} */ (next));
    if (old instanceof HTMLOptionElement) copyAttribute(old, next, "selected");
    else if (isControl(old)) this.#control(/** @type {Text} */ (old), /** @type {Text} */ (next));
  }

  /** @param {Text} old @param {Text} next */
  #control(old, next) {
    // First of all: what the rest means depends on it.
    if (old instanceof HTMLInputElement) copyAttribute(old, next, "type");
    if (isCheckable(old)) {
      const changed = old.hasAttribute("checked") !== next.hasAttribute("checked");
      if (changed) this.#take(old, () => copyAttribute(old, next, "checked"));
    } else if (old.type !== "file" && old.defaultValue !== next.defaultValue) {
      this.#take(old, () => (old.defaultValue = next.defaultValue));
    }
    // An empty attribute and none show the same, but are different HTML; a checkbox's value is nothing else, as is a text that is checked.
    for (const name of ["value", "checked"]) if (old instanceof HTMLInputElement) copyAttribute(old, next, name);
  }

  /** Writes the attribute, and shows it unless the control is busy. @param {Text} control @param {() => void} write */
  #take(control, write) {
    touch(control);
    if (!this.#keeps(control)) {
      write();
      return this.#show(control);
    }
    this.#defer(control, shown(control));
    detach(control);
    write();
  }

  /** @param {Control} control @param {string} before */
  #defer(control, before) {
    if (!this.#keeping) this.#deferred.set(control, before);
  }

  /** Shows what the server says. @param {Control} control */
  #show(control) {
    this.#deferred.delete(control);
    this.#touched.delete(control);
    showDefault(control);
  }

  /** @param {HTMLSelectElement} old @param {HTMLSelectElement} next */
  #select(old, next) {
    const before = shown(old);
    const changed = defaults(old) !== defaults(next);
    return () => {
      if (changed && !this.#keeps(old)) return this.#show(old);
      if (changed) this.#defer(old, before);
      choose(old, JSON.parse(before));
    };
  }

  /** @param {EventTarget | null} control */
  #changed(control) {
    if (!isControl(control)) return;
    this.#touched.add(control);
    this.#told.delete(control);
  }

  /** The user wrote what the server has not seen: what it says, it says without knowing of it. @param {Control} control */
  #unheard(control) {
    return !SIMPLE.test(control.type) && control.localName !== "select" && this.unsaved(control) && !this.#told.has(control);
  }

  /** @param {Control} control */
  #keeps(control) {
    return this.#busy(control) || this.#unheard(control);
  }

  /** @param {Control} control */
  #busy(control) {
    if (this.#newer.has(control) || control === this.#composing) return true;
    if (this.#keeping && this.#touched.has(control)) return true;
    return control === document.activeElement && !SIMPLE.test(control.type);
  }

  /** The user left a control, or a composition ended. */
  #release() {
    this.#composing = null;
    this.settle();
  }
}
