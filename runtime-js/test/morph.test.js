/** What a patch keeps. What happy-dom has no layout, focus or parser for is tested in a browser. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import * as wire from "../src/constants.js";
import { $, fire, open, setup, socket, type } from "./support.js";

setup();

let seq = 0;
beforeEach(() => {
  seq = 0;
});
/** Patches what is inside `#box`. @param {string} html */
const patch = (html) => socket().receive(wire.PATCH, 0, [++seq, [["box", wire.INNER, html]]]);
/** @param {string} html */
const box = (html) => open(`<div id="box">${html}</div>`);
/** Counts mutations under the whole document. @param {() => void} act */
function mutations(act) {
  const observer = new MutationObserver(() => {});
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  act();
  return observer.takeRecords().length;
}

test("D13 elements with ids keep their identity when they move", () => {
  box(`<ul><li id="r1">1</li><li id="r2">2</li><li id="r3">3</li></ul>`);
  const rows = ["#r3", "#r1", "#r2"].map($);
  patch(`<ul><li id="r3">3</li><li id="r9">9</li><li id="r1">1</li><li id="r2">2!</li></ul>`);
  expect([...$("ul").children].filter(({ id }) => id !== "r9")).toEqual(rows);
  expect($("ul").textContent).toBe("3912!");
});

test("D26 an equal patch mutates nothing, and a small one little", () => {
  box(`<p class="a">one</p><input value="x"><textarea>t</textarea>`);
  type("input", "typed");
  expect(mutations(() => patch(`<p class="a">one</p><input value="x"><textarea>t</textarea>`))).toBe(0);
  const text = $("p").firstChild;
  patch(`<p class="a">two</p><input value="x"><textarea>t</textarea>`);
  expect($("p").firstChild).toBe(text);
  expect($("input").value).toBe("typed");
});

describe("D4 a control keeps what the user made of it until its attribute changes, and unsent text even then", () => {
  test.each([
    ["text", `<input value="a">`, `<input value="b">`, () => type("input", "typed"), () => $("input").value, "typed", "typed"],
    ["no value", `<input>`, `<input value="b">`, () => type("input", "typed"), () => $("input").value, "typed", "typed"],
    ["a textarea", `<textarea>a</textarea>`, `<textarea>b</textarea>`, () => type("textarea", "typed"), () => $("textarea").value, "typed", "typed"],
    ["a checkbox", `<input type="checkbox" checked>`, `<input type="checkbox">`, () => ($("input").checked = false), () => $("input").checked, false, false],
    ["a box to check", `<input type="checkbox">`, `<input type="checkbox" checked>`, () => ($("input").checked = false), () => $("input").checked, false, true],
    ["details", `<details><summary>s</summary></details>`, `<details open><summary>s</summary></details>`, () => $("details").setAttribute("open", ""), () => $("details").hasAttribute("open"), true, true],
    ["open details", `<details open>s</details>`, `<details>s</details>`, () => $("details").removeAttribute("open"), () => $("details").hasAttribute("open"), false, false],
    ["a select", `<select><option value="1">1</option><option value="2">2</option></select>`, `<select><option value="1">1</option><option value="2">2</option><option value="3" selected>3</option></select>`, () => ($("select").value = "2"), () => $("select").value, "2", "3"],
  ])("%s", (_, before, after, act, read, kept, shown) => {
    box(`<p>0</p>${before}`);
    act();
    patch(`<p>1</p>${before}`);
    expect(read()).toBe(kept);
    patch(`<p>2</p>${after}`);
    expect(read()).toBe(shown);
  });

  test("details that the server opened and the user closed stay closed", () => {
    box(`<details>a</details>`);
    patch(`<details open>a</details>`);
    expect($("details").hasAttribute("open")).toBe(true);
    $("details").removeAttribute("open");
    patch(`<details open>b</details>`);
    expect($("details").hasAttribute("open")).toBe(false);
  });

  test("details that came with a patch are remembered too", () => {
    box(`<p>0</p>`);
    patch(`<p>1</p><details>a</details>`);
    $("details").setAttribute("open", "");
    patch(`<p>2</p><details>a</details>`);
    expect($("details").hasAttribute("open")).toBe(true);
  });

  test("a choice survives options that come and go", () => {
    const options = (/** @type {string[]} */ ...values) => `<select>${values.map((value) => `<option value="${value}">${value}</option>`).join("")}</select>`;
    box(options("a", "b", "c"));
    $("select").value = "b";
    patch(options("z", "a", "b", "c"));
    expect($("select").value).toBe("b");
    patch(options("b", "z"));
    expect($("select").value).toBe("b");
  });

  test("other attributes follow the server", () => {
    box(`<input value="a" class="x" disabled>`);
    type("input", "typed");
    patch(`<input value="a" class="y" placeholder="p">`);
    expect($("input").outerHTML).toBe(`<input value="a" class="y" placeholder="p">`);
    expect($("input").value).toBe("typed");
  });
});

