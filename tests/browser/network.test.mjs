/** The network between the browser and the server fails, and comes back. */
import assert from "node:assert/strict";
import { EVENT, JOIN } from "../../runtime-js/src/constants.js";
import { answer, browser, frames, heard, joined, parted, stamp, text, texts, visit } from "./support/browser.mjs";
import { Proxy } from "./support/proxy.mjs";
import { serve } from "./support/server.mjs";
import { becomes, until } from "./support/wait.mjs";

const scene = browser();
const counter = serve("counter");
const feed = serve("feed");
const lab = serve("lab");
const beating = serve("lab", { LAB_HEARTBEAT: "400" });

/** @param {import("./support/browser.mjs").Scene} scene @param {import("./support/server.mjs").Server} server */
async function through({ later }, server) {
  const proxy = await Proxy.open(server);
  later(() => proxy.close());
  return proxy;
}

/** How often the lab handled an event. @param {string} name */
async function handled(name) {
  return Number(await (await fetch(`${lab.url}/counts/${name}`)).text());
}

scene("a dropped connection is resumed exactly, and ships nothing that the page has", async (it) => {
  const { page } = it;
  const proxy = await through(it, counter);
  await visit(page, `${proxy.url}/counter`);
  const same = await stamp(page);
  for (const button of ["#inc", "#inc", "#inc"]) await page.click(button);
  await becomes(() => text(page, "#stats"), "Count: 3");
  proxy.cut();
  await parted(page);
  proxy.restore();
  await joined(page);
  assert.equal(await text(page, "#stats"), "Count: 3");
  const { body } = await answer(page, JOIN, frames(page).filter(({ way, kind }) => way === "sent" && kind === JOIN).length - 1);
  assert.equal(body[1] ?? null, null, "nothing changed, so nothing is patched");
  assert.equal(body[2][5] ?? false, false, "the session is the old one");
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 4");
  assert.equal((await texts(page, "#log li")).length, 4);
  await same();
});

scene("connections that drop again and again lose nothing and double nothing", async (it) => {
  const { page } = it;
  const proxy = await through(it, counter);
  await visit(page, `${proxy.url}/counter`);
  for (let round = 1; round <= 4; round++) {
    // Dropped with the click on its way: it was handled or it was not, and either way it is counted once.
    await page.click("#inc");
    proxy.drop();
    await becomes(() => text(page, "#stats"), `Count: ${round}`);
    await joined(page);
  }
});

scene("what was published meanwhile is there after the resume", async (it) => {
  const { page } = it;
  const proxy = await through(it, feed);
  await visit(page, `${proxy.url}/feed`);
  await page.fill("input[name=text]", "still writing");
  proxy.cut();
  await parted(page);
  await fetch(`${feed.url}/publish`, { method: "POST", body: "You missed this." });
  proxy.restore();
  await becomes(async () => (await texts(page, "#feed li"))[0], "You missed this.");
  assert.equal(await page.inputValue("input[name=text]"), "still writing");
});

scene("an event whose answer was lost is applied exactly once", async (it) => {
  const { page } = it;
  const proxy = await through(it, lab);
  await visit(page, `${proxy.url}/events`);
  const before = await handled("tap");
  proxy.holdAnswers();
  await page.click("#tap");
  await becomes(() => handled("tap"), before + 1);
  assert.equal(await text(page, "#count"), "0", "the answer didn't come through");
  proxy.cut();
  await parted(page);
  proxy.restore();
  await becomes(() => text(page, "#count"), "1");
  await until(() => frames(page).filter(({ way, kind }) => way === "sent" && kind === EVENT).length === 2, "the event sent again");
  const [first, again] = frames(page).filter(({ way, kind }) => way === "sent" && kind === EVENT);
  assert.equal(first.ref, again.ref, "it is sent again under its old reference");
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "2");
  assert.equal(await handled("tap"), before + 2);
});

scene("a handler that runs while the connection drops finishes, and its answer arrives after the resume", async (it) => {
  const { page } = it;
  const proxy = await through(it, lab);
  await visit(page, `${proxy.url}/events`);
  const before = await handled("slow");
  await page.click("#slow");
  await becomes(() => handled("slow"), before + 1);
  assert.deepEqual([await text(page, "#slow"), await page.isEnabled("#slow")], ["Wait", false]);
  proxy.drop();
  await becomes(() => text(page, "#count"), "1");
  await becomes(() => text(page, "#slow"), "Slow");
  assert.equal(await page.isEnabled("#slow"), true);
  assert.equal(await handled("slow"), before + 1);
});

