/** What is measured in the page: a table changes, by the runtime's own steps, by idiomorph and by morphdom. Times are in milliseconds. */
import { Idiomorph } from "idiomorph";
import morphdom from "morphdom";
import { CHILDREN, TEXT } from "../../runtime-js/src/constants.js";
import { Fields } from "../../runtime-js/src/fields.js";
import { Foreign } from "../../runtime-js/src/foreign.js";
import { Morph } from "../../runtime-js/src/morph.js";
import { Ops } from "../../runtime-js/src/ops.js";
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

/** @type {Record<string, (rows: Row[]) => Next>} */
const CHANGES = {
  touch(rows) {
    const at = Math.floor(rows.length / 2);
    const { id, value } = rows[at];
    const row = { id, value: (value + 1) % 1_000 };
    return { rows: rows.with(at, row), ops: [[TEXT, `row-${id}`, [CELL, 0], String(value).length, String(row.value)]] };
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
};

const [toggles, waiting, foreign] = [new Toggles(), new Waiting(), new Foreign(document.body)];
const ops = new Ops(new Morph(new Fields(), toggles, waiting, foreign), toggles, waiting, foreign);

/** @type {Record<string, (region: Element, ops: Value[], html: string) => void>} */
const WAYS = {
  steps(region, steps) {
    if (!ops.apply(region, steps)) throw new Error("the steps do not fit the table");
  },
  idiomorph: (region, _, html) => void Idiomorph.morph(region, html, { morphStyle: "innerHTML" }),
  morphdom: (region, _, html) => void morphdom(region, `<tbody id="${TABLE}">${html}</tbody>`, { childrenOnly: true }),
};

/** A table of these rows, laid out. @param {Row[]} rows */
function show(rows) {
  document.querySelector("table")?.remove();
  const table = document.createElement("table");
  table.innerHTML = `<tbody id="${TABLE}">${all(rows)}</tbody>`;
  document.body.append(table);
  table.getBoundingClientRect();
  return /** @type {Element} */ (table.firstElementChild);
}

/** How often a change is done before the clock is read again: often enough for it to tell. @param {string} way @param {string} change */
const together = (way, change) => (way === "steps" && change === "touch" ? 20 : 1);
/** How often the clock is read then: a pause of the browser's own falls into one of these. */
const GROUPS = 10;

/**
 * Does the same change in each way, round after round, on a table that is made anew for each.
 *
 * @param {string} change @param {number} count of rows @param {number} rounds
 * @returns {Record<string, { script: number[], laidOut: number[] }>} by the way
 */
window.measure = (change, count, rounds) => {
  const rows = Array.from({ length: count }, (_, at) => ({ id: at + 1, value: ((at + 1) * 7_919) % 1_000 }));
  const measured = Object.fromEntries(Object.keys(WAYS).map((way) => [way, { script: [], laidOut: [] }]));
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const [way, apply] of Object.entries(WAYS)) {
      const size = together(way, change);
      const changes = [CHANGES[change](rows)];
      while (size > 1 && changes.length < size * GROUPS) changes.push(CHANGES[change](changes[changes.length - 1].rows));
      const html = all(changes[changes.length - 1].rows);
      const region = show(rows);
      const script = [];
      for (let from = 0; from < changes.length; from += size) {
        const group = changes.slice(from, from + size);
        const start = performance.now();
        for (const { ops } of group) apply(region, ops, html);
        script.push((performance.now() - start) / size);
      }
      const changed = performance.now();
      region.getBoundingClientRect();
      const layout = performance.now() - changed;
      if (round > 0) {
        measured[way].script.push(...script);
        measured[way].laidOut.push(script.toSorted((a, b) => a - b)[Math.floor(script.length / 2)] + layout);
      }
      if (region.innerHTML !== html) throw new Error(`${way} gives something else than the HTML of the change ${change}`);
    }
  }
  return measured;
};

window.ready = true;
