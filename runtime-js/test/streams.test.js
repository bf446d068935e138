/** Streams: items that are sent once. What needs focus, carets or layout is tested in a browser. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import * as wire from "../src/constants.js";
import { $, open, setup, socket, type } from "./support.js";

/** @typedef {import("../src/msgpack.js").Value} Value */

setup();

let seq = 0;
beforeEach(() => {
  seq = 0;
});
/** @param {...Value} regions */
const patch = (...regions) => socket().receive(wire.PATCH, 0, [++seq, regions]);
/** Steps of the stream `#log`. @param {...Value} ops */
const stream = (...ops) => patch(["log", wire.STREAM, ops]);
/** @param {string[]} ids */
const items = (...ids) => ids.map((id) => `<li id="${id}">${id}</li>`).join("");
/** Opens a page with a stream of these. @param {string[]} ids */
const log = (...ids) => open(`<h1 id="title">T</h1><div id="box"><ul id="log" data-lv-stream>${items(...ids)}</ul></div>`);
const ids = () => Array.from($("#log").children, ({ id }) => id).join(" ");
/** What was asked for whole. */
const asked = () => socket().of(wire.RESYNC).map(({ body }) => body[0]);

describe("a step", () => {
  test.each(/** @type {[string, Value[], string][]} */ ([
    ["appends", [0, items("d")], "a b c d"],
    ["appends several in their order", [0, items("d", "e")], "a b c d e"],
    ["appends what is there already", [0, items("a")], "b c a"],
    ["appends what is there already, in another order", [0, items("c", "a", "d")], "b c a d"],
    ["prepends", [1, items("d")], "d a b c"],
    ["prepends several in their order", [1, items("d", "e")], "d e a b c"],
    ["prepends what is there already", [1, items("c", "a")], "c a b"],
    ["prepends what is in place", [1, items("a")], "a b c"],
    ["inserts", [2, items("d"), 1], "a d b c"],
    ["inserts at the front", [2, items("d"), 0], "d a b c"],
    ["inserts several", [2, items("d", "e"), 2], "a b d e c"],
    ["inserts at the end", [2, items("d"), 3], "a b c d"],
    ["inserts beyond the end", [2, items("d"), 9], "a b c d"],
    ["counts without the one that moves", [2, items("a"), 1], "b a c"],
    ["inserts where it is", [2, items("b"), 1], "a b c"],
    ["updates in place, and appends what is new", [3, items("b", "d")], "a b c d"],
    ["removes", [4, "b"], "a c"],
    ["removes what is not there", [4, "x"], "a b c"],
    ["removes no child that isn't its own", [4, "title"], "a b c"],
    ["removes all", [5], ""],
    ["appends, and the first go", [0, items("d", "e"), 3], "c d e"],
    ["updates, and the first go", [3, items("a", "d"), 3], "b c d"],
    ["prepends, and the last go", [1, items("d"), 2], "d a"],
    ["inserts, and the last go", [2, items("d"), 1, 3], "a d b"],
    ["brings more than there may be", [0, items("d", "e", "f"), 2], "e f"],
    ["has room enough", [0, items("d"), 9], "a b c d"],
    ["has no limit", [0, items("d"), 0], "a b c d"],
  ]))("%s", (_, op, expected) => {
    log("a", "b", "c");
    const before = new Map(Array.from($("#log").children, (item) => [item.id, item]));
    stream(op);
    expect(ids()).toBe(expected);
    for (const item of $("#log").children) expect(before.get(item.id) ?? item).toBe(item);
    expect(asked()).toEqual([]);
    expect($("#title").textContent).toBe("T");
  });

  test("turns an item into what it brings, in place, and keeps what was typed", () => {
    open(`<ul id="log" data-lv-stream><li id="a"><input value="x"><b>1</b></li><li id="b"></li></ul>`);
    const input = $("#a input");
    type("#a input", "typed");
    stream([3, `<li id="a" class="new"><input value="x"><b>2</b></li>`], [0, `<li id="a" class="last"><input value="x"><b>3</b></li>`]);
    expect($("#log").innerHTML).toBe(`<li id="b"></li><li id="a" class="last"><input value="x"><b>3</b></li>`);
    expect([$("#a input"), input.value]).toEqual([input, "typed"]);
  });

  test("replaces an item of another tag", () => {
    open(`<div id="log" data-lv-stream><p id="a">1</p><p id="b">2</p></div>`);
    stream([3, `<h2 id="a">one</h2>`], [0, `<h3 id="a">last</h3>`]);
    expect($("#log").innerHTML).toBe(`<p id="b">2</p><h3 id="a">last</h3>`);
  });

  test("finds items by ids that look like anything", () => {
    open(`<ul id="log" data-lv-stream><li id="a&quot;]:b 1">x</li></ul>`);
    stream([3, `<li id="a&quot;]:b 1">y</li>`]);
    expect([$("#log").textContent, $("#log").children.length]).toEqual(["y", 1]);
    stream([4, `a"]:b 1`]);
    expect($("#log").children).toHaveLength(0);
  });

  test.each([["messages", "side"], ["side", "messages"]])("finds its own item where another one has that id: from %s to %s", (from, to) => {
    open(`<ul id="messages" data-lv-stream></ul><ul id="side" data-lv-stream></ul>`);
    patch([from, wire.STREAM, [[0, items("card", "x")]]]);
    patch([to, wire.STREAM, [[0, items("card")]]], [from, wire.STREAM, [[4, "card"]]]);
    expect([$(`#${from}`).innerHTML, $(`#${to}`).innerHTML]).toEqual([items("x"), items("card")]);
    patch([from, wire.STREAM, [[3, items("card")]]], [to, wire.STREAM, [[3, `<li id="card">new</li>`]]]);
    expect([$(`#${from}`).innerHTML, $(`#${to}`).innerHTML]).toEqual([items("x", "card"), `<li id="card">new</li>`]);
  });

  test("parses rows as rows", () => {
    open(`<table><tbody id="log" data-lv-stream></tbody></table>`);
    stream([0, `<tr id="r"><td>1</td></tr>`]);
    expect($("#log").innerHTML).toBe(`<tr id="r"><td>1</td></tr>`);
  });

  test("counts no strangers, and leaves them where they are", async () => {
    log("a", "b");
    const widget = document.createElement("x-widget");
    $("#log").prepend(widget);
    stream([2, items("c"), 1], [1, items("d"), 3], [5]);
    expect($("#log").innerHTML).toBe("<x-widget></x-widget>");
    stream([0, items("e")], [1, items("f")]);
    expect([...$("#log").children].map(({ id }) => id)).toEqual(["", "f", "e"]);
  });
});