scene("a half-open connection is noticed, given up and resumed", async (it) => {
  const { page } = it;
  const proxy = await through(it, beating);
  await visit(page, `${proxy.url}/events`);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
  proxy.stall();
  await page.click("#tap");
  await parted(page);
  proxy.restore();
  await joined(page);
  await becomes(() => text(page, "#count"), "2");
});

scene("D27 a tab that slept while the connection went away wakes up to what it missed", async (it) => {
  const { context, page } = it;
  const proxy = await through(it, feed);
  await visit(page, `${proxy.url}/feed`);
  const browser = await context.newCDPSession(page);
  await browser.send("Page.setWebLifecycleState", { state: "frozen" });
  proxy.drop();
  await fetch(`${feed.url}/publish`, { method: "POST", body: "While you slept." });
  await browser.send("Page.setWebLifecycleState", { state: "active" });
  await becomes(async () => (await texts(page, "#feed li"))[0], "While you slept.");
  await joined(page);
});

scene("offline and online again, as the browser tells it", async (it) => {
  const { context, page } = it;
  const proxy = await through(it, counter);
  await visit(page, `${proxy.url}/counter`);
  const same = await stamp(page);
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 1");
  await context.setOffline(true);
  proxy.drop();
  await parted(page);
  assert.equal(await page.evaluate(() => navigator.onLine), false);
  await context.setOffline(false);
  await joined(page);
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 2");
  await same();
});

scene("without a WebSocket a button, a form and a link go their native way, and the state goes on", async (it) => {
  const { page } = it;
  const proxy = await through(it, lab);
  await visit(page, `${proxy.url}/events`);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
  proxy.cutSockets();
  await parted(page);

  const first = await stamp(page);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "2");
  await assert.rejects(first, "it was a native post, so the page was loaded anew");
  await page.click("#later");
  await becomes(() => text(page, "#count"), "3");
  const last = JSON.parse((await texts(page, "#seen li")).at(-1));
  assert.deepEqual([last.name, last.type, last.form.at(-1)], ["order", "post", ["how", "later"]]);

  proxy.restore();
  await joined(page);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "4");

  proxy.cutSockets();
  await parted(page);
  await page.click("#away");
  await page.waitForURL("**/plain");
});

scene("without a WebSocket a submit of a page that was joined carries its event, its values and its session", async (it) => {
  const { page } = it;
  const proxy = await through(it, lab);
  await visit(page, `${proxy.url}/events`);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
  proxy.cutSockets();
  await parted(page);
  await page.click("#now");
  await becomes(() => text(page, "#count"), "2");
  const line = JSON.parse((await texts(page, "#seen li")).at(-1));
  assert.deepEqual([line.name, line.values], ["order", [["fast", "yes"]]]);
  assert.deepEqual(line.form, [["tag", "a"], ["other", "x"], ["tag", "b"], ["tag", "c"], ["tag", "e"], ["tag", "f"], ["how", "now"]]);
});

scene("without a connection what has no native form is refused visibly", async (it) => {
  const { page } = it;
  const proxy = await through(it, lab);
  await visit(page, `${proxy.url}/events`);
  proxy.cut();
  await parted(page);
  await page.click("#span");
  const [refused] = await heard(page, "refused");
  assert.deepEqual([refused.on, refused.name, refused.type], ["span", "tap", "click"]);
  assert.match(await page.getAttribute("#span", "class"), /lv-error/);
  assert.match(await page.getByRole("alert").innerText(), /not sent/);
  proxy.restore();
  await joined(page);
  assert.equal(await text(page, "#count"), "0", "what was refused is not sent later");
  await page.click("#span");
  await becomes(() => text(page, "#count"), "1");
});

scene("input typed while away is sent once the page is back", async (it) => {
  const { page } = it;
  const proxy = await through(it, lab);
  await visit(page, `${proxy.url}/events`);
  proxy.cut();
  await parted(page);
  await page.click("#debounced");
  await page.keyboard.type("green tea");
  proxy.restore();
  await becomes(async () => (await texts(page, "#seen li")).map((line) => JSON.parse(line).form), [[["q", "green tea"]]]);
  assert.equal(await page.inputValue("#debounced"), "green tea");
});
