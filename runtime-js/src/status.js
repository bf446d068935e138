/**
 * What the page shows of the connection: classes of the root, and DOM events `lv:*` that bubble from it. Notes for
 * screen readers go into an element of the runtime's own, outside the root, so that no patch removes it.
 */
import {
  CLASS_CONNECTED,
  CLASS_DISCONNECTED,
  CLASS_ERROR,
  CLASS_LOADING,
  EVENT_PREFIX,
  NOTE_ID,
} from "./constants.js";

/** How long a refused element shows it, in milliseconds. */
const REFUSED_FOR = 2_000;

/** @typedef {"loading" | "connected" | "disconnected"} State */
/** @typedef {{ code: string, message: string, stopped?: boolean }} Failure `stopped` says that it stays so */

export class Status {
  #root;
  /** What was told last. @type {State | undefined} */
  #told;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #quiet;

  /** @param {Element} root */
  constructor(root) {
    this.#root = root;
  }

  /** @param {State} state */
  set(state) {
    const { classList } = this.#root;
    classList.toggle(CLASS_CONNECTED, state === "connected");
    classList.toggle(CLASS_DISCONNECTED, state === "disconnected");
    classList.toggle(CLASS_LOADING, state === "loading");
    if (state === "connected") classList.remove(CLASS_ERROR);
    if (state === this.#told || state === "loading") return;
    this.#told = state;
    this.emit(state);
  }

  /** Something failed. @param {Failure} detail */
  error(detail) {
    if (detail.stopped) this.#root.classList.add(CLASS_ERROR);
    this.emit("error", detail);
  }

  /** Events that were sent, and that the server will never answer. @param {{ name: string, ref: number }[]} events */
  lost(events) {
    this.#root.classList.add(CLASS_ERROR);
    this.emit("lost", { events });
  }

  /**
   * An action that could not be sent and has no native form. A listener that shows this in its own way prevents the
   * default, which is a class on the element and a note.
   *
   * @param {Element} element @param {{ name: string, type: string }} detail
   */
  refused(element, detail) {
    if (!this.emit("refused", detail, element)) return;
    element.classList.add(CLASS_ERROR);
    this.#note("Not connected: this was not sent. Please try again.");
    setTimeout(() => element.classList.remove(CLASS_ERROR), REFUSED_FOR);
  }

  /** @param {string} name @param {object} [detail] @param {Element} [target] @returns {boolean} false when prevented */
  emit(name, detail = {}, target = this.#root) {
    return target.dispatchEvent(new CustomEvent(EVENT_PREFIX + name, { bubbles: true, cancelable: true, detail }));
  }

  /** @param {string} text */
  #note(text) {
    let note = document.getElementById(NOTE_ID);
    if (!note) {
      note = document.createElement("p");
      note.id = NOTE_ID;
      // A status that is new in the document isn't read out; an alert is.
      note.setAttribute("role", "alert");
      note.setAttribute("aria-live", "assertive");
      document.body.append(note);
    }
    note.textContent = text;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => note.remove(), REFUSED_FOR * 2);
  }
}
