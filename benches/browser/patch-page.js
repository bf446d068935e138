/**
 * What is measured in the page: a table changes, by the runtime's own steps or its morph, by idiomorph and by morphdom. Times are in
 * milliseconds.
 */
import { Idiomorph } from "idiomorph";
import morphdom from "morphdom";
import { CHILDREN, INNER, PATCH, STEPS, TEXT } from "../../runtime-js/src/constants.js";
import { Debug } from "../../runtime-js/src/debug.js";
import { Fields } from "../../runtime-js/src/fields.js";
import { Foreign } from "../../runtime-js/src/foreign.js";
import { bodyOf, decodeFrame, encodeFrame } from "../../runtime-js/src/frame.js";
import { Hooks } from "../../runtime-js/src/hooks.js";
import { Morph } from "../../runtime-js/src/morph.js";
import { encode } from "../../runtime-js/src/msgpack.js";
import { Navigator } from "../../runtime-js/src/navigator.js";
import { Ops } from "../../runtime-js/src/ops.js";
import { Patcher } from "../../runtime-js/src/patch.js";
import { Sequence } from "../../runtime-js/src/sequence.js";
import { Streams } from "../../runtime-js/src/streams.js";
import { Toggles } from "../../runtime-js/src/toggles.js";
import { Waiting } from "../../runtime-js/src/waiting.js";

/** @typedef {{ id: number, value: number }} Row */
/** @typedef {import("../../runtime-js/src/msgpack.js").Value} Value */
/** @typedef {{ rows: Row[], ops: Value[] }} Next what a change leads to, and the steps that the server writes for it */

const TABLE = "rows";
/** The cell of a row that shows its value. */
const CELL = 2;

/** A row as `benches/report` has it. @param {Row} row */
const html = ({ id, value }) =>
  `<tr id="row-${id}"><td>${id}</td><td>Row ${id}</td><td>${value}</td><td class="busy">busy</td>` +
  `<td><button class="touch" form="lv" name="lv" value="touch?id=${id}">Touch</button></td></tr>`;

/** @param {Row[]} rows */
const all = (rows) => rows.map(html).join("");

/** @param {Row} row @returns {Row} */
const changed = ({ id, value }) => ({ id, value: (value + 1) % 1_000 });

/** The n-th change of a table. @type {Record<string, (rows: Row[], n: number) => Next>} */
const CHANGES = {
  touch(rows, n) {
    // Another row each time, all over the table.
    const at = (Math.floor(rows.length / 2) + n * 7_919) % rows.length;
    const row = changed(rows[at]);
    const expected = String(rows[at].value).length;
    return { rows: rows.with(at, row), ops: [[TEXT, `row-${row.id}`, [CELL, 0], expected, String(row.value)]] };
  },
  insert(rows) {
    const row = { id: rows.length + 1, value: 7 };
    return { rows: [row, ...rows], ops: [[CHILDREN, 0, [], rows.length, [html(row), rows.length]]] };
  },
  reverse(rows) {
    // The last one stays where it is, and all others come to stand behind it.
    const last = rows.length - 1;
    const steps = [-last, 1, ...Array.from({ length: last }, (_, at) => [last - 1 - at])];
    return { rows: rows.toReversed(), ops: [[CHILDREN, 0, [], rows.length, steps]] };
  },
  every(rows) {
    const next = rows.map(changed);
    const ops = next.map(({ id, value }, at) => [TEXT, `row-${id}`, [CELL, 0], String(rows[at].value).length, String(value)]);
    return { rows: next, ops };
  },
};

/** Holds what the runtime changes, which it observes, and nothing else. */
const root = document.createElement("div");
document.body.append(root);

const [toggles, waiting, foreign, debug] = [new Toggles(), new Waiting(), new Foreign(root), new Debug(null)];
const morph = new Morph(new Fields(), toggles, waiting, foreign);
const ops = new Ops(morph, toggles, waiting, foreign);
const streams = new Streams(morph, toggles, foreign);
const patcher = new Patcher(root, morph, ops, new Navigator(location, sessionStorage), debug, foreign, streams, new Hooks(root));
const wrong = () => {
  throw new Error("the patch does not fit the page");
};
const sequence = new Sequence(patcher, debug, wrong, wrong, () => {});
let seq = 0;

/** Applies a region as it comes out of the socket. @param {number} kind @param {Value} how */
function patch(kind, how) {
  const frame = encodeFrame(PATCH, "1", 0, encode([++seq, [[TABLE, kind, how]]]));
  return () => sequence.next(bodyOf(decodeFrame(frame).body));
}

/** What is prepared is not measured, and what that gives is. @type {Record<string, (region: Element, next: Next, html: string) => () => void>} */
const WAYS = {
  steps: (_, { ops }) => patch(STEPS, ops),
  morph: (_, __, html) => patch(INNER, html),
  idiomorph: (region, _, html) => () => Idiomorph.morph(region, html, { morphStyle: "innerHTML" }),
  morphdom(region, _, html) {
    const whole = `<tbody id="${TABLE}">${html}</tbody>`;
    return () => morphdom(region, whole, { childrenOnly: true });
  },
  /** A script that knows which text it is: what is left is the browser's own. */
  hand(_, { ops }) {
    const [, id, , , value] = /** @type {any} */ (ops[0]);
    const text = /** @type {Text} */ (document.getElementById(id)?.children[CELL].firstChild);
    return () => (text.data = value);
  },
};

/** A table of these rows, laid out and painted. @param {Row[]} rows @param {Element} parent @param {string} layout */
async function show(rows, parent, layout) {
  document.querySelector("table")?.remove();
  const table = document.createElement("table");
  table.className = layout;
  table.innerHTML = `<tbody id="${TABLE}">${all(rows)}</tbody>`;
  parent.append(table);
  // What is visible is found with a frame, and laid out with the next.
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  await new Promise((later) => setTimeout(later));
  const region = /** @type {HTMLElement} */ (table.firstElementChild);
  region.offsetHeight;
  return region;
}

/**
 * Makes a table and changes it, one time after the other, each on a page that is laid out.
 *
 * @param {{ way: string, change: string, count: number, layout: string, times: number }} what
 * @returns {Promise<{ script: number, laidOut: number }>} how long a change took on average, until the script was done and until the page was laid out
 */
window.measure = async ({ way, change, count, layout, times }) => {
  let rows = Array.from({ length: count }, (_, at) => ({ id: at + 1, value: ((at + 1) * 7_919) % 1_000 }));
  const region = await show(rows, way === "steps" || way === "morph" ? root : document.body, layout);
  let [script, laidOut] = [0, 0];
  for (let n = 0; n < times; n++) {
    const next = CHANGES[change](rows, n);
    rows = next.rows;
    // Of use to those that take the whole region, and these change it once.
    const apply = WAYS[way](region, next, way === "steps" || way === "hand" ? "" : all(rows));
    const start = performance.now();
    apply();
    const done = performance.now();
    region.offsetHeight;
    laidOut += performance.now() - start;
    script += done - start;
  }
  if (region.innerHTML !== all(rows)) throw new Error(`${way} gives something else than the HTML of the change ${change}`);
  return { script: script / times, laidOut: laidOut / times };
};

window.ready = true;