describe("D1 a focused field", () => {
  test("keeps its text, and shows the server's when it is left, if the server has seen what was typed", () => {
    box(`<input id="i" name="q" value="a" data-lv-input="q">`);
    $("#i").focus();
    type("#i", "typed");
    socket().receive(wire.REPLY, socket().of(wire.EVENT).at(-1)?.ref ?? 0, [0]);
    patch(`<input id="i" name="q" value="b" class="x" data-lv-input="q">`);
    expect([$("#i").value, $("#i").getAttribute("value"), $("#i").className]).toEqual(["typed", "b", "x"]);
    expect(document.activeElement).toBe($("#i"));
    $("#i").blur();
    expect($("#i").value).toBe("b");
  });

  test("keeps text that was never sent when it is left: what is submitted then is what the user sees", () => {
    box(`<input id="i" value="a">`);
    $("#i").focus();
    type("#i", "typed");
    patch(`<input id="i" value="b">`);
    $("#i").blur();
    expect([$("#i").value, $("#i").getAttribute("value")]).toEqual(["typed", "b"]);
  });

  test("that was typed into since keeps that", () => {
    box(`<input id="i" value="a">`);
    $("#i").focus();
    type("#i", "typed");
    patch(`<input id="i" value="b">`);
    type("#i", "typed more");
    $("#i").blur();
    expect($("#i").value).toBe("typed more");
  });

  test("that composes is left alone even when the focus is elsewhere", () => {
    box(`<input id="i" value="a"><input id="j">`);
    fire("#i", "compositionstart");
    type("#i", "に");
    patch(`<input id="i" value="b"><input id="j">`);
    expect($("#i").value).toBe("に");
    fire("#i", "compositionend");
    expect($("#i").value).toBe("に");
  });
});

describe("D24 input on its way", () => {
  const INPUT = (value = "") => `<input id="i" name="q" value="${value}" data-lv-input="q">`;
  const ref = () => socket().of(wire.EVENT).at(-1)?.ref ?? 0;

  test("is not overwritten by what the server said before it", () => {
    box(INPUT());
    type("#i", "a");
    type("#i", "ab");
    socket().receive(wire.REPLY, ref() - 1, [0, [++seq, [["box", wire.INNER, INPUT("A")]]]]);
    expect($("#i").value).toBe("ab");
    socket().receive(wire.REPLY, ref(), [0, [++seq, [["box", wire.INNER, INPUT("AB")]]]]);
    expect($("#i").value).toBe("AB");
  });

  test("gives way to a refusal that renders the same", () => {
    box(INPUT("a"));
    type("#i", "ab");
    patch(INPUT("x"));
    expect($("#i").value).toBe("ab");
    type("#i", "abc");
    socket().receive(wire.REPLY, ref() - 1, [0]);
    expect($("#i").value).toBe("abc");
    socket().receive(wire.REPLY, ref(), [0]);
    expect($("#i").value).toBe("x");
  });

  test("waiting for its debounce counts as newer", () => {
    box(`<input id="i" name="q" value="" data-lv-input="q" data-lv-debounce="300">`);
    type("#i", "ab");
    patch(`<input id="i" name="q" value="A" data-lv-input="q" data-lv-debounce="300">`);
    expect($("#i").value).toBe("ab");
    vi.advanceTimersByTime(300);
    socket().receive(wire.REPLY, ref(), [0]);
    expect($("#i").value).toBe("A");
  });
});

