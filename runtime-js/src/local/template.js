/**
 * A row's template, and how it is filled.
 *
 * The server rendered it once with its own row function. Wherever a field would be shown there is the field's slot, one
 * character that no text uses, or the same percent-encoded in what became part of an address. Filling walks the nodes of
 * a copy and replaces slots in texts and attributes, in one pass: what a value holds, be it markup or a slot, stays text.
 */
import { MUTATE } from "../constants.js";
import { FIRST_SLOT, FLAGS, INTO, ROW, SCOPE, SLOTS } from "./constants.js";
import { field, json } from "./values.js";

/** @typedef {import("./values.js").Json} Json */

const SLOT = /[\u{F0000}-\u{F0FFF}]|%F3%B0(?:%[89AB][\dA-F]){2}/giu;
/** Elements whose text would be read as something else than text. */
const RAW = /^(script|style|iframe|no(embed|frames|script))$/;
/** Attributes that are run. */
const ACTIVE = /^on|^srcdoc$/;
/** Attributes that are followed. */
const ADDRESS = /href$|^src$|action$|^data$/;
/** Browsers pass over these in the name of a scheme. */
const BLANK = /[\0-\x20]/g;

export class Template {
  #slots;
  #row;
  /** Around a row's id in the id of its element. */
  #id;

  /** @param {HTMLTemplateElement} element */
  constructor(element) {
    const { content } = element;
    /** @param {string} name */
    const read = (name) => element.getAttribute(name) ?? "";
    this.entity = read(ROW);
    this.into = read(INTO);
    this.scope = read(SCOPE);
    this.flags = json(read(FLAGS)) ?? {};
    this.#slots = read(SLOTS).split(" ");
    this.#row = content.firstElementChild;
    this.#id = (this.#row?.id ?? "").split(SLOT);
  }

  /** A row's element is found by its id, so it needs one. */
  get usable() {
    return this.#id.length === 2;
  }

  /** Id of a row's element. @param {string} id */
  elementId(id) {
    return this.#id.join(id);
  }

  /** Id of the row that an element shows, if it is one. @param {string} id */
  rowId(id) {
    const [start, end] = this.#id;
    const long = id.length > start.length + end.length;
    return long && id.startsWith(start) && id.endsWith(end) ? id.slice(start.length, id.length - end.length) : undefined;
  }

  /** The element of a row; it belongs to no document that shows anything. @param {Json} data */
  fill(data) {
    const row = /** @type {Element} */ (this.#row?.cloneNode(true));
    for (const element of [row, ...row.querySelectorAll("*")]) {
      // A script is the server's to send: what is put in here would be run.
      if (element.localName === "script") element.remove();
      for (const { name, value } of [...element.attributes]) this.#attribute(element, name, value, data);
      if (RAW.test(element.localName)) continue;
      for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) node.nodeValue = this.#text(node.nodeValue ?? "", data);
    }
    return row;
  }

  /** @param {Element} element @param {string} name @param {string} value @param {Json} data */
  #attribute(element, name, value, data) {
    const filled = this.#text(value, data, name === MUTATE);
    if (filled === value) return;
    if (ACTIVE.test(name) || (ADDRESS.test(name) && /^javascript:/i.test(filled.replace(BLANK, "")))) element.removeAttribute(name);
    else element.setAttribute(name, filled);
  }

  /** @param {string} text @param {Json} data @param {boolean} [arguments_] it holds JSON */
  #text(text, data, arguments_) {
    return text.replace(SLOT, (slot, at) => {
      const encoded = slot[0] === "%";
      const path = this.#slots[Number(decodeURIComponent(slot).codePointAt(0)) - FIRST_SLOT];
      if (!path) return slot;
      const value = field(data, path);
      // Half a character can't be encoded.
      const plain = String(value ?? "").replace(/\p{Cs}/gu, "\uFFFD");
      if (encoded) return encodeURIComponent(plain);
      if (!arguments_) return plain;
      const quotes = text.slice(0, at).replace(/\\./g, "").split('"').length - 1;
      return quotes % 2 ? JSON.stringify(plain).slice(1, -1) : JSON.stringify(value ?? null);
    });
  }
}
