/** The row templates of a page: those of one entity, scope and container belong together. */
import { ROW } from "./constants.js";
import { Template } from "./template.js";
import { matches } from "./values.js";

/** @typedef {import("./values.js").Json} Json */

export class Group {
  /** @param {Template} first what it says of a field is what counts for rows without it */
  constructor(first) {
    this.first = first;
    this.templates = [first];
  }

  get container() {
    return document.getElementById(this.first.into);
  }

  /** @param {Json} data @returns {Element} */
  fill(data) {
    const { first, templates } = this;
    return (templates.find(({ flags }) => matches(data, flags, first.flags)) ?? first).fill(data);
  }
}

/** @returns {Group[]} */
export function groups() {
  /** @type {Map<string, Group>} */
  const all = new Map();
  for (const element of document.querySelectorAll(`template[${ROW}]`)) {
    const template = new Template(/** @type {HTMLTemplateElement} */ (element));
    if (!template.usable) continue;
    const { entity, scope, into } = template;
    const key = JSON.stringify([entity, scope, into]);
    const group = all.get(key);
    if (group) group.templates.push(template);
    else all.set(key, new Group(template));
  }
  return [...all.values()];
}