describe("what can't be done is asked for, and the other steps are", () => {
  test.each(/** @type {[string, Value[]][]} */ ([
    ["an element without an id", [0, "<li>x</li>"]],
    ["no element", [0, "text"]],
    ["one of several without an id", [1, `${items("x")}<li>y</li>`]],
    ["no HTML", [3, null]],
    ["an unknown step", [9, items("x")]],
    ["an empty one", []],
  ]))("%s", (_, op) => {
    log("a");
    stream(op, [0, items("b")]);
    expect([ids(), asked()]).toEqual(["a b", [["log"]]]);
    // The whole region brings no items, and that is the end of it.
    patch(["log", wire.OUTER, `<ul id="log" data-lv-stream class="again"></ul>`]);
    expect([ids(), $("#log").className, asked().length]).toEqual(["a b", "again", 1]);
  });

  test("no such element", () => {
    log("a");
    patch(["gone", wire.STREAM, [[0, items("b")]]], ["log", wire.STREAM, [[0, items("b")]]]);
    expect([ids(), asked()]).toEqual(["a b", [["lv-root"]]]);
  });

  test("an element that is no stream", () => {
    log("a");
    patch(["box", wire.STREAM, [[0, items("b")]]]);
    expect([$("#box").children.length, asked()]).toEqual([1, [["box"]]]);
  });
});

