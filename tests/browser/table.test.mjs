/** A thousand rows, of which a click changes one. */
import assert from "node:assert/strict";
import { EVENT } from "../../runtime-js/src/constants.js";
import { answer, browser, text, texts, visit } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";
import { becomes } from "./support/wait.mjs";

const scene = browser();
const table = serve("table");

scene("D26 touching row 500 changes its value, and no other node of the page", async ({ page }) => {
  await visit(page, `${table.url}/table`);
  assert.equal(await page.locator("#rows tr").count(), 1_000);
  await page.evaluate(() => {
    window.nodes = [...document.querySelectorAll("#rows, #rows *")];
    window.changes = [];
    const observer = new MutationObserver((records) => {
      // The button shows for a moment that it waits for its answer.
      for (const { target, attributeName } of records) if (attributeName !== "class") window.changes.push(target);
    });
    observer.observe(document.querySelector("#lv-root"), { subtree: true, childList: true, attributes: true, characterData: true });
  });
  const cells = () => texts(page, "#row-500 td");
  const [id, name, value, status, button] = await cells();
  const others = await page.locator("#rows tr:not(#row-500)").allInnerTexts();

  await page.click("#row-500 .touch");
  await becomes(cells, [id, name, String(Number(value) + 1), status, button]);

  assert.deepEqual(await page.locator("#rows tr:not(#row-500)").allInnerTexts(), others);
  const { same, elsewhere } = await page.evaluate(() => {
    const now = [...document.querySelectorAll("#rows, #rows *")];
    const cell = document.querySelector("#row-500 td:nth-child(3)");
    return {
      same: now.length === window.nodes.length && now.every((node, at) => node === window.nodes[at]),
      elsewhere: window.changes.filter((node) => !cell.contains(node)).map((node) => node.outerHTML ?? node.data),
    };
  });
  assert.ok(same, "every node is the one it was");
  assert.deepEqual(elsewhere, []);
});

scene("the answer to a touch is one row and no more", async ({ page }) => {
  await visit(page, `${table.url}/table`);
  await page.click("#row-1000 .touch");
  const { size, body } = await answer(page, EVENT);
  assert.deepEqual(body[1][1].map(([id]) => id), ["row-1000"]);
  assert.ok(size < 300, `the answer has ${size} bytes`);
});

scene("a touched row goes on from where it was", async ({ page }) => {
  await visit(page, `${table.url}/table`);
  const value = async () => Number(await text(page, "#row-3 td:nth-child(3)"));
  const before = await value();
  for (let touch = 1; touch <= 3; touch++) {
    await page.click("#row-3 .touch");
    await becomes(value, before + touch);
  }
});

scene("the query says how many rows there are", async ({ page }) => {
  await visit(page, `${table.url}/table?rows=20`);
  assert.equal(await page.locator("#rows tr").count(), 20);
  assert.equal(await page.title(), "Table of 20");
  const value = async () => Number(await text(page, "#row-20 td:nth-child(3)"));
  const before = await value();
  await page.click("#row-20 .touch");
  await becomes(value, before + 1);
});

scene("too many rows are refused with a page that says so", async ({ page }) => {
  const response = await page.goto(`${table.url}/table?rows=1000000`);
  assert.equal(response.status(), 422);
  assert.match(await text(page, "body"), /rows are the most/);
});