describe("D6 an accepted submit", () => {
  const FORM = `<form id="f" data-lv-submit="add" method="post"><input name="title" value=""><input name="kind" value="a"><input type="checkbox" name="c"></form>`;
  const submit = () => {
    $("#f").dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true }));
    return socket().of(wire.EVENT).at(-1)?.ref ?? 0;
  };

  test("clears the form as a native one would, focused or not", () => {
    box(FORM);
    $("[name=title]").focus();
    type("[name=title]", "milk");
    type("[name=kind]", "b");
    $("[name=c]").checked = true;
    socket().receive(wire.REPLY, submit(), [0]);
    expect([$("[name=title]").value, $("[name=kind]").value, $("[name=c]").checked]).toEqual(["", "a", false]);
  });

  test("leaves what was changed since", () => {
    box(FORM);
    type("[name=title]", "milk");
    const ref = submit();
    type("[name=title]", "bread");
    socket().receive(wire.REPLY, ref, [0]);
    expect($("[name=title]").value).toBe("bread");
  });

  test("is not one that failed", () => {
    box(FORM);
    type("[name=title]", "milk");
    socket().receive(wire.REPLY, submit(), [1, null, ["invalid", "no"]]);
    expect($("[name=title]").value).toBe("milk");
  });

  test("shows what the answer renders", () => {
    box(FORM);
    type("[name=title]", "milk");
    socket().receive(wire.REPLY, submit(), [0, [++seq, [["box", wire.INNER, FORM.replace(`value=""`, `value="MILK"`)]]]]);
    expect($("[name=title]").value).toBe("MILK");
  });
});

describe("a fresh mount", () => {
  const PAGE = (/** @type {string} */ title, loose = "") => `<form data-lv-change="check"><input name="title" value="${title}"></form><input id="loose" value="${loose}"><input id="calm" value="${title}">`;
  /** @param {string} html */
  const restart = (html) => {
    socket().end();
    vi.advanceTimersByTime(250);
    socket().open().welcome({ fresh: true, patch: [0, [["box", wire.INNER, html]]] });
  };

  test("keeps what the user wrote, and tells the new session", () => {
    box(PAGE("a"));
    type("[name=title]", "typed");
    type("#loose", "loose");
    restart(PAGE("b", "server"));
    expect(["[name=title]", "#loose", "#calm"].map((selector) => $(selector).value)).toEqual(["typed", "loose", "b"]);
    expect(socket().of(wire.EVENT)).toMatchObject([{ body: ["check", null, [], [["title", "typed"]], null, new Map([["type", "change"], ["field", "title"]])] }]);
  });

  test("tells nothing when nothing was written", () => {
    box(PAGE("a"));
    restart(PAGE("b"));
    expect(socket().of(wire.EVENT)).toHaveLength(0);
  });

  test("tells input that waited for the connection once", () => {
    box(PAGE("a"));
    socket().end();
    type("[name=title]", "typed");
    fire("[name=title]", "change");
    vi.advanceTimersByTime(250);
    socket().open().welcome({ fresh: true });
    expect(socket().of(wire.EVENT)).toHaveLength(1);
  });
});

test("an ignored subtree is not looked at", () => {
  box(`<div id="map" data-lv-ignore class="a"></div><p>0</p>`);
  $("#map").innerHTML = `<canvas class="own"></canvas>`;
  $("#map").className = "own";
  patch(`<div id="map" data-lv-ignore class="b">server</div><p>1</p>`);
  expect($("#map").outerHTML).toBe(`<div id="map" data-lv-ignore="" class="own"><canvas class="own"></canvas></div>`);
  expect($("p").textContent).toBe("1");
});

test("a whole element is replaced, also by another tag", () => {
  open(`<table><tbody><tr id="r1"><td>1</td></tr><tr id="r2"><td>2</td></tr></tbody></table><p id="p">x</p><i></i>`);
  socket().receive(wire.PATCH, 0, [1, [["r2", wire.OUTER, `<tr id="r2" class="new"><td>two</td></tr>`], ["p", wire.OUTER, `<div id="p">y</div>`]]]);
  expect($("#lv-root").innerHTML).toBe(`<table><tbody><tr id="r1"><td>1</td></tr><tr id="r2" class="new"><td>two</td></tr></tbody></table><div id="p">y</div><i></i>`);
});
