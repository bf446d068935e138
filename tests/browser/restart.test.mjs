/** The server dies under an open page, and comes back. */
import assert from "node:assert/strict";
import { browser, heard, joined, parted, stamp, text, texts, visit } from "./support/browser.mjs";
import { Server } from "./support/server.mjs";
import { becomes } from "./support/wait.mjs";

const scene = browser();

const SECRETS = [
  { what: "with the same secret", env: { MIZU_SECRET: "thirty-two bytes that no one knows" } },
  { what: "with a new random secret", env: {} },
];

for (const { what, env } of SECRETS) {
  scene(`after a crash and a restart ${what} the page is joined without a reload, and nothing typed is lost`, async ({ page, later }) => {
    const server = await new Server("lab", env).start();
    later(() => server.stop());
    await visit(page, `${server.url}/events`);
    const same = await stamp(page);
    await page.click("#tap");
    await becomes(() => text(page, "#count"), "1");
    await page.click("#more summary");
    await page.fill("#order input[name=other]", "half an order");
    await page.click("#unsent");
    await page.keyboard.type("half a sentence");
    for (let step = 0; step < 8; step++) await page.keyboard.press("ArrowLeft");

    await server.kill();
    await parted(page);
    await page.keyboard.type("whole ");
    await server.start();
    await joined(page);

    await same();
    const { value, caret, focused, open } = await page.evaluate(() => {
      const { value, selectionStart } = document.querySelector("#unsent");
      return { value, caret: selectionStart, focused: document.activeElement.id, open: document.querySelector("#more").open };
    });
    assert.deepEqual([value, caret, focused, open], ["half a whole sentence", 13, "unsent", true]);
    assert.equal(await page.inputValue("#order input[name=other]"), "half an order");
    await becomes(() => text(page, "#count"), "0");
    await page.click("#tap");
    await becomes(() => text(page, "#count"), "1");
    assert.equal(await page.inputValue("#unsent"), "half a whole sentence", "a patch after that keeps it too");
    assert.deepEqual((await heard(page)).map(({ event }) => event), ["connected", "disconnected", "connected"]);
  });
}

scene("input that was not sent before the crash reaches the new session", async ({ page, later }) => {
  const server = await new Server("lab").start();
  later(() => server.stop());
  await visit(page, `${server.url}/events`);
  await server.kill();
  await parted(page);
  await page.click("#debounced");
  await page.keyboard.type("tea");
  await server.start();
  await becomes(async () => (await texts(page, "#seen li")).map((line) => JSON.parse(line).form), [[["q", "tea"]]]);
  assert.equal(await page.inputValue("#debounced"), "tea");
});

scene("an event that the crash swallowed is reported as lost, not silently dropped", async ({ page, later }) => {
  const server = await new Server("lab").start();
  later(() => server.stop());
  await visit(page, `${server.url}/events`);
  await page.click("#slow");
  assert.equal(await text(page, "#slow"), "Wait");
  await server.kill();
  await parted(page);
  await server.start();
  await joined(page);
  await becomes(async () => (await heard(page, "lost")).flatMap(({ events }) => events.map(({ name }) => name)), ["slow?by=1"]);
  assert.equal(await text(page, "#slow"), "Slow");
  assert.equal(await page.isEnabled("#slow"), true);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
});

scene("a server that is stopped in good order sends the pages away and takes them back", async ({ page, later }) => {
  const server = await new Server("counter").start();
  later(() => server.stop());
  await visit(page, `${server.url}/counter`);
  const same = await stamp(page);
  await server.kill("SIGTERM");
  await parted(page);
  await server.start();
  await joined(page);
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 1");
  await same();
});

scene("a page of before the restart posts natively, and the new server takes it", async ({ page, later }) => {
  const server = await new Server("counter", { MIZU_SECRET: "thirty-two bytes that no one knows" }).start();
  later(() => server.stop());
  await page.route("**/mizu-live.js", (route) => route.abort());
  await page.goto(`${server.url}/counter`);
  await server.restart();
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 1");
});

scene("a click while the server is dead does not take the page away", async ({ page, later }) => {
  const server = await new Server("feed").start();
  later(() => server.stop());
  await visit(page, `${server.url}/feed`);
  const same = await stamp(page);
  await page.fill("input[name=text]", "half a sentence");
  await server.kill();
  await parted(page);
  await page.click("form[data-lv-submit] button");
  await becomes(async () => (await heard(page)).some(({ event }) => event === "refused"), true);
  await server.start();
  await joined(page);
  await same();
  assert.equal(await page.inputValue("input[name=text]"), "half a sentence");
  await page.click("form[data-lv-submit] button");
  await becomes(() => texts(page, "#feed li"), ["half a sentence"]);
});
