/** Hooks: what is called when, and how often. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import * as wire from "../src/constants.js";
import { mounted } from "../src/touch.js";
import { $, open, setup, socket } from "./support.js";

/** @typedef {import("../src/msgpack.js").Value} Value */
/** @typedef {import("../src/hooks.js").Hook} Hook */

setup();

let seq = 0;
/** What was called, with the element's id. @type {string[]} */
let calls = [];
beforeEach(() => {
  seq = 0;
  calls = [];
  // The page of the test before went without a patch.
  mounted.clear();
});
const called = () => calls.splice(0);
/** @param {...Value} regions */
const patch = (...regions) => socket().receive(wire.PATCH, 0, [++seq, regions]);
/** @param {string} html */
const box = (html) => patch(["box", wire.INNER, html]);
/** @param {...Value} ops */
const steps = (...ops) => patch(["box", wire.STEPS, ops]);

/** Says each of its calls. @returns {Hook} */
function teller() {
  const tell = (/** @type {string} */ what) => (/** @type {Element} */ element) => void calls.push(`${what} ${element.id}`);
  return {
    mounted: tell("mounted"), beforeUpdate: tell("beforeUpdate"), updated: tell("updated"), destroyed: tell("destroyed"),
    disconnected: tell("disconnected"), reconnected: tell("reconnected"),
  };
}

/** Opens a page with this, and a hook `A` that tells. @param {string} html */
function page(html) {
  const live = open(`<div id="box">${html}</div>`);
  live.hook("A", teller());
  return live;
}

const A = (id = "a", inside = "", attributes = "") => `<div id="${id}" data-lv-hook="A"${attributes}>${inside}</div>`;

describe("an element is mounted once", () => {
  test("when the page is joined after its hook is known", () => {
    const live = open(`<div id="box">${A()}<p data-lv-hook="B"></p></div>`, { join: false });
    live.hook("A", teller());
    expect(called()).toEqual([]);
    socket().open().welcome();
    expect(called()).toEqual(["mounted a"]);
  });

  test("when its hook is known after the page is joined", () => {
    page(A() + A("b"));
    expect(called()).toEqual(["mounted a", "mounted b"]);
  });

  test("when the hook of one is given again, the new one takes over", () => {
    const live = page(A());
    live.hook("A", { mounted: ({ id }) => void calls.push(`other ${id}`) });
    expect(called()).toEqual(["mounted a", "destroyed a", "other a"]);
  });

  test.each(/** @type {[string, Value][]} */ ([
    ["by a morph", ["box", wire.INNER, `<div><div>${A()}</div></div>`]],
    ["by a morph that keeps what is in it", ["box", wire.INNER, `<div id="around">${A("a", `<i id="i"></i>`)}</div>`]],
    ["by steps", ["box", wire.STEPS, [[wire.CHILDREN, null, [], 2, [1, `<div>${A()}</div>`, 1]]]]],
    ["by a stream", ["log", wire.STREAM, [[0, `<li id="item">${A()}</li>`]]]],
    ["by an attribute", ["box", wire.INNER, `<i id="a" data-lv-hook="A"></i>`]],
    ["by an attribute in steps", ["box", wire.STEPS, [[wire.ATTRIBUTES, "i", [], "i", ["data-lv-hook", "A", "id", "a"]]]]],
  ]))("when it comes %s", (_, region) => {
    page(`<i id="i"></i><ul id="log" data-lv-stream></ul>`);
    patch(region);
    expect(called()).toEqual(["mounted a"]);
    patch(["box", wire.STEPS, [[wire.ATTRIBUTES, null, [], "div", ["class", "x"]]]]);
    expect(called()).toEqual([]);
  });

  test("and not in a template, nor outside of the page", () => {
    document.body.insertAdjacentHTML("beforeend", A("out"));
    page(`<template>${A()}</template>`);
    box(`<template>${A()}${A("b")}</template>`);
    expect(called()).toEqual([]);
  });
});

