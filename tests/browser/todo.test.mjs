/** Todos over durable data: every way in ends in the same mutators, and every open page follows. */
import assert from "node:assert/strict";
import { browser, text, texts, visit } from "./support/browser.mjs";
import { Proxy } from "./support/proxy.mjs";
import { own } from "./support/server.mjs";
import { becomes } from "./support/wait.mjs";

/** @typedef {import("./support/browser.mjs").Page} Page */
/** @typedef {import("./support/browser.mjs").Scene} Scene */

const scene = browser();

/** @param {Scene["later"]} later */
const serve = (later) => own("todo", later);

/** @param {Page} page */
const titles = (page) => texts(page, "#todos .title");
/** @param {Page} page */
const done = (page) => texts(page, "#todos [data-done] .title");

/** @param {Page} page @param {string} title */
async function add(page, title) {
  await page.fill("#new-todo [name=title]", title);
  await page.press("#new-todo [name=title]", "Enter");
  await page.locator("#todos .title", { hasText: title }).waitFor();
}

/** @param {Page} page @param {string} title @param {"toggle" | "delete"} what */
async function press(page, title, what) {
  await page.locator("#todos li", { hasText: title }).locator(`.${what}`).click();
}

/** @param {string} url @param {string} method @param {unknown} [body] */
async function rest(url, method, body) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.text();
  return { status: response.status, body: answer && JSON.parse(answer) };
}

scene(
  "without JavaScript todos are added, ticked, deleted and filtered",
  async ({ page, later }) => {
    const { url } = await serve(later);
    await page.goto(`${url}/todos`);
    for (const title of ["Tea & <b>", "Milk"]) await add(page, title);
    await press(page, "Tea", "toggle");
    await becomes(() => done(page), ["Tea & <b>"]);
    assert.equal(await text(page, "#count"), "1 to do");
    await page.click("text=Open");
    await becomes(() => titles(page), ["Milk"]);
    await page.click("text=Done");
    await becomes(() => titles(page), ["Tea & <b>"]);
    await press(page, "Tea", "delete");
    await becomes(() => titles(page), []);
    await page.click("text=All");
    await becomes(() => titles(page), ["Milk"]);
    await page.fill("#new-todo [name=title]", "  ");
    await page.press("#new-todo [name=title]", "Enter");
    await page.locator("#lv-flash", { hasText: "1 to 200 characters" }).waitFor();
    assert.deepEqual(await titles(page), ["Milk"]);
  },
  { javaScriptEnabled: false },
);

scene("two people and a script see what any of them does", async ({ page, stranger, later }) => {
  const { url } = await serve(later);
  const other = await stranger();
  await visit(page, `${url}/todos`);
  await visit(other, `${url}/todos`);
  await add(page, "Tea");
  await becomes(() => titles(other), ["Tea"]);
  await press(other, "Tea", "toggle");
  await becomes(() => done(page), ["Tea"]);
  const made = await rest(`${url}/api/todos`, "POST", { title: "From a script" });
  assert.equal(made.status, 201);
  for (const each of [page, other]) await becomes(() => titles(each), ["Tea", "From a script"]);
  assert.equal((await rest(`${url}/api/todos/${made.body.id}`, "PUT", { title: "Renamed", done: true })).status, 200);
  for (const each of [page, other]) await becomes(() => done(each), ["Tea", "Renamed"]);
  assert.equal((await rest(`${url}/api/todos/${made.body.id}`, "DELETE")).status, 204);
  for (const each of [page, other]) await becomes(() => titles(each), ["Tea"]);
  assert.deepEqual((await rest(`${url}/api/todos`, "GET")).body.map((/** @type {any} */ todo) => todo.title), ["Tea"]);
  assert.equal(await page.title(), "Todos (0)");
});

scene("the filter is an address, and each page keeps its own", async ({ page, stranger, later }) => {
  const { url } = await serve(later);
  await visit(page, `${url}/todos`);
  for (const title of ["Tea", "Milk"]) await add(page, title);
  await press(page, "Tea", "toggle");
  const other = await stranger();
  await visit(other, `${url}/todos?show=done`);
  await becomes(() => titles(other), ["Tea"]);
  await page.click("text=Open");
  await becomes(() => titles(page), ["Milk"]);
  assert.equal(page.url(), `${url}/todos?show=open`);
  await press(page, "Milk", "toggle");
  await becomes(() => titles(page), []);
  await becomes(() => titles(other), ["Tea", "Milk"]);
  await page.goBack();
  await becomes(() => titles(page), ["Tea", "Milk"]);
});

scene("a network that lets no socket through leaves plain posts and links", async ({ page, later }) => {
  const server = await serve(later);
  const proxy = await Proxy.before(server, later);
  proxy.cutSockets();
  // Without the store, it is the plain forms that are left.
  await page.route("**/mizu-local.js", (route) => route.abort());
  await page.goto(`${proxy.url}/todos`);
  await add(page, "Tea");
  await press(page, "Tea", "toggle");
  await becomes(() => done(page), ["Tea"]);
  await page.click("text=Open");
  await becomes(() => titles(page), []);
});
