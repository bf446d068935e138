/**
 * What it takes a real Chromium to show a change of a table: the runtime's own steps and its morph, next to idiomorph and morphdom as they
 * are published, which get the whole table's HTML.
 *
 *     npm ci --prefix runtime-js && node benches/browser/patch.mjs [--quick]
 *
 * All of them change the same page, in turns, each a table that was made anew, and each result is compared with the HTML that was to come
 * out. Two times are told: the script's, parsing included, and until the page is laid out again, which is the browser's own work on top.
 * The runtime's times begin with the bytes of a frame, the others' with a text. Medians are compared, and the middle half of the times is
 * told. A change that takes microseconds is done to several rows, of which each round gives the mean. `CHROMIUM` names another browser than
 * `/usr/bin/chromium`. With `--quick`, it says whether the harness works, not whether the targets are met.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { launch } from "../../tests/browser/support/browser.mjs";
import { slim } from "../../runtime-js/scripts/slim.js";

const require = createRequire(new URL("../../runtime-js/package.json", import.meta.url));
const { build } = require("esbuild");

const quick = process.argv.includes("--quick");
const ROWS = quick ? 50 : 1_000;
const MANY = 10 * ROWS;
const ROUNDS = quick ? 1 : 15;
/** After so many milliseconds a change has been measured enough, if it has been often enough. */
const BUDGET = 30_000;
const FEWEST_ROUNDS = quick ? 1 : 5;
/** How many rows one after the other are touched in a round, where that is too fast for one clock. */
const TOUCHED = quick ? 2 : 20;

/** How much faster than either of the others a touched row is to be, at least. */
const FASTER = 20;
/** How much longer it may take in a table of ten times the rows, at most. */
const FLAT = 1.5;

/** What the others are called, with the versions that run. */
const OTHERS = ["idiomorph", "morphdom"].map((name) => {
  const { version } = require(fileURLToPath(new URL(`../../runtime-js/node_modules/${name}/package.json`, import.meta.url)));
  return { way: name, name: `${name} ${version}` };
});

/** The runtime gets the idiomorph that it is shipped with. @type {import("../../runtime-js/node_modules/esbuild").Plugin} */
const slimming = {
  name: "slim",
  setup({ onLoad, onResolve, resolve }) {
    onResolve({ filter: /^idiomorph$/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      if (pluginData === "asked" || !/runtime-js\/src\/[^/]+$/.test(importer)) return;
      const found = await resolve(path, { importer, resolveDir, kind, pluginData: "asked" });
      return { ...found, namespace: "slim" };
    });
    onLoad({ filter: /./, namespace: "slim" }, async ({ path }) => ({ contents: slim(path, await readFile(path, "utf8")) }));
  },
};

/** The page's script, and the runtime's modules in it. */
async function script() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("patch-page.js", import.meta.url))],
    nodePaths: [fileURLToPath(new URL("../../runtime-js/node_modules", import.meta.url))],
    bundle: true,
    format: "esm",
    write: false,
    plugins: [slimming],
  });
  return outputFiles[0].text;
}

/** How rows are laid out where not as tables are: with columns whose widths nobody asks the rows for; and each by itself, when it is in view. */
const STYLE = `
  .fixed { table-layout: fixed; width: 100% }
  .apart, .apart tbody { display: block }
  .apart tr { display: flex; content-visibility: auto; contain-intrinsic-size: auto 24px }`;

