/**
 * Reading forms. A field may shadow any property of its form, so nothing here reads one off a form: attributes come
 * through `attribute`, controls through the prototype.
 */
import { EVENT_FIELD, PLAIN, PREFIX, TOKEN_FIELD, VALUE } from "./constants.js";
import { attribute } from "./attribute.js";
import { isCheckable, isControl, valuesIn } from "./controls.js";

/** @typedef {import("./controls.js").Control} Control */

/**
 * The element that listens for an event of `type` at `target`: the nearest with the attribute, or the form that the
 * target belongs to from outside.
 *
 * @param {EventTarget | null} target @param {string} type
 */
export function bound(target, type) {
  const selector = `[${PREFIX}${type}]`;
  const form = isControl(target) ? target.form : null;
  return (target instanceof Element && target.closest(selector)) || form?.closest(selector);
}

/**
 * The fields of a form in order, with the submitter. Files don't travel in events; fields of ours are no fields.
 *
 * @param {HTMLFormElement} form @param {HTMLElement | null} [submitter]
 * @returns {[string, string][]}
 */
export function fieldsOf(form, submitter) {
  /** @type {[string, string][]} */
  const fields = [];
  for (const [name, value] of new FormData(form, submitter)) {
    if (typeof value === "string" && name !== EVENT_FIELD && name !== TOKEN_FIELD) fields.push([name, value]);
  }
  return fields;
}

/** What one control would add to its form. @param {Control} control @returns {[string, string][]} */
export function fieldOf(control) {
  const name = control.name;
  if (!name || control.type === "file" || (isCheckable(control) && !control.checked)) return [];
  return valuesIn(control).map((value) => [name, value]);
}

const elements = Object.getOwnPropertyDescriptor(HTMLFormElement.prototype, "elements")?.get;

/** @param {Element} form @returns {Control[]} */
export function controlsOf(form) {
  return elements && form instanceof HTMLFormElement ? [...elements.call(form)].filter(isControl) : [];
}

/** A file was chosen: only a native submit can carry it. @param {HTMLFormElement} form */
export function hasFiles(form) {
  return controlsOf(form).some((control) => control instanceof HTMLInputElement && control.files?.length);
}

/**
 * The attributes `data-lv-value-*` of an element and its submitter, in order.
 *
 * @param {Element} element @param {Element | null} [submitter] @returns {[string, string][]}
 */
export function valuesOf(element, submitter) {
  return [...new Set([element, submitter ?? element])].flatMap((element) =>
    element.getAttributeNames().filter((name) => name.startsWith(VALUE)).map((name) => [name.slice(VALUE.length), attribute(element, name) ?? ""]),
  );
}

/** Removes the inputs that are there for browsers without scripts. @param {ParentNode} root */
export function removePlain(root) {
  for (const input of root.querySelectorAll(`[${PLAIN}]`)) input.remove();
}
