/**
 * The way without a socket. A submit that isn't stopped goes to the server as a native POST; what the server needs to
 * find the session and the event is added on the way, because its own inputs for that were removed when the page
 * joined. Values of the element travel in the event's name, `inc?by=1`, as they do when a template writes them so.
 */
import { EVENT_FIELD, FORM_ID, TOKEN_FIELD } from "./constants.js";
import { attribute } from "./attribute.js";
import { Listener } from "./listener.js";

export class Fallback extends Listener {
  /** The native submit that is on its way. @type {{ form: EventTarget, name: string } | undefined} */
  #native;

  /** @override @param {{ signal: AbortSignal }} options */
  listen(options) {
    document.addEventListener("formdata", (event) => this.#complete(event), options);
  }

  /** A submit of `form` may go its native way: it is a POST. @param {HTMLFormElement} form @param {HTMLElement | null} submitter */
  accepts(form, submitter) {
    const method = (submitter && attribute(submitter, "formmethod")) ?? attribute(form, "method");
    return method?.toLowerCase() === "post";
  }

  /** Lets a submit go, as event `name` with `values`. @param {HTMLFormElement} form @param {string} name @param {[string, string][]} values */
  submit(form, name, values) {
    const query = new URLSearchParams(values).toString();
    const native = { form, name: query ? name + (name.includes("?") ? "&" : "?") + query : name };
    this.#native = native;
    // The fields are read right after the listeners ran; a form that is read later is another matter.
    setTimeout(() => this.#native === native && (this.#native = undefined));
  }

  /** @param {FormDataEvent} event */
  #complete({ target, formData }) {
    if (!this.#native || target !== this.#native.form) return;
    formData.set(EVENT_FIELD, this.#native.name);
    const token = sessionToken();
    if (token) formData.set(TOKEN_FIELD, token);
    this.#native = undefined;
  }
}

/** @returns {HTMLInputElement | null} the input that carries the token of this page */
function tokenInput() {
  return document.querySelector(`form#${FORM_ID} input[name=${TOKEN_FIELD}]`);
}

/** What names the session in a native POST. */
export function sessionToken() {
  return tokenInput()?.value ?? "";
}

/** @param {string} session */
export function storeToken(session) {
  const input = tokenInput();
  if (!input) return;
  // A browser that restored this value into HTML loaded anew would name a session that shows something else.
  input.autocomplete = "off";
  input.value = session;
}
