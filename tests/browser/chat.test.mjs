/** Chat: who is there, who is typing, and what was said, which outlives the server. */
import assert from "node:assert/strict";
import { browser, joined, text, texts, visit } from "./support/browser.mjs";
import { own } from "./support/server.mjs";
import { becomes, until } from "./support/wait.mjs";

/** @typedef {import("./support/browser.mjs").Page} Page */
/** @typedef {import("./support/browser.mjs").Scene} Scene */

const scene = browser();

/** @param {Scene["later"]} later */
const serve = (later) => own("chat", later, { MIZU_SECRET: "the same before and after a restart" });

/** What was said, oldest first. @param {Page} page */
const said = async (page) => (await texts(page, "#messages p")).reverse();
/** @param {Page} page */
const people = async (page) => (await texts(page, "#people li")).length;
/** @param {Page} page */
const me = async (page) => ((await page.getAttribute("#say [name=text]", "placeholder")) ?? "").replace("Say something as ", "");

/** @param {Page} page @param {string} message */
async function say(page, message) {
  await page.fill("#say [name=text]", message);
  await page.press("#say [name=text]", "Enter");
  await page.locator("#messages p", { hasText: message }).first().waitFor();
}

scene("people come and go, once for each person, however many tabs", async ({ context, page, stranger, later }) => {
  const { url } = await serve(later);
  const other = await stranger();
  await visit(page, `${url}/chat`);
  await visit(other, `${url}/chat`);
  for (const each of [page, other]) await becomes(() => people(each), 2);
  const second = await context.newPage();
  await visit(second, `${url}/chat`);
  await becomes(() => people(second), 2);
  assert.equal(await me(second), await me(page), "the same person");
  await page.close();
  await say(second, "Still here");
  await becomes(() => said(other), ["Still here"]);
  assert.equal(await people(other), 2);
  await second.close();
  await becomes(() => people(other), 1);
});

scene("who is typing shows to the others, until they are quiet or have said it", async ({ page, stranger, later }) => {
  const { url } = await serve(later);
  const other = await stranger();
  await visit(page, `${url}/chat`);
  await visit(other, `${url}/chat`);
  const name = await me(page);
  await page.locator("#say [name=text]").pressSequentially("Hel");
  await becomes(() => text(other, "#typing"), `${name} is typing …`);
  assert.equal(await text(page, "#typing"), "");
  await page.press("#say [name=text]", "Enter");
  await becomes(() => said(other), ["Hel"]);
  await becomes(() => text(other, "#typing"), "");
  await page.locator("#say [name=text]").pressSequentially("x");
  await becomes(() => text(other, "#typing"), `${name} is typing …`);
  await becomes(() => text(other, "#typing"), "");
});

scene("rooms are apart", async ({ page, stranger, later }) => {
  const { url } = await serve(later);
  const other = await stranger();
  await visit(page, `${url}/chat`);
  await visit(other, `${url}/chat?room=tea`);
  await say(page, "Lobby only");
  await say(other, "Tea only");
  assert.deepEqual(await said(page), ["Lobby only"]);
  await becomes(() => people(page), 1);
  await page.click("#rooms >> text=tea");
  await becomes(() => said(page), ["Tea only"]);
  for (const each of [page, other]) await becomes(() => people(each), 2);
  await page.goBack();
  await becomes(() => said(page), ["Lobby only"]);
  await becomes(() => people(other), 1);
  const response = await page.goto(`${url}/chat?room=nowhere`);
  assert.equal(response?.status(), 404);
});

scene("what was said outlives the server, and what is being written as well", async ({ page, stranger, watch, later }) => {
  const server = await serve(later);
  watch.expect(/WebSocket/);
  const other = await stranger();
  await visit(page, `${server.url}/chat`);
  await visit(other, `${server.url}/chat`);
  for (let at = 1; at <= 55; at++) await say(page, `message ${at}.`);
  await becomes(async () => (await said(other)).length, 50);
  assert.equal((await said(other))[0], "message 6.");
  await other.fill("#say [name=text]", "not sent yet");
  await server.restart();
  await until(async () => (await joined(other), true), "the other page to join");
  await joined(page);
  await say(page, "after the restart");
  await becomes(async () => (await said(other)).at(-1), "after the restart");
  assert.equal(await other.inputValue("#say [name=text]"), "not sent yet");
  for (const each of [page, other]) await becomes(() => people(each), 2);
});

scene(
  "without JavaScript one reads and says",
  async ({ page, later }) => {
    const { url } = await serve(later);
    await page.goto(`${url}/chat`);
    await say(page, "Plain <b>");
    await page.click("#rooms >> text=rust");
    await becomes(() => said(page), []);
    await page.click("#rooms >> text=lobby");
    await becomes(() => said(page), ["Plain <b>"]);
  },
  { javaScriptEnabled: false },
);
