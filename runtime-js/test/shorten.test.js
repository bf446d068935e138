/** Names that are shortened in the bundles: none of them may be one that somebody else uses. */
import { join } from "node:path";
import { minify } from "terser";
import { expect, test } from "vitest";
import { shorten } from "../scripts/shorten.js";
import { MizuLive } from "../src/index.js";
import { Patcher } from "../src/patch.js";

/** @param {string} source @param {string[]} [internal] */
async function short(source, internal = []) {
  const { ast } = /** @type {{ ast?: any }} */ (await minify(source, /** @type {any} */ ({ compress: false, mangle: false, module: true, format: { spidermonkey: true, code: false } })));
  shorten(ast, internal);
  const { code } = await minify(ast, /** @type {any} */ ({ compress: false, mangle: false, module: true, parse: { spidermonkey: true } }));
  return code;
}

test("what is private is a property, declared where it has a value", async () => {
  expect(await short("class A{#a;#b=1;c;constructor(t){this.#a=t}#d(){return this.#a+this.#b}}")).toBe("class A{b=1;c;constructor(t){this.a=t}d(){return this.a+this.b}}");
});

test("a class that others are derived from shares no name with them", async () => {
  const code = await short("var A=class{#a=1;get one(){return this.#a}},B=class extends A{#a=2;get two(){return this.#a}};export{B}");
  expect(code).toBe("var A=class{A=1;get one(){return this.A}},B=class extends A{a=2;get two(){return this.a}};export{B};");
});

test("what is listed is short everywhere, and texts and what is computed stay", async () => {
  expect(await short("let{one:t,two:e}=x;x.one={one:1,three:2};x[one]=`one`", ["one"])).toBe("let{A:t,two:e}=x;x.A={A:1,three:2};x[one]=`one`;");
});

test.each([
  ["class A{#a=1;b(x){return x.a}}", [], "a is something else already"],
  ["x.one", ["two"], "nothing is called two any more"],
  [`x.one(y["one"])`, ["one"], "one is spelled out"],
])("%s is refused", async (source, internal, why) => {
  await expect(short(source, internal)).rejects.toThrow(why);
});

test("the bundle has every public name", async () => {
  const built = await import(/* @vite-ignore */ join(import.meta.dirname, "../dist/mizu-live.js"));
  expect(Object.keys(built).sort()).toEqual(["MizuLive", "live"]);
  const methods = Object.getOwnPropertyNames(MizuLive.prototype);
  expect(methods).toContain("hook");
  expect(Object.getOwnPropertyNames(built.MizuLive.prototype)).toEqual(expect.arrayContaining(methods));
  // What the local store draws with.
  const patcher = new built.MizuLive({ root: document.createElement("div") }).over({});
  for (const name of ["during", "copy", "draw"]) expect([typeof Reflect.get(Patcher.prototype, name), typeof patcher[name]]).toEqual(["function", "function"]);
});
