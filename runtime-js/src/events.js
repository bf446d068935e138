/**
 * From DOM events to events of the page. A few listeners on the root serve all elements, whenever they were added: the
 * nearest element with `data-lv-<type>` is asked for the event's name, its values, its target and its pace. What happens
 * elsewhere reaches the elements that ask for it: keys and focus of the window, clicks outside of them.
 *
 * While the page is joined an event is sent and the browser's own reaction is prevented where it would compete (a
 * submit, a link). While it is not, a submit and a link go their native way; changed input stays and is sent on joining;
 * the rest is refused, and the user is told so.
 *
 * An element that names a mutation is offered to the local store first, joined or not. What is taken there is no event.
 */
import {
  AWAY,
  CONFIRM,
  DEBOUNCE,
  EVENT_FIELD,
  FORM_ID,
  KEY,
  MUTATE,
  PREFIX,
  PREVENT,
  SUBMIT,
  THROTTLE,
  WINDOW,
} from "./constants.js";
import { attribute } from "./attribute.js";
import { isControl } from "./controls.js";
import { bound, controlsOf, fieldsOf, hasFiles, valuesOf } from "./forms.js";
import { isModified } from "./links.js";
import { Listener } from "./listener.js";

/** @typedef {import("./sender.js").Happening} Happening */

/** A native submit that loads no other page (a download) leaves this one unconnected for so many milliseconds. */
const RETURN = 10_000;

/** What a click is about: the nearest of these. */
const CLICKED = `[${MUTATE}]:not(form), [${PREFIX}click], a, button, input, label, select, textarea`;

/** A server that doesn't answer within so many milliseconds is not there. */
const PROBE = 5_000;

export class Events extends Listener {
  #root;
  #session;
  #patcher;
  #fields;
  #pace;
  #fallback;
  #sender;
  /** The form that is submitted natively, as the server has just answered. @type {HTMLFormElement | undefined} */
  #answered;
  /** Takes mutations. @type {import("./index.js").Local | undefined} */
  local;

  /**
   * @param {HTMLElement} root @param {import("./session.js").Session} session @param {import("./patch.js").Patcher} patcher
   * @param {import("./fields.js").Fields} fields @param {import("./pace.js").Pace} pace
   * @param {import("./fallback.js").Fallback} fallback @param {import("./sender.js").Sender} sender
   */
  constructor(root, session, patcher, fields, pace, fallback, sender) {
    super();
    this.#root = root;
    this.#session = session;
    this.#patcher = patcher;
    this.#fields = fields;
    this.#pace = pace;
    this.#fallback = fallback;
    this.#sender = sender;
  }

