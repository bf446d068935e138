/** Chat: who is there, who is typing, and what was said, which outlives the server and which no page on the server holds. */
import assert from "node:assert/strict";
import { JOIN, PATCH, REPLY } from "../../runtime-js/src/constants.js";
import { browser, frames, joined, parted, stamp, text, texts, visit } from "./support/browser.mjs";
import { Proxy } from "./support/proxy.mjs";
import { own } from "./support/server.mjs";
import { becomes, until } from "./support/wait.mjs";

/** @typedef {import("./support/browser.mjs").Page} Page */
/** @typedef {import("./support/browser.mjs").Scene} Scene */

const scene = browser();

/** @param {Scene["later"]} later @param {Record<string, string>} [env] */
const serve = (later, env) => own("chat", later, { MIZU_SECRET: "the same before and after a restart", ...env });

/** What was said, oldest first. @param {Page} page */
const said = (page) => texts(page, "#messages p");
/** The numbers of the messages that a page has, in the order in which they stand. @param {Page} page @returns {Promise<number[]>} */
const numbers = (page) => page.$$eval("#messages li", (items) => items.map(({ id }) => Number(id.replace("message-", ""))));
/** @param {number} first @param {number} last */
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, at) => first + at);
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
  await becomes(() => numbers(other), range(1, 55));
  await other.fill("#say [name=text]", "not sent yet");
  await server.restart();
  await until(async () => (await joined(other), true), "the other page to join");
  await joined(page);
  await say(page, "after the restart");
  await becomes(async () => (await said(other)).at(-1), "after the restart");
  // Both were mounted anew, and show what a page begins with.
  for (const each of [page, other]) assert.deepEqual(await numbers(each), range(6, 56));
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

scene(
  "without JavaScript one reads what was said earlier, and all at once",
  async ({ page, later }) => {
    const { url } = await serve(later, { CHAT_FILL: "120" });
    await page.goto(`${url}/chat`);
    assert.equal((await said(page)).at(-1), "Message 120.");
    for (const first of [71, 21, 1]) {
      await becomes(async () => (await said(page))[0], `Message ${first}.`);
      if (first > 1) await page.click("#earlier button");
    }
    assert.deepEqual([await said(page), await page.locator("#earlier button").count()], [range(1, 120).map((at) => `Message ${at}.`), 0]);
    await say(page, "Read it all");
    assert.equal((await said(page)).length, 121, "what was fetched stays");
    await page.goto(`${url}/chat?all`);
    assert.equal((await said(page)).length, 121);
  },
  { javaScriptEnabled: false },
);

scene("what was said earlier is fetched by and by", async ({ page, stranger, later }) => {
  const { url } = await serve(later, { CHAT_FILL: "120" });
  const other = await stranger();
  await visit(page, `${url}/chat`);
  await visit(other, `${url}/chat`);
  assert.deepEqual(await numbers(page), range(71, 120));
  await page.click("#earlier button");
  await becomes(() => numbers(page), range(21, 120));
  await say(other, "Meanwhile");
  await becomes(() => numbers(page), range(21, 121));
  await page.click("#earlier button");
  await becomes(() => numbers(page), range(1, 121));
  await becomes(() => page.locator("#earlier button").count(), 0);
});

scene("who speak at the same time are heard in one order", async ({ page, stranger, later }) => {
  const { url } = await serve(later);
  const others = [await stranger(), await stranger()];
  const all = [page, ...others];
  for (const each of all) await visit(each, `${url}/chat`);
  const speak = async (/** @type {Page} */ each, /** @type {number} */ who) => {
    for (let at = 1; at <= 8; at++) await say(each, `${who} says ${at}.`);
  };
  await Promise.all(all.map(speak));
  for (const each of all) await becomes(() => numbers(each), range(1, 24));
  const [first, ...rest] = await Promise.all(all.map(said));
  for (const heard of rest) assert.deepEqual(heard, first);
});

scene("ten thousand messages stay where they are while new ones come", async ({ page, stranger, later }) => {
  const { url } = await serve(later, { CHAT_FILL: "10000" });
  const other = await stranger();
  await visit(other, `${url}/chat`);
  await visit(page, `${url}/chat?all`);
  assert.deepEqual(await numbers(page), range(1, 10_000));
  assert.deepEqual(frames(page).filter(({ kind }) => kind === PATCH), [], "they came with the HTML and not again");
  await page.evaluate(() => {
    const old = document.querySelector("#message-0000000077");
    old.tabIndex = -1;
    old.focus();
    getSelection().selectAllChildren(old.querySelector("p"));
    Object.assign(window, { old, items: [...document.querySelectorAll("#messages li")] });
  });
  const kept = () =>
    page.evaluate(() => [
      document.activeElement === window.old,
      getSelection().toString(),
      window.items.every((/** @type {Element} */ item, /** @type {number} */ at) => item === document.querySelector("#messages").children[at]),
    ]);
  for (let at = 1; at <= 3; at++) {
    await say(other, `new ${at}.`);
    await becomes(() => page.locator("#messages li").count(), 10_000 + at);
    assert.deepEqual(await kept(), [true, "Message 77.", true]);
  }
  const sizes = frames(page).filter(({ way, kind, body }) => way === "received" && kind === PATCH && JSON.stringify(body).includes("new ")).map(({ size }) => size);
  assert.equal(sizes.length, 3);
  assert.ok(Math.max(...sizes) < 400, `a message costs itself: ${sizes}`);
});

scene("with the network away nothing is missed, and nothing comes twice", async ({ page, stranger, later }) => {
  const server = await serve(later, { CHAT_FILL: "2000" });
  const proxy = await Proxy.open(server);
  later(() => proxy.close());
  const other = await stranger();
  await visit(other, `${server.url}/chat`);
  await visit(page, `${proxy.url}/chat?all`);
  const same = await stamp(page);
  let last = 2_000;
  const heard = async () => becomes(async () => (await numbers(page)).slice(-20), range(last - 19, last));
  // Dropped with messages on their way: some were taken in, some were not, and the server has not heard which.
  for (let round = 1; round <= 4; round++) {
    for (const word of ["one", "two"]) {
      await say(other, `${word} of ${round}`);
      last++;
    }
    proxy.drop();
    await heard();
    await joined(page);
  }
  // Away for longer.
  proxy.cut();
  await parted(page);
  for (const word of ["three", "four", "five"]) {
    await say(other, word);
    last++;
  }
  proxy.restore();
  await heard();
  await joined(page);
  await say(page, "back");
  last++;
  await heard();
  assert.deepEqual(await numbers(page), range(1, last));
  const joins = frames(page).filter(({ way, kind }) => way === "sent" && kind === JOIN).map(({ ref }) => ref);
  const answers = frames(page).filter(({ way, kind, ref }) => way === "received" && kind === REPLY && joins.includes(ref));
  assert.ok(answers.length > 4);
  assert.ok(answers.every(({ body }) => !body[2][5] && JSON.stringify(body[1] ?? "").length < 4_000), "it was one session all the time, and sent what was missed");
  await same();
});
