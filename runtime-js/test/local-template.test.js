import { beforeEach, describe, expect, test, vi } from "vitest";
import { groups } from "../src/local/groups.js";
import { Template } from "../src/local/template.js";

/** @typedef {import("../src/local/values.js").Json} Json */

/** The slots: a character each, and the same in an address. */
const [A, B, C] = ["\u{F0000}", "\u{F0001}", "\u{F0002}"];
const IN_ADDRESS = "%F3%B0%80%80";

beforeEach(() => {
  document.body.innerHTML = "";
});

/** @param {string} row @param {string} slots @param {string} [attributes] */
function template(row, slots, attributes = "") {
  const element = document.createElement("template");
  document.body.append(element);
  element.outerHTML = `<template data-lv-row="todo" data-lv-into="todos" data-lv-scope="s" data-lv-slots="${slots}" ${attributes}>${row}</template>`;
  return new Template(/** @type {HTMLTemplateElement} */ (document.querySelector("template:last-of-type")));
}

/** @param {string} row @param {string} slots @param {Json} data */
const filled = (row, slots, data) => template(row, slots).fill(data);

describe("a text is shown as it is", () => {
  for (const [value, text] of /** @type {[Json, string][]} */ ([
    ["Tea", "Tea"],
    ["<b>&amp;</b>", "<b>&amp;</b>"],
    [`"quoted" 'too'`, `"quoted" 'too'`],
    [`a slot ${A}${B} and ${IN_ADDRESS}`, `a slot ${A}${B} and ${IN_ADDRESS}`],
    ["$& $1 $`", "$& $1 $`"],
    ["", ""],
    [null, ""],
    [0, "0"],
    [-1.5, "-1.5"],
    [1e21, "1e+21"],
    [false, "false"],
    ["\uD800", "\uFFFD"],
    ["😀", "😀"],
  ])) {
    test(JSON.stringify(value), () => {
      const row = filled(`<li id="${A}" title="${B}!">Is ${B}.<i>${B}</i></li>`, "id title", { id: "a", title: value });
      expect(row.textContent).toBe(`Is ${text}.${text}`);
      expect(row.getAttribute("title")).toBe(`${text}!`);
      expect(row.children).toHaveLength(1);
      expect(row.children[0].children).toHaveLength(0);
      expect(row.id).toBe("a");
    });
  }
});

test("what a row doesn't have is empty, and slots that are not named stay", () => {
  expect(filled(`<li id="${A}">${B}${C}</li>`, "id title", { id: "a" }).textContent).toBe(C);
});

test("fields are found inside of fields, and nowhere else", () => {
  const row = `<li id="${A}">${B},${C}</li>`;
  const text = (/** @type {Json} */ data) => filled(row, "id author.name author.constructor.name", data).textContent;
  expect(text({ id: "a", author: { name: "Ann" } })).toBe("Ann,");
  for (const author of [null, "Ann", 7]) expect(text({ id: "a", author })).toBe(",");
});

test("an address is encoded", () => {
  const row = filled(`<li id="${A}"><a href="/x?id=${IN_ADDRESS}&amp;t=%f3%b0%80%81#${B}">x</a></li>`, "id title", { id: "a/b c", title: "ü&1" });
  expect(row.querySelector("a")?.getAttribute("href")).toBe("/x?id=a%2Fb%20c&t=%C3%BC%261#ü&1");
});

describe("arguments of a mutation are JSON, whatever is in them", () => {
  for (const value of /** @type {Json[]} */ (["Tea", `"},"x":1,{"`, "back\\slash", "line\nbreak", B, "</li>", 7, null, true, "5"])) {
    test(JSON.stringify(value), () => {
      const row = filled(`<li id="${A}" data-lv-mutate='todo.merge {"\\"":"${A}","text":"- ${B}","is":${B}}'></li>`, "id value", { id: "a", value });
      const text = row.getAttribute("data-lv-mutate") ?? "";
      expect(JSON.parse(text.slice("todo.merge ".length))).toEqual({ '"': "a", text: `- ${value ?? ""}`, is: value });
    });
  }
});

describe("a value is never run", () => {
  for (const [attribute, value, kept] of /** @type {[string, string, boolean][]} */ ([
    ["href", "javascript:alert(1)", false],
    ["href", " \u0001JaVa\tScRi\npt:alert(1)", false],
    ["src", "javascript:alert(1)", false],
    ["formaction", "javascript:alert(1)", false],
    ["onclick", "alert(1)", false],
    ["srcdoc", "<script>alert(1)</script>", false],
    ["href", "https://example.com/", true],
    ["href", "/javascript:", true],
    ["title", "javascript: the good parts", true],
  ])) {
    test(`${attribute}=${JSON.stringify(value)}`, () => {
      const element = filled(`<li id="${A}"><a ${attribute}="${B}">x</a></li>`, "id x", { id: "a", x: value }).children[0];
      expect(element.getAttribute(attribute)).toBe(kept ? value : null);
    });
  }

  test("scripts and styles", () => {
    const row = filled(`<li id="${A}"><style>${B}</style><script>${B}</script></li>`, "id x", { id: "a", x: "*{}" });
    expect(row.querySelector("script")).toBeNull();
    expect(row.querySelector("style")?.textContent).toBe(B);
  });
});

test("the element is found by the row's id, and the row by the element's", () => {
  const one = template(`<li id="todo-${A}-x">x</li>`, "id");
  expect(one.usable).toBe(true);
  expect(one.elementId("a$&")).toBe("todo-a$&-x");
  for (const [id, row] of [["todo-7-x", "7"], ["todo--x", undefined], ["todo-x", undefined], ["note-7-x", undefined], ["", undefined]]) {
    expect(one.rowId(/** @type {string} */ (id))).toBe(row);
  }
  expect(template(`<li>${A}</li>`, "id").usable).toBe(false);
  expect(template("", "id").usable).toBe(false);
});

test("a row is drawn from the template of its flags, and what it lacks is as in the first one", () => {
  for (const kind of ["plain", "loud"]) {
    for (const done of [false, true]) {
      template(`<li id="${A}">${done} ${kind}</li>`, "id", `data-lv-flags='{"done":${done},"look.kind":"${kind}"}'`);
    }
  }
  const [group, ...others] = groups();
  expect(others).toHaveLength(0);
  for (const [data, text] of /** @type {[Json, string][]} */ ([
    [{ id: "a", done: true, look: { kind: "loud" } }, "true loud"],
    [{ id: "a", done: false, look: { kind: "plain" } }, "false plain"],
    [{ id: "a" }, "false plain"],
    [{ id: "a", done: true }, "true plain"],
    [{ id: "a", look: { kind: "loud" } }, "false loud"],
    [{ id: "a", done: "true" }, "false plain"],
  ])) {
    expect(group.fill(data).textContent).toBe(text);
  }
});

test("templates belong together by entity, scope and container, and flags that can't be read are none", () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  template(`<li id="${A}">1</li>`, "id");
  template(`<li id="${A}">2</li>`, "id", `data-lv-flags="not JSON"`);
  document.body.insertAdjacentHTML("beforeend", `<template data-lv-row="note" data-lv-into="todos" data-lv-scope="s" data-lv-slots="id"><p id="${A}"></p></template>`);
  expect(groups().map(({ first, templates }) => [first.entity, templates.length])).toEqual([["todo", 2], ["note", 1]]);
  expect(error).toHaveBeenCalled();
});