describe("an element is updated once a frame", () => {
  test.each(/** @type {[string, Value[]][]} */ ([
    ["text", [[["box", wire.STEPS, [[wire.TEXT, "a", [0, 0], 3, "two"], [wire.TEXT, "a", [0, 0], 3, "six"]]]]]],
    ["attributes", [[["box", wire.STEPS, [[wire.ATTRIBUTES, "a", [], "div", ["class", "x", "title", "y"]]]]]]],
    ["attributes in it", [[["box", wire.STEPS, [[wire.ATTRIBUTES, "a", [0], "b", ["class", "x"]]]]]]],
    ["children", [[["box", wire.STEPS, [[wire.CHILDREN, "a", [], 1, [1, "<i></i>"]]]]]]],
    ["a morph in it", [[["box", wire.STEPS, [[wire.MORPH, "a", [0], "<b>two</b>"]]]]]],
    ["text by a morph", [[["box", wire.INNER, A("a", "<b>two</b>")]]]],
    ["attributes by a morph", [[["box", wire.INNER, A("a", "<b>one</b>", ` class="x"`)]]]],
    ["attributes that go by a morph", [[["box", wire.INNER, A("a", "<b>one</b>", ` class="x"`)], ["box", wire.INNER, A("a", "<b>one</b>")]]]],
    ["nodes that come by a morph", [[["box", wire.INNER, A("a", "<b>one</b><i></i>")]]]],
    ["nodes that go by a morph", [[["box", wire.INNER, A("a")]]]],
    ["several regions", [[["box", wire.INNER, A("a", "<b>two</b>")], ["box", wire.INNER, A("a", "<b>six</b>")]]]],
    ["the whole element", [[["a", wire.OUTER, A("a", "<b>two</b>")]]]],
  ]))("by %s", (_, [regions]) => {
    page(A("a", "<b>one</b>"));
    called();
    patch(.../** @type {Value[]} */ (regions));
    expect(called()).toEqual(["beforeUpdate a", "updated a"]);
  });

  test("by the steps of a stream", () => {
    open(`<div id="a" data-lv-hook="A"><ul id="log" data-lv-stream><li id="x">1</li></ul></div>`).hook("A", teller());
    called();
    for (const op of [[0, `<li id="y"></li>`], [1, `<li id="y"></li>`], [3, `<li id="x">2</li>`], [4, "x"], [0, `<li id="z"></li>`, 1], [5]]) {
      patch(["log", wire.STREAM, [op]]);
      expect(called()).toEqual(["beforeUpdate a", "updated a"]);
    }
    for (const op of [[4, "x"], [5], [3, "text"]]) patch(["log", wire.STREAM, [op]]);
    expect(called()).toEqual([]);
  });

  test.each([
    [`<input value="a">`, `<input value="b">`],
    [`<input type="checkbox">`, `<input type="checkbox" checked>`],
    [`<textarea>a</textarea>`, `<textarea>b</textarea>`],
    [`<select><option>a</option></select>`, `<select><option selected>a</option></select>`],
    [`<details>a</details>`, `<details open>a</details>`],
  ])("by %s that is changed", (before, after) => {
    page(`<div id="a" data-lv-hook="A">${before}</div>`);
    called();
    box(`<div id="a" data-lv-hook="A">${before}</div>`);
    expect(called()).toEqual([]);
    box(`<div id="a" data-lv-hook="A">${after}</div>`);
    expect(called()).toEqual(["beforeUpdate a", "updated a"]);
  });

  test("before it, all is as it was, and after it all of the frame is there", () => {
    /** @type {(string | null)[]} */
    const seen = [];
    page(`<i>1</i><p id="a" data-lv-hook="B"><b>1</b></p><u>1</u>`).hook("B", {
      beforeUpdate: ({ textContent }) => void seen.push(textContent),
      updated: () => void seen.push($("#box").textContent),
    });
    box(`<i>2</i><p id="a" data-lv-hook="B"><b>2</b></p><u>2</u>`);
    expect(seen).toEqual(["1", "222"]);
  });

  test("and those around it are, too", () => {
    page(`<div id="around" data-lv-hook="A">${A("a", "1")}${A("b", "1")}</div>`);
    called();
    steps([wire.TEXT, "a", [0], 1, "2"]);
    expect(called()).toEqual(["beforeUpdate a", "beforeUpdate around", "updated a", "updated around"]);
    steps([wire.CHILDREN, "around", [], 2, [1, A("c"), 1]], [wire.CHILDREN, "around", [], 3, [1, -1, 1]]);
    expect(called()).toEqual(["beforeUpdate around", "updated around"]);
  });

  test("and not by what changes nothing of it", () => {
    page(`${A("a", `<details><summary>s</summary></details><input value="x">`)}<i>1</i>`);
    called();
    $("#a details").setAttribute("open", "");
    $("#a input").value = "typed";
    box(`${A("a", `<details><summary>s</summary></details><input value="x">`)}<i>2</i>`);
    steps([wire.CHILDREN, null, [], 2, [[1], [0]]]);
    expect(called()).toEqual([]);
  });

  test("and not by what a script does in it", () => {
    page(A("a", `<b data-lv-ignore></b>`, ` data-lv-ignore-attrs="class"`));
    called();
    $("#a").className = "own";
    $("#a b").textContent = "own";
    box(`${A("a", `<b data-lv-ignore>x</b>`, ` data-lv-ignore-attrs="class" class="x"`)}<i></i>`);
    expect(called()).toEqual([]);
    expect($("#a").outerHTML).toContain(`class="own"`);
  });

  test("and not where it is ignored", () => {
    page(A("a", "1", " data-lv-ignore"));
    called();
    box(A("a", "2", ` data-lv-ignore class="x"`));
    expect([called(), $("#a").textContent]).toEqual([[], "1"]);
  });
});