  /** @override @param {{ signal: AbortSignal }} options */
  listen(options) {
    const root = this.#root;
    root.addEventListener("click", (event) => this.#click(event), options);
    root.addEventListener("change", (event) => this.#input(event), options);
    root.addEventListener("input", (event) => this.#input(event), options);
    root.addEventListener("focusin", (event) => this.#focus(event, "focus"), options);
    root.addEventListener("focusout", (event) => this.#focus(event, "blur"), options);
    // Keys that no element of the page has the focus for go to the document.
    document.addEventListener("keydown", (event) => this.#key(event), options);
    document.addEventListener("keyup", (event) => this.#key(event), options);
    document.addEventListener("click", (event) => this.#aside(event, AWAY), options);
    for (const type of ["focus", "blur"]) window.addEventListener(type, (event) => this.#aside(event, WINDOW + type), options);
    // The last to hear of a submit, so that a listener of the page can prevent it.
    window.addEventListener("submit", (event) => this.#submit(event), options);
  }

  /** The page is joined: sends what waited for that, and after a fresh mount also what the new session can't know. @param {boolean} fresh */
  resume(fresh) {
    if (fresh) this.#recover();
    this.#pace.retry();
  }

  #recover() {
    /** @type {Set<Element>} */
    const told = new Set();
    for (const control of this.#root.querySelectorAll("input, textarea, select")) {
      if (!isControl(control) || !this.#fields.unsaved(control)) continue;
      for (const type of ["input", "change"]) {
        const element = bound(control, type);
        if (!element || told.has(element)) continue;
        told.add(element);
        this.#fields.edited(control);
        this.#sender.send(happening(type, element, control));
      }
    }
    this.#pace.cancel(({ element }) => told.has(element));
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const target = /** @type {Element} */ (event.target);
    if (event.defaultPrevented || refused(event, target.closest(`[${CONFIRM}]:not(form)`))) return;
    const link = target.closest("a[href]");
    if (link && isModified(event)) return;
    /** @type {HTMLButtonElement | HTMLInputElement | null} */
    const button = target.closest("button:not([type=button], [type=reset]), input[type=submit], input[type=image]");
    // A button of a form with fields is heard of when that is submitted.
    if ((!button?.form || attribute(button.form, "id") === FORM_ID) && this.#take(target.closest(CLICKED))) {
      if (link || button) event.preventDefault();
      return;
    }
    const element = bound(target, "click");
    if (!element) return;
    if (!this.#session.joined && (link || (button && attribute(button, "name") === EVENT_FIELD))) return;
    if (link || button) event.preventDefault();
    this.#happened(event, happening("click", element, target));
  }

  /** @param {SubmitEvent} event */
  #submit(event) {
    const { submitter } = event;
    const form = /** @type {HTMLFormElement} */ (event.target);
    const button = attribute(form, "id") === FORM_ID ? submitter : null;
    const mutating = submitter?.hasAttribute(MUTATE) ? submitter : attribute(form, MUTATE) !== null && form;
    const ours = this.#root.contains(button ?? form) && (button || mutating || form.hasAttribute(SUBMIT));
    if (event.defaultPrevented || !ours) return;
    const named = submitter && attribute(submitter, "name") === EVENT_FIELD ? attribute(submitter, "value") : null;
    const name = named ?? attribute(form, SUBMIT);
    if ((name === null && !mutating) || refused(event, form)) return;
    const element = button ?? form;
    if (mutating && !hasFiles(form) && this.#take(mutating, form, submitter)) {
      event.preventDefault();
      return this.#cancel(form);
    }
    if (name === null) return;
    const happening = { type: button ? "click" : "submit", element, name, control: element, submitter };
    if (this.#session.joined && !hasFiles(form)) {
      event.preventDefault();
      this.#cancel(form);
      this.#pace.flush(isInput);
      this.#sender.send(happening);
    } else if (this.#session.away && this.#fallback.accepts(form, submitter) && this.#answered !== form) {
      event.preventDefault();
      this.#probe(form, happening);
    } else if (this.#fallback.accepts(form, submitter)) {
      // Files only travel natively; the server adopts the session once the socket let go of it.
      this.#session.pause(RETURN);
      this.#fallback.submit(form, name, valuesOf(element, submitter));
    } else {
      event.preventDefault();
      this.#sender.refuse(happening);
    }
  }

  /**
   * Offers a mutation to the local store.
   *
   * @param {Element | null} element that names it, perhaps @param {HTMLFormElement} [form] @param {HTMLElement | null} [submitter]
   */
  #take(element, form, submitter) {
    if (!this.local || !element?.hasAttribute(MUTATE)) return false;
    const controls = form ? controlsOf(form) : [];
    const show = this.#fields.handOver(controls);
    return this.local.take({
      element,
      values: valuesOf(form ?? element, submitter),
      fields: form ? fieldsOf(form, submitter) : [],
      accepted: () => {
        // No event has this reference: the input went another way.
        this.#fields.sent(controls, 0);
        this.#fields.answered(0);
        show();
      },
    });
  }

  /** What waits to be sent of a form is sent with it. @param {HTMLFormElement} form */
  #cancel(form) {
    this.#pace.cancel(({ control, element }) => element === form || (isControl(control) && control.form === form));
  }

  /**
   * Submits natively only when the server answers: where it doesn't, the browser's own error page would take the place of
   * this one, with all that was typed.
   *
   * @param {HTMLFormElement} form @param {Happening & { submitter: HTMLElement | null }} happening
   */
  #probe(form, happening) {
    fetch(import.meta.url, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PROBE) }).then(
      () => {
        this.#answered = form;
        HTMLFormElement.prototype.requestSubmit.call(form, happening.submitter);
        this.#answered = undefined;
      },
      () => this.#sender.refuse(happening),
    );
  }

  /** Of `change` and `input`. @param {Event} event */
  #input({ target, type }) {
    const element = bound(target, type);
    if (!element || !isControl(target)) return;
    this.#fields.edited(target);
    const run = () => this.#session.joined && this.#sender.send(happening(type, element, target));
    this.#pace.call({ control: target, element, type, run }, paceOf(target, element));
  }

  /** Of `keydown` and `keyup`. A key that an input method uses up was not meant for the page. @param {KeyboardEvent} event */
  #key(event) {
    const { target, type, key } = event;
    if (event.isComposing) return;
    /** @param {Element} element */
    const wants = (element) => {
      const filter = attribute(element, KEY);
      return !filter || filter.split(" ").includes(key === " " ? "Space" : key);
    };
    const element = bound(target, type);
    if (element && wants(element)) this.#happened(event, { ...happening(type, element, /** @type {Element} */ (target)), key });
    this.#elsewhere(event, WINDOW + type, wants, key);
  }

  /**
   * Something happened elsewhere, and some elements listen for that.
   *
   * @param {Event} event @param {string} kind @param {(element: Element) => boolean} wants @param {string} [key]
   */
  #elsewhere(event, kind, wants, key) {
    for (const element of this.#root.querySelectorAll(`[${PREFIX}${kind}]`)) {
      if (wants(element)) this.#happened(event, { ...happening(kind, element, element), type: event.type, key });
    }
  }

  /** Of what is no action of its own: while there is no connection, nobody misses it. @param {Event} event @param {string} kind */
  #aside(event, kind) {
    if (this.#session.joined) this.#elsewhere(event, kind, (element) => !event.composedPath().includes(element));
  }

  /** @param {FocusEvent} event @param {"focus" | "blur"} type */
  #focus(event, type) {
    const target = /** @type {Element} */ (event.target);
    if (this.#patcher.busy) return;
    if (type === "blur") this.#pace.flush(({ control, late }) => control === target && !late);
    const element = bound(target, type);
    if (element) this.#happened(event, happening(type, element, target));
  }

  /** Sends an event that is no input, or refuses it. @param {Event} event @param {Happening} happening */
  #happened(event, happening) {
    const { type, element, control } = happening;
    if (element.hasAttribute(PREVENT)) event.preventDefault();
    if (type === "click") this.#pace.flush(isInput);
    const run = () => (this.#session.joined ? this.#sender.send(happening) : this.#sender.refuse(happening));
    this.#pace.call({ control, element, type, run }, paceOf(element, element));
  }
}

/** @param {string} type @param {Element} element @param {Element} control @returns {Happening} */
function happening(type, element, control) {
  return { type, element, name: attribute(element, PREFIX + type) ?? "", control };
}

/** Waiting work that comes before a click or a submit, as it did under the user's hands. @param {{ type: string }} work */
function isInput({ type }) {
  return type === "input" || type === "change";
}

/** The user was asked, and said no. @param {Event} event @param {Element | null} element that asks, perhaps */
function refused(event, element) {
  const question = element && attribute(element, CONFIRM);
  if (question === null || confirm(question)) return false;
  event.preventDefault();
  return true;
}

/** @param {Element} control @param {Element} element */
function paceOf(control, element) {
  return {
    debounce: attribute(control, DEBOUNCE) ?? attribute(element, DEBOUNCE),
    throttle: attribute(control, THROTTLE) ?? attribute(element, THROTTLE),
  };
}
