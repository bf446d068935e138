/**
 * Enough of a document to follow the patches of a page that maud wrote: elements, texts, and the steps that lead from one
 * rendering to the next, as `runtime-js/src/ops.js` takes them.
 */
import * as wire from "../../../runtime-js/src/constants.js";
import { list } from "../../../runtime-js/src/frame.js";

/** @typedef {import("../../../runtime-js/src/msgpack.js").Value} Value */
/** @typedef {{ tag: string, attributes: Map<string, string>, children: Tree[] }} Branch an element */
/** @typedef {Branch | { text: string }} Tree */

const TOKEN = /<(\/?)([a-z][\w-]*)((?:\s[^\s=>]+(?:="[^"]*")?)*)>|[^<]+/gy;
const ATTRIBUTE = /\s([^\s=>]+)(?:="([^"]*)")?/g;
const VOID = ["br", "hr", "img", "input", "link", "meta"];
/** What is inside of these is no part of the document. */
const OPAQUE = ["script", "style", "template", "textarea", "title"];
/** @type {Record<string, string>} */
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"' };

/** The nodes of some HTML, up to the end of what is around them. @param {string} html @returns {Tree[]} */
export function parse(html) {
  const top = element("", "");
  const open = [top];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < html.length) {
    const at = TOKEN.lastIndex;
    const found = TOKEN.exec(html);
    if (!found) throw new Error(`this is not as maud writes it: ${html.slice(at, at + 80)}`);
    const [text, closing, tag, attributes] = found;
    if (closing) {
      if (open.length === 1) break;
      open.pop();
    } else if (tag) {
      const next = element(tag, attributes);
      open[open.length - 1].children.push(next);
      if (OPAQUE.includes(tag)) TOKEN.lastIndex = html.indexOf(`</${tag}>`, TOKEN.lastIndex) + tag.length + 3;
      else if (!VOID.includes(tag)) open.push(next);
    } else open[open.length - 1].children.push({ text: decoded(text) });
  }
  return top.children;
}

/** The element with an id, at or below another one. @param {Branch} around @param {string} id @returns {Branch | undefined} */
export function find(around, id) {
  if (around.attributes.get("id") === id) return around;
  for (const child of around.children) {
    const found = "tag" in child ? find(child, id) : undefined;
    if (found) return found;
  }
  return undefined;
}

/** What an element says. @param {Tree} tree @returns {string} */
export function textOf(tree) {
  return "text" in tree ? tree.text : tree.children.map(textOf).join("");
}

/** Takes the steps of a region. @param {Branch} region @param {Value} steps @returns {boolean} false when something was not as expected */
export function apply(region, steps) {
  return list(steps).every((step) => change(region, list(step)));
}

/** @param {Branch} region @param {Value[]} step */
function change(region, [code, anchor, path, expected, value, at = 0, length = expected]) {
  /** @type {Tree | undefined} */
  let node = typeof anchor === "string" ? find(region, anchor) : region;
  for (const at of list(path)) node = node && "tag" in node ? node.children[Number(at)] : undefined;
  if (!node) return false;
  if (code === wire.TEXT) {
    if ("tag" in node || node.text.length !== expected) return false;
    node.text = node.text.slice(0, Number(at)) + value + node.text.slice(Number(at) + Number(length));
    return true;
  }
  if ("text" in node) return false;
  if (code === wire.ATTRIBUTES) return node.tag === expected && attributes(node.attributes, list(value));
  if (code === wire.MORPH) Object.assign(node, parse(String(expected))[0]);
  else return code === wire.CHILDREN && node.children.length === expected && children(node, list(value));
  return true;
}

/** @param {Map<string, string>} attributes @param {Value[]} values names, each with its value or nothing */
function attributes(attributes, values) {
  for (let at = 0; at < values.length; at += 2) {
    if (values[at + 1] === null) attributes.delete(String(values[at]));
    else attributes.set(String(values[at]), String(values[at + 1]));
  }
  return true;
}

/** @param {Branch} parent @param {Value[]} steps */
function children(parent, steps) {
  let passed = 0;
  const next = steps.flatMap((step) => {
    if (typeof step === "string") return parse(step);
    if (Array.isArray(step)) return parent.children[Number(step[0])];
    const from = passed;
    passed += Math.abs(Number(step));
    return Number(step) > 0 ? parent.children.slice(from, passed) : [];
  });
  if (passed !== parent.children.length || next.includes(/** @type {any} */ (undefined))) return false;
  parent.children = next;
  return true;
}

/** @param {string} tag @param {string} attributes @returns {Branch} */
function element(tag, attributes) {
  const pairs = [...attributes.matchAll(ATTRIBUTE)].map(([, name, value = ""]) => /** @type {const} */ ([name, decoded(value)]));
  return { tag, attributes: new Map(pairs), children: [] };
}

/** @param {string} text */
function decoded(text) {
  return text.replace(/&(amp|lt|gt|quot);/g, (_, name) => ENTITIES[name]);
}
