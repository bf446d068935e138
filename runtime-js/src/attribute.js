/**
 * Attributes, read and written past the properties of an element: a field named `id`, `action`, `submit` or `elements`
 * shadows its form's own property of that name, and `getAttribute` could be one too.
 */
import { IGNORE_ATTRIBUTES } from "./constants.js";
import { touch } from "./touch.js";

/** @param {Element} element @param {string} name */
export function attribute(element, name) {
  return Element.prototype.getAttribute.call(element, name);
}

/** Gives `old` the attribute as `next` has it. @param {Element} old @param {Element} next @param {string} name */
export function copyAttribute(old, next, name) {
  const value = attribute(next, name);
  if (value === attribute(old, name)) return;
  touch(old, name);
  if (value === null) old.removeAttribute(name);
  else old.setAttribute(name, value);
}

/**
 * An attribute that patches leave alone: the page's own scripts set it, or the browser hides what it is.
 *
 * @param {Element} element @param {string} name
 */
export function isIgnored(element, name) {
  return name === "nonce" || !!attribute(element, IGNORE_ATTRIBUTES)?.split(/\s+/).includes(name);
}
