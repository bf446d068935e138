/**
 * What happened on the page, on its way to the session: as an event, with marks on the elements that wait for its
 * answer; or refused, for the user to see, when there is no session to send it to.
 */
import { DISABLE_WITH, TARGET } from "./constants.js";
import { attribute } from "./attribute.js";
import { isControl } from "./controls.js";
import { controlsOf, fieldOf, fieldsOf, valuesOf } from "./forms.js";

/**
 * @typedef {object} Happening a DOM event on its way to the server
 * @property {string} type of the DOM event
 * @property {Element} element with the attribute
 * @property {string} name of the event
 * @property {Element} control that the user acted on
 * @property {HTMLElement | null} [submitter]
 * @property {string} [key]
 */

export class Sender {
  #session;
  #fields;
  #waiting;
  #status;

  /**
   * @param {import("./session.js").Session} session @param {import("./fields.js").Fields} fields
   * @param {import("./waiting.js").Waiting} waiting @param {import("./status.js").Status} status
   */
  constructor(session, fields, waiting, status) {
    this.#session = session;
    this.#fields = fields;
    this.#waiting = waiting;
    this.#status = status;
  }

  /** @param {Happening} happening @returns {true} */
  send({ type, element, name, control, submitter, key }) {
    const form = element instanceof HTMLFormElement ? element : null;
    const field = isControl(control) && control.name ? control : null;
    const fields = form ? fieldsOf(form, submitter) : field && fieldOf(field);
    const controls = form ? controlsOf(form) : isControl(control) ? [control] : [];
    const buttons = form ? form.querySelectorAll(`[${DISABLE_WITH}]`) : [element];
    const ready = this.#waiting.begin(type, element, buttons);
    const target = (submitter && attribute(submitter, TARGET)) ?? attribute(element, TARGET);
    const meta = new Map([["type", type]]);
    if (field) meta.set("field", field.name);
    const ref = this.#session.send({
      name,
      body: [name, target, valuesOf(element, submitter), fields, key ?? null, meta],
      accepted: type === "submit" ? this.#fields.handOver(controls) : undefined,
      answered: (ref) => {
        ready();
        this.#fields.answered(ref);
      },
    });
    this.#fields.sent(controls, ref);
    return true;
  }

  /** @param {Happening} happening @returns {true} */
  refuse({ element, name, type }) {
    this.#status.refused(element, { name, type });
    return true;
  }
}