describe("an element is destroyed once", () => {
  test.each(/** @type {[string, Value][]} */ ([
    ["by a morph", ["box", wire.INNER, ""]],
    ["by steps", ["box", wire.STEPS, [[wire.CHILDREN, null, [], 1, [-1]]]]],
    ["by one that takes its place", ["box", wire.INNER, `<h1 id="a"></h1>`]],
    ["by an attribute that goes", ["box", wire.STEPS, [[wire.ATTRIBUTES, "a", [], "div", ["data-lv-hook", null]]]]],
  ]))("%s", (_, region) => {
    page(A());
    patch(region);
    box(`<i></i>`);
    const all = called();
    expect(all.filter((call) => !call.startsWith("beforeUpdate"))).toEqual(["mounted a", "destroyed a"]);
  });

  test("and not when it only moves", () => {
    page(`${A()}<div id="into"></div>`);
    called();
    const element = $("#a");
    box(`<div id="into">${A()}</div>`);
    expect([called(), $("#a")]).toEqual([[], element]);
    patch(["box", wire.STEPS, [[wire.CHILDREN, "into", [], 1, [1, A("b")]]]]);
    patch(["box", wire.STEPS, [[wire.CHILDREN, "into", [], 2, [[1], [0]]]]]);
    expect([called(), $("#a")]).toEqual([["mounted b"], element]);
  });

  test("and another one is mounted in its place", () => {
    page(A()).hook("B", { mounted: ({ id }) => void calls.push(`B ${id}`) });
    called();
    box(`<div id="a" data-lv-hook="B"></div>`);
    expect(called()).toEqual(["beforeUpdate a", "destroyed a", "B a"]);
  });
});

describe("a connection that is lost", () => {
  const lose = () => {
    socket().end();
    vi.advanceTimersByTime(250);
  };

  test("is told once, and once that it is back", () => {
    page(A());
    called();
    lose();
    expect(called()).toEqual(["disconnected a"]);
    socket().end();
    vi.advanceTimersByTime(1_000);
    socket().open();
    expect(called()).toEqual([]);
    socket().welcome();
    expect(called()).toEqual(["reconnected a"]);
  });

  test("is no news for those that came with the join, nor for those that went", () => {
    page(A());
    lose();
    called();
    socket().open().welcome({ fresh: true, patch: [0, [["box", wire.INNER, A("b")]]] });
    expect(called()).toEqual(["destroyed a", "mounted b"]);
    lose();
    expect(called()).toEqual(["disconnected b"]);
  });
});

test("a hook that throws keeps nothing from being done", () => {
  const error = vi.spyOn(console, "error").mockReturnValue();
  const fail = () => {
    throw new Error("own");
  };
  const live = page(A("a", "1"));
  called();
  live.hook("B", { mounted: fail, beforeUpdate: fail, updated: fail, destroyed: fail, disconnected: fail, reconnected: fail });
  box(`<p id="b" data-lv-hook="B">1</p>${A("a", "2")}`);
  box(`<p id="b" data-lv-hook="B">2</p>${A("a", "3")}`);
  socket().end();
  vi.advanceTimersByTime(250);
  socket().open().welcome({ seq });
  box(A("a", "4"));
  expect($("#box").textContent).toBe("4");
  expect(error.mock.calls.map(([what]) => what)).toEqual(["mounted", "beforeUpdate", "updated", "disconnected", "reconnected", "destroyed"].map((what) => `mizu: ${what}:`));
  expect(socket().of(wire.RESYNC)).toEqual([]);
});

test("what a hook puts into itself is its element's own", () => {
  /** @type {unknown[]} */
  const seen = [];
  const hook = {
    /** @this {import("../src/hooks.js").Life} */
    mounted() {
      this.name = `chart of ${this.element.id}`;
    },
    /** @this {import("../src/hooks.js").Life} */
    updated() {
      seen.push(this.name);
    },
  };
  open(`<div id="box">${A("a", "1")}${A("b", "1")}</div>`).hook("A", hook);
  box(A("a", "2") + A("b", "2"));
  expect(seen).toEqual(["chart of a", "chart of b"]);
  expect(Object.keys(hook)).toEqual(["mounted", "updated"]);
});

test("what a hook puts among the children is the next morph's to judge, and a custom element stays", () => {
  open(`<div id="box">${A("a", "<b>1</b>")}</div>`).hook("A", { mounted: (element) => element.append(document.createElement("x-chart")) });
  steps([wire.CHILDREN, "a", [], 1, [1, "<i></i>"]]);
  box(A("a", "<b>2</b><i></i>"));
  expect($("#a").innerHTML).toBe("<b>2</b><x-chart></x-chart><i></i>");
  expect(socket().of(wire.RESYNC)).toEqual([]);
});

test("without a page a hook is nothing", async () => {
  const { MizuLive } = await import("../src/index.js");
  new MizuLive({}).hook("A", teller());
  expect(called()).toEqual([]);
});
