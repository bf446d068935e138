import { describe, expect, test, vi } from "vitest";
import { mutation, typed } from "../src/local/mutation.js";

describe("arguments are collected", () => {
  for (const [text, values, fields, name, args] of /** @type {[string, [string, string][], [string, string][], string, object][]} */ ([
    ["todo.toggle", [["id", "7"]], [], "todo.toggle", { id: "7" }],
    [" todo.toggle ", [], [], "todo.toggle", {}],
    ["todo.merge", [["done", "true"], ["late", "false"], ["text", "True"], ["count", "1"], ["none", ""]], [], "todo.merge", { done: true, late: false, text: "True", count: "1", none: "" }],
    [`todo.merge {"id":"a b","n":1,"deep":{"x":[null]}}`, [], [], "todo.merge", { id: "a b", n: 1, deep: { x: [null] } }],
    [`todo.merge\n {"id":"a","done":false}`, [["done", "true"]], [], "todo.merge", { id: "a", done: true }],
    [`todo.merge {"id":"a","title":"old"}`, [["title", "values"]], [["title", "fields"]], "todo.merge", { id: "a", title: "fields" }],
    ["todo.merge", [], [["done", "true"], ["tag", "x"], ["tag", "y"]], "todo.merge", { done: "true", tag: "y" }],
    ["todo.create", [["id", "mine"]], [], "todo.create", { id: "mine" }],
  ])) {
    test(text, () => expect(mutation(text, values, fields)).toEqual({ name, args }));
  }

  test("and none of them is another thing than an argument", () => {
    const { args } = mutation("todo.merge", [["__proto__", "x"]], [["constructor", "y"]]) ?? {};
    expect(Object.entries(args ?? {})).toEqual([["__proto__", "x"], ["constructor", "y"]]);
    expect(Object.getPrototypeOf(args)).toBe(Object.prototype);
  });
});

test("what can't be read is no mutation, and the console says so", () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  for (const text of ["", "  ", "todo.merge {", "todo.merge nonsense", "todo.merge 7"]) expect(mutation(text, [], [])).toBeUndefined();
  expect(error).toHaveBeenCalledTimes(3);
});

test("what is created without an id gets one, and later ones sort behind earlier ones", () => {
  const ids = Array.from({ length: 500 }, () => String(mutation("todo.create", [["title", "x"]], [])?.args.id));
  for (const id of ids) expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  expect(new Set(ids).size).toBe(500);
  expect([...ids].sort()).toEqual(ids);
  expect(Math.abs(parseInt(ids[0].replace("-", "").slice(0, 12), 16) - Date.now())).toBeLessThan(60_000);
});

test("fields are what their controls mean, so that a typed mutator takes them", () => {
  document.body.innerHTML = `<form><input name="title" value="7"><input name="rank" type="number" value="3"><input name="none" type="number" value="">
    <input name="share" type="range" value="50"><input name="urgent" type="checkbox" checked><input name="tag" type="checkbox" value="x" checked><textarea name="text">1</textarea></form>`;
  const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
  const fields = /** @type {[string, string][]} */ ([["title", "7"], ["rank", "3"], ["none", ""], ["share", "50"], ["urgent", "on"], ["tag", "x"], ["text", "1"]]);
  expect(Object.fromEntries(typed(form, fields))).toEqual({ title: "7", rank: 3, none: "", share: 50, urgent: true, tag: "x", text: "1" });
});
