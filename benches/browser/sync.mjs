/**
 * What the client of durable data costs in a real Chromium, next to plain IndexedDB that stores and reads the same.
 *
 *     npm ci --prefix runtime-js && node benches/browser/sync.mjs [--quick]
 *
 * Every round has a fresh profile, and the two alternate; medians are compared, and the least and the most are told.
 * `CHROMIUM` names another browser than `/usr/bin/chromium`.
 */
import { launch } from "../../tests/browser/support/browser.mjs";
import { Server } from "./server.mjs";

const quick = process.argv.includes("--quick");
const ROUNDS = quick ? 2 : 9;
const ROWS = quick ? 1_000 : 10_000;
const PENDING = quick ? 10 : 100;
/** Pulls of one change in a round. */
const POKES = quick ? 2 : 10;

const POPULATE = `populate ${ROWS} rows by snapshot`;
const MUTATE = `queue ${PENDING} mutations`;
const REBASE = `one pulled change in the view, ${PENDING} pending`;
const START = `start-up with ${ROWS} rows stored, ${PENDING} pending`;

/** Times by what was measured, of the client and of the baseline. @type {Map<string, { with: number[], without: number[] }>} */
const times = new Map([POPULATE, MUTATE, REBASE, START].map((what) => [what, { with: [], without: [] }]));

/** @param {string} what @param {"with" | "without"} side @param {number} time */
const note = (what, side, time) => times.get(what)?.[side].push(time);

/** @param {import("../../runtime-js/node_modules/playwright-core").Page} page @param {string} url */
async function visit(page, url) {
  await page.goto(url);
  await page.waitForFunction(() => window.ready);
}

/** How long a round may take until something hangs, in milliseconds. */
const PATIENCE = 120_000;

/** One round in a fresh profile, or what went wrong in it. @param {import("../../runtime-js/node_modules/playwright-core").Browser} browser */
async function round(browser) {
  const server = await new Server(ROWS).start();
  const context = await browser.newContext();
  let timer;
  const wrong = new Promise((_, reject) => {
    context.on("weberror", (error) => reject(error.error()));
    timer = setTimeout(() => reject(new Error(`a round takes more than ${PATIENCE} ms`)), PATIENCE);
  });
  try {
    await Promise.race([measure(context, server), wrong]);
  } finally {
    clearTimeout(timer);
    await context.close();
    server.stop();
  }
}

/** @param {import("../../runtime-js/node_modules/playwright-core").BrowserContext} context @param {Server} server */
async function measure(context, server) {
  const page = await context.newPage();
  await visit(page, server.url);
  note(POPULATE, "with", await page.evaluate((rows) => window.mizu.open(rows), ROWS));
  note(MUTATE, "with", await page.evaluate((count) => window.mizu.mutate(count), PENDING));
  for (let n = 0; n < POKES; n++) note(REBASE, "with", await page.evaluate((at) => window.mizu.poke(at), server.change()));
  await visit(page, server.url);
  note(START, "with", await page.evaluate((rows) => window.mizu.open(rows), ROWS));
  await page.close();

  const bare = await context.newPage();
  await visit(bare, server.url);
  note(POPULATE, "without", await bare.evaluate(() => window.bare.populate()));
  note(MUTATE, "without", await bare.evaluate((count) => window.bare.mutate(count), PENDING));
  for (let n = 0; n < POKES; n++) {
    server.change();
    note(REBASE, "without", await bare.evaluate((cursor) => window.bare.pull(cursor), `c${POKES + n}`));
  }
  await visit(bare, server.url);
  note(START, "without", await bare.evaluate(() => window.bare.open()));
}

/** @param {number[]} all */
function summary(all) {
  const sorted = all.toSorted((a, b) => a - b);
  const [least, middle, most] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted[sorted.length - 1]];
  return { middle, text: `${middle.toFixed(1)} ms (${least.toFixed(1)} to ${most.toFixed(1)})` };
}

const browser = await launch();
try {
  // The first round warms up.
  for (let n = 0; n <= ROUNDS; n++) {
    if (n === 1) for (const sides of times.values()) sides.with.length = sides.without.length = 0;
    await round(browser);
  }
} finally {
  await browser.close();
}
console.log("| | mizu | IndexedDB alone | ratio |\n|---|---|---|---|");
for (const [what, sides] of times) {
  const [mine, bare] = [summary(sides.with), summary(sides.without)];
  console.log(`| ${what} | ${mine.text} | ${bare.text} | ${(mine.middle / bare.middle).toFixed(2)} |`);
}