describe("the items are left alone", () => {
  const EMPTY = (attributes = "") => `<ul id="log" data-lv-stream ${attributes}></ul>`;
  test.each(/** @type {[string, Value[]][]} */ ([
    ["by a morph of what is around", ["box", wire.INNER, EMPTY(`class="x"`)]],
    ["by a morph of the whole page", ["lv-root", wire.INNER, `<h1 id="title">T</h1><div id="box">${EMPTY(`class="x"`)}</div>`]],
    ["by a morph that has other items", ["box", wire.INNER, `<ul id="log" data-lv-stream class="x">${items("z", "a")}</ul>`]],
    ["by a morph of the element", ["log", wire.OUTER, EMPTY(`class="x"`)]],
    ["by a morph in steps", ["box", wire.STEPS, [[wire.MORPH, "log", [], EMPTY(`class="x"`)]]]],
    ["by steps of attributes", ["box", wire.STEPS, [[wire.ATTRIBUTES, "log", [], "ul", ["class", "x"]]]]],
    ["by a parent that becomes another one", ["lv-root", wire.INNER, `<section>${EMPTY(`class="x"`)}</section>`]],
  ]))("%s", (_, region) => {
    log("a", "b");
    const first = $("#a");
    patch(region);
    expect([ids(), $("#log").className, $("#a")]).toEqual(["a b", "x", first]);
    expect(asked()).toEqual([]);
  });

  test("by steps inside of them", () => {
    log("a", "b");
    patch(
      ["box", wire.STEPS, [[wire.CHILDREN, "log", [], 0, ["<li>x</li>"]], [wire.TEXT, "a", [0], 1, "x"], [wire.ATTRIBUTES, "log", [0], "li", ["class", "x"]], [wire.MORPH, "b", [], "<li></li>"]]],
      ["log", wire.STEPS, [[wire.CHILDREN, null, [], 0, ["<li>x</li>"]]]],
    );
    expect([$("#log").innerHTML, asked()]).toEqual([items("a", "b"), []]);
  });

  test("by a fresh mount", () => {
    log("a");
    socket().end();
    vi.advanceTimersByTime(250);
    socket().open().welcome({ fresh: true, patch: [0, [["box", wire.INNER, EMPTY()]]] });
    expect(ids()).toBe("a");
  });

  test("but not by the HTML of the stream itself, nor where it is new or none any more", () => {
    log("a", "b");
    const second = $("#b");
    patch(["log", wire.INNER, items("b", "c")]);
    expect([ids(), $("#b")]).toEqual(["b c", second]);
    patch(["box", wire.INNER, `<ol id="log" data-lv-stream>${items("x")}</ol>`]);
    expect(ids()).toBe("x");
    patch(["box", wire.INNER, `<ol id="log">${items("y")}</ol>`]);
    expect(ids()).toBe("y");
    patch(["box", wire.INNER, `<ol id="log" data-lv-stream>${items("z")}</ol>`]);
    expect(ids()).toBe("z");
  });

  test("regions inside of an item have their own patches", () => {
    open(`<ul id="log" data-lv-stream><li id="a"><p id="p">1</p></li></ul>`);
    patch(["p", wire.STEPS, [[wire.TEXT, null, [0], 1, "2"]]], ["a", wire.STEPS, [[wire.ATTRIBUTES, "p", [], "p", ["class", "x"]]]]);
    expect([$("#log").innerHTML, asked()]).toEqual([`<li id="a"><p id="p" class="x">2</p></li>`, []]);
  });

  test("where a script has them, and where it has one of them", () => {
    open(`<ul id="log" data-lv-stream data-lv-ignore><li id="a">1</li></ul>`);
    stream([5]);
    expect(ids()).toBe("a");
    open(`<ul id="log" data-lv-stream><li id="a" data-lv-ignore>own</li><li id="b"></li></ul>`);
    socket().receive(wire.PATCH, 0, [1, [["log", wire.STREAM, [[0, `<li id="a" data-lv-ignore>server</li>`]]]]]);
    expect($("#log").innerHTML).toBe(`<li id="b"></li><li id="a" data-lv-ignore="">own</li>`);
  });
});

