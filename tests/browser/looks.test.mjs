/** Pictures of the examples, for people to look at; a page that is blank or broken is noticed here as well. */
import assert from "node:assert/strict";
import { mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { browser, text, visit } from "./support/browser.mjs";
import { Server, serve } from "./support/server.mjs";
import { becomes } from "./support/wait.mjs";

const folder = process.env.MIZU_SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "mizu-screenshots-"));
const scene = browser();

/** @param {import("./support/browser.mjs").Page} page @param {string} name */
async function picture(page, name) {
  const path = join(folder, `${name}.png`);
  await page.screenshot({ path });
  assert.ok(statSync(path).size > 1_000);
  console.log(path);
}

const counter = serve("counter");
const feed = serve("feed");
const table = serve("table");

scene("the counter looks like this", async ({ page }) => {
  await visit(page, `${counter.url}/counter`);
  for (const button of ["#inc", "#inc", "#dec"]) await page.click(button);
  await becomes(() => text(page, "#stats"), "Count: 1");
  await picture(page, "counter");
});

scene("the feed looks like this", async ({ page }) => {
  await visit(page, `${feed.url}/feed`);
  for (const item of ["The first thing that was said.", "The second.", "A long one, ".repeat(20)]) {
    await page.fill("input[name=text]", item);
    await page.click("form button");
    await becomes(() => text(page, "#feed li:first-child"), item.trim());
  }
  await picture(page, "feed");
});

scene("the table looks like this", async ({ page }) => {
  await visit(page, `${table.url}/table`);
  const value = async () => Number(await text(page, "#row-3 td:nth-child(3)"));
  const touched = (await value()) + 1;
  await page.click("#row-3 .touch");
  await becomes(value, touched);
  await picture(page, "table");
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  const run = async (/** @type {import("./support/browser.mjs").Scene} */ { context, page, later }) => {
    const notes = await new Server("notes").start();
    later(() => notes.stop());
    await page.goto(`${notes.url}/notes`);
    await becomes(() => text(page, "#sync-status"), "online · all saved");
    await picture(page, `notes-${colorScheme}-empty`);
    for (const item of ["Buy tea", "Water the plants", "A long one, ".repeat(12), "Averylongword".repeat(9)]) {
      await page.fill("#new-note [name=title]", item);
      await page.press("#new-note [name=title]", "Enter");
      await page.locator("#notes .title", { hasText: item.trim() }).waitFor();
    }
    await becomes(() => text(page, "#sync-status"), "online · all saved");
    await context.setOffline(true);
    await page.locator("#notes li", { hasText: "plants" }).locator(".toggle").click();
    await page.locator("#notes li", { hasText: "tea" }).locator(".toggle").click();
    await becomes(() => text(page, "#sync-status"), "offline · 2 pending");
    for (const width of [1000, 380]) {
      await page.setViewportSize({ width, height: 700 });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `the page is ${over} px wider than ${width} px`);
      await picture(page, `notes-${colorScheme}-${width}`);
    }
  };
  scene(`the notes look like this, ${colorScheme}, wide and narrow`, run, { colorScheme });
}

if (Server.exists("gallery")) {
  const gallery = serve("gallery");
  scene("the gallery looks like this, wide and narrow", async ({ page }) => {
    for (const width of [1000, 380]) {
      await page.setViewportSize({ width, height: 700 });
      for (const path of ["", "counter", "feed", "table"]) {
        await visit(page, `${gallery.url}/${path}`);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `/${path} is ${over} px wider than ${width} px`);
        await picture(page, `gallery-${path || "index"}-${width}`);
      }
    }
  });
} else {
  test("the gallery looks like this", { skip: "examples/gallery is not built" }, () => {});
}
