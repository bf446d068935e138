/** Fields of rows, and JSON in attributes. */

/** @typedef {import("../sync/json.js").Json} Json */

/** @param {Json | undefined} data @param {string} path dotted @returns {Json | undefined} */
export function field(data, path) {
  let value = data;
  for (const name of path.split(".")) {
    value = Object.hasOwn(Object(value), name) ? /** @type {Record<string, Json>} */ (value)[name] : undefined;
  }
  return value;
}

/** The object that an attribute holds. @param {string | null} text @returns {Record<string, Json> | undefined} */
export function json(text) {
  try {
    const value = JSON.parse(text || "{}");
    if (Object(value) === value) return value;
  } catch {
    // Said below.
  }
  console.error("no JSON:", text);
}

/** Whether a row is as `wanted`; what it lacks counts as in `usual`. @param {Json} data @param {Record<string, Json>} wanted @param {Record<string, Json>} usual */
export function matches(data, wanted, usual) {
  return Object.entries(wanted).every(([path, value]) => (field(data, path) ?? usual[path] ?? null) === value);
}

/** @param {Element} element @param {string} name of an attribute that lists words */
export function words(element, name) {
  return element.getAttribute(name)?.match(/\S+/g) ?? [];
}
