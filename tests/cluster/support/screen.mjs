/**
 * What a person sees of the todos, without a browser: a small document that patches change. It stands in for the runtime's
 * `Patcher`, and asks for whole regions as that does.
 */
import * as wire from "../../../runtime-js/src/constants.js";
import { list } from "../../../runtime-js/src/frame.js";
import { apply, find, parse, textOf } from "./tree.mjs";

/** @typedef {import("../../../runtime-js/src/msgpack.js").Value} Value */
/** @typedef {{ id: string, title: string, done: boolean }} Todo */

export class Screen {
  /** @type {import("./tree.mjs").Branch} */
  #root = { tag: "div", attributes: new Map(), children: [] };
  /** What was read from the document since it changed. @type {Todo[] | undefined} */
  #todos;
  /** Regions that were asked for, and are not as they should be until they come. @type {Set<string>} */
  #asked = new Set();
  /** How often one was asked for. */
  asks = 0;
  /** Hears that something was applied. */
  changed = () => {};

  /** The document. @param {string} html */
  show(html) {
    const [root] = parse(html.slice(html.indexOf(`<div id="${wire.ROOT_ID}"`)));
    if (!("tag" in root)) throw new Error(`there is no page in ${html}`);
    this.#root = root;
    this.#todos = undefined;
  }

  todos() {
    return (this.#todos ??= this.#read());
  }

  /** The page is joined: what was asked for on another connection will not be answered. */
  begin() {
    this.#asked.clear();
  }

  /** As `Patcher.apply`. @param {Value | undefined} regions @returns {string[]} the regions to ask for, each once */
  apply(regions) {
    const unknown = list(regions).map(list).flatMap(([id, kind, how]) => this.#region(String(id), kind, how) ?? []);
    const missing = unknown.filter((id) => !this.#asked.has(id));
    for (const id of missing) this.#asked.add(id);
    this.asks += missing.length;
    this.#todos = undefined;
    this.changed();
    return missing;
  }

  /** Commands mean nothing here. */
  run() {}

  /** @param {string} id @param {Value} kind @param {Value} how @returns {string | undefined} the region to ask for instead */
  #region(id, kind, how) {
    const region = find(this.#root, id);
    if (!region) return wire.ROOT_ID;
    if (kind === wire.STEPS) return apply(region, how) ? undefined : id;
    if (typeof how !== "string") return id;
    if (kind === wire.INNER) region.children = parse(how);
    else if (kind === wire.OUTER) Object.assign(region, parse(how)[0]);
    else return id;
    this.#asked.delete(id);
    return undefined;
  }

  /** @returns {Todo[]} */
  #read() {
    const rows = find(this.#root, "todos")?.children ?? [];
    return rows.map((row) => {
      if ("text" in row) throw new Error(`${JSON.stringify(row.text)} is no todo`);
      const title = row.children.find((part) => "tag" in part && part.attributes.get("class") === "title");
      return { id: row.attributes.get("data-id") ?? "", title: title ? textOf(title) : "", done: row.attributes.has("data-done") };
    });
  }
}