test("regions of any kind share a frame", () => {
  log("a");
  patch(["title", wire.INNER, "U"], ["log", wire.STREAM, [[0, items("b")]]], ["box", wire.STEPS, [[wire.ATTRIBUTES, null, [], "div", ["class", "x"]]]]);
  expect([$("#title").textContent, ids(), $("#box").className]).toEqual(["U", "a b", "x"]);
});

describe("the server hears how far the page has come", () => {
  const acks = () => socket().of(wire.ACK).map(({ body }) => body[0]);

  test("two seconds after the first step that it doesn't know of", () => {
    log();
    expect(acks()).toEqual([0]);
    stream([0, items("a")]);
    vi.advanceTimersByTime(1_500);
    stream([0, items("b")]);
    patch(["title", wire.INNER, "U"]);
    vi.advanceTimersByTime(499);
    expect(acks()).toEqual([0]);
    vi.advanceTimersByTime(1);
    expect(acks()).toEqual([0, 3]);
    vi.advanceTimersByTime(9_000);
    expect(acks()).toEqual([0, 3]);
    stream([0, items("c")]);
    vi.advanceTimersByTime(2_000);
    expect(acks()).toEqual([0, 3, 4]);
  });

  test("of streams alone", () => {
    log();
    patch(["title", wire.INNER, "U"]);
    vi.advanceTimersByTime(9_000);
    expect(acks()).toEqual([0]);
  });

  test("not while the socket is away, and with a join at once", () => {
    log();
    stream([0, items("a")]);
    const first = socket();
    first.end();
    vi.advanceTimersByTime(250);
    socket().open();
    vi.advanceTimersByTime(2_000);
    expect([first.of(wire.ACK).length, acks()]).toEqual([1, []]);
    socket().welcome({ seq: 2, patch: [2, [["log", wire.STREAM, [[0, items("b")]]]]] });
    expect([ids(), acks()]).toEqual(["a b", [2]]);
    vi.advanceTimersByTime(9_000);
    expect(acks()).toEqual([2]);
  });
});

test("many items come at once, and few stay", () => {
  log();
  stream([0, items(...Array.from({ length: 500 }, (_, n) => `i${n}`)), 300], [4, "i499"]);
  expect([$("#log").children.length, $("#log").firstElementChild?.id]).toEqual([299, "i200"]);
});

describe("any steps lead where a list of names would", () => {
  /** What a step makes of a list. @param {string[]} list @param {number} code @param {string[]} names @param {number} at @param {number} limit */
  function model(list, code, names, at, limit) {
    if (code === wire.CLEAR) return [];
    if (code === wire.REMOVE) return list.filter((name) => name !== names[0]);
    if (code === wire.UPSERT) return last([...new Set([...list, ...names])], limit);
    const others = list.filter((name) => !names.includes(name));
    if (code === wire.APPEND) return last([...others, ...names], limit);
    others.splice(code === wire.INSERT ? at : 0, 0, ...names);
    return limit ? others.slice(0, limit) : others;
  }
  /** @param {string[]} list @param {number} limit */
  const last = (list, limit) => (limit ? list.slice(-limit) : list);

  test.each([1, 2, 3, 4, 5, 6])("seed %i", (seed) => {
    const random = (/** @type {number} */ below) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    log();
    /** @type {string[]} */
    let list = [];
    /** @type {Map<string, Element>} */
    let before = new Map();
    for (let n = 0; n < 120; n++) {
      const names = [...new Set(Array.from({ length: 1 + random(3) }, () => `i${random(12)}`))];
      const [code, at, limit] = [random(20) ? random(5) : wire.CLEAR, random(8), random(3) ? 0 : 1 + random(8)];
      const old = new Set(list);
      list = model(list, code, names, at, limit);
      const html = items(...names);
      stream(code === wire.CLEAR ? [code] : code === wire.REMOVE ? [code, names[0]] : code === wire.INSERT ? [code, html, at, limit] : [code, html, limit || null]);
      expect(ids(), `step ${n}: ${code} ${names} ${at} ${limit}`).toBe(list.join(" "));
      for (const item of $("#log").children) if (old.has(item.id)) expect(before.get(item.id)).toBe(item);
      before = new Map(Array.from($("#log").children, (item) => [item.id, item]));
    }
    expect(asked()).toEqual([]);
  });
});