/** Serves the page, apart from all others: its clock is finer then. @param {string} script */
async function serve(script) {
  const head = `<title>Patches</title><link rel="icon" href="data:,"><style>${STYLE}</style>`;
  const page = `<!doctype html><html lang="en"><head>${head}</head><body><script type="module" src="/page.js"></script></body></html>`;
  const server = createServer(({ url }, response) => {
    response.setHeader("cross-origin-opener-policy", "same-origin").setHeader("cross-origin-embedder-policy", "require-corp");
    response.setHeader("content-type", url === "/page.js" ? "text/javascript" : "text/html; charset=utf-8");
    response.end(url === "/page.js" ? script : page);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}/`, stop: () => (server.closeAllConnections(), server.close()) };
}

/** @typedef {"script" | "laidOut"} Part */
/** @typedef {{ script: number[], laidOut: number[], rounds: number }} Times */

/**
 * Does the same change in each way, round after round, each round beginning with another one.
 *
 * @param {import("../../runtime-js/node_modules/playwright-core").Page} page
 * @param {string} change @param {number} count of rows @param {string} layout @param {string[]} ways
 * @returns {Promise<Record<string, Times>>} by the way
 */
async function measure(page, change, count, layout, ways) {
  /** @type {Record<string, Times>} */
  const times = Object.fromEntries(ways.map((way) => [way, { script: [], laidOut: [], rounds: 0 }]));
  let start = Date.now();
  // The first round warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    if (round === 1) start = Date.now();
    if (round > FEWEST_ROUNDS && Date.now() - start > BUDGET) break;
    for (let turn = 0; turn < ways.length; turn++) {
      const way = ways[(round + turn) % ways.length];
      const often = change === "touch" && (way === "steps" || way === "hand");
      const what = { way, change, count, layout, times: often ? TOUCHED : 1 };
      const { script, laidOut } = await page.evaluate((what) => window.measure(what), what);
      if (round === 0) continue;
      times[way].script.push(script);
      times[way].laidOut.push(laidOut);
      times[way].rounds++;
    }
  }
  return times;
}

/** @param {number[]} all */
function quartiles(all) {
  const sorted = all.toSorted((a, b) => a - b);
  return [0.25, 0.5, 0.75].map((part) => sorted[Math.floor(sorted.length * part)]);
}

/** @param {number[]} all */
const median = (all) => quartiles(all)[1];

/** @param {number[]} all */
function told(all) {
  const [low, middle, high] = quartiles(all).map(time);
  return `${middle} (${low} to ${high})`;
}

/** @param {number} ms */
function time(ms) {
  if (ms < 1) return `${(ms * 1_000).toFixed(1)} µs`;
  return ms < 10 ? `${ms.toFixed(2)} ms` : `${ms.toFixed(ms < 100 ? 1 : 0)} ms`;
}

/** @param {number} ratio */
const ratio = (ratio) => (ratio < 10 ? ratio.toFixed(2) : Math.round(ratio).toLocaleString("en"));

/** @param {number} rows */
const number = (rows) => rows.toLocaleString("en");

/** @type {string[]} */
const table = [];
/** @param {string} what @param {number[]} mine @param {number[]} other @param {string} name of the other @param {number} [least] */
function faster(what, mine, other, name, least) {
  const times = median(other) / median(mine);
  const target = least ? `≥ ${least} × faster | ${times >= least ? "yes" : "**no**"}` : " | ";
  table.push(`| ${what} | ${told(mine)} | ${told(other)} (${name}) | ${ratio(times)} × faster | ${target} |`);
}
/** @param {string} what @param {number[]} mine @param {number[]} other @param {string} name of the other @param {number} [most] */
function asLong(what, mine, other, name, most) {
  const times = median(mine) / median(other);
  const target = most ? `≤ ${most} × as long | ${times <= most ? "yes" : "**no**"}` : " | ";
  table.push(`| ${what} | ${told(mine)} | ${told(other)} (${name}) | ${ratio(times)} × as long | ${target} |`);
}
/** Prints what was told since the last time. @param {string} title */
function print(title) {
  console.log(`\n${title}\n\n| | mizu | baseline | ratio | target | met |\n|---|---|---|---|---|---|\n${table.splice(0).join("\n")}`);
}

/** What is done to a table. @type {Record<string, (rows: number) => string>} */
const WHAT = {
  touch: (rows) => `one of ${number(rows)} rows touched`,
  insert: (rows) => `a row put above ${number(rows)}`,
  reverse: (rows) => `${number(rows)} rows reversed`,
  every: (rows) => `each of ${number(rows)} rows touched`,
};
/** @type {[part: Part, name: string][]} */
const PARTS = [["script", "script"], ["laidOut", "until laid out"]];

const server = await serve(await script());
const browser = await launch();
try {
  const page = await browser.newPage();
  await page.goto(server.url);
  await page.waitForFunction(() => window.ready);

  /** What was measured in tables as tables are, by change and rows. @type {Map<string, Record<string, Times>>} */
  const measured = new Map();
  const others = OTHERS.map(({ way }) => way);
  for (const change of Object.keys(WHAT)) {
    for (const rows of [ROWS, MANY]) {
      const ways = ["steps", "morph", ...others, ...(change === "touch" ? ["hand"] : [])];
      const times = await measure(page, change, rows, "", ways);
      measured.set(`${change} ${rows}`, times);
      console.error(`${WHAT[change](rows)}: ${times.steps.rounds} rounds`);
    }
  }
  /** @param {string} change @param {number} rows */
  const of = (change, rows) => /** @type {Record<string, Times>} */ (measured.get(`${change} ${rows}`));

  for (const change of ["touch", "insert", "reverse"]) {
    for (const rows of [ROWS, MANY]) {
      const times = of(change, rows);
      for (const [part, name] of PARTS) {
        for (const other of OTHERS) {
          const least = change === "touch" ? FASTER : undefined;
          faster(`${WHAT[change](rows)}: ${name}`, times.steps[part], times[other.way][part], other.name, least);
        }
      }
    }
  }
  const [few, many] = [of("touch", ROWS), of("touch", MANY)];
  for (const [part, name] of PARTS) {
    const most = part === "script" ? FLAT : undefined;
    asLong(`${WHAT.touch(MANY)}: ${name}`, many.steps[part], few.steps[part], `of ${number(ROWS)}`, most);
  }
  print("Mizu's steps");

  for (const [layout, name] of [["", "a table as it is"], ["fixed", "`table-layout: fixed`"], ["apart", "rows of `content-visibility: auto`"]]) {
    for (const rows of [ROWS, MANY]) {
      const times = layout ? await measure(page, "touch", rows, layout, ["steps", ...others, "hand"]) : of("touch", rows);
      for (const [part, told] of PARTS) asLong(`${name}, ${WHAT.touch(rows)}: ${told}`, times.steps[part], times.hand[part], "a script that knows the text");
      const what = `${name}, ${WHAT.touch(rows)}: until laid out`;
      for (const other of OTHERS) faster(what, times.steps.laidOut, times[other.way].laidOut, other.name);
    }
  }
  print("What of it is the browser's: the same text changed by a script that does nothing else, and other layouts");

  for (const change of Object.keys(WHAT)) {
    for (const rows of [ROWS, MANY]) {
      const times = of(change, rows);
      for (const other of OTHERS) asLong(`${WHAT[change](rows)}: script`, times.morph.script, times[other.way].script, other.name);
    }
  }
  print("Without steps: the whole table's HTML for all, by Mizu's morph");
} finally {
  await browser.close();
  server.stop();
}
