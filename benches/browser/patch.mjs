/**
 * What it takes a real Chromium to show a change of a region: the runtime's own steps, next to idiomorph and morphdom with the whole
 * region's HTML.
 *
 *     npm ci --prefix runtime-js && node benches/browser/patch.mjs [--quick]
 *
 * All of them change the same page, in turns, and each result is compared with the HTML that was to come out. Two times are told: that of
 * the script, parsing included, and the time until the page is laid out again, which is the browser's own work on top. What arrives is
 * decoded already. Medians are compared, and the middle half of the times is told. `CHROMIUM` names another browser than `/usr/bin/chromium`.
 */
import { once } from "node:events";
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { launch } from "../../tests/browser/support/browser.mjs";

const require = createRequire(new URL("../../runtime-js/package.json", import.meta.url));
const { build } = require("esbuild");

const quick = process.argv.includes("--quick");
const ROUNDS = quick ? 1 : 15;
/** Of a large table, which takes others long. */
const FEW_ROUNDS = quick ? 1 : 5;
const ROWS = quick ? 100 : 1_000;
const MANY = 10 * ROWS;

/** What is measured, and on how many rows. @type {[change: string, rows: number, what: string][]} */
const CHANGES = [
  ["touch", ROWS, `one of ${ROWS} rows touched`],
  ["touch", MANY, `one of ${MANY} rows touched`],
  ["insert", ROWS, `a row put above ${ROWS}`],
  ["reverse", ROWS, `${ROWS} rows reversed`],
];

/** The page's script, and the runtime's modules in it as they are. */
async function script() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("patch-page.js", import.meta.url))],
    nodePaths: [fileURLToPath(new URL("../../runtime-js/node_modules", import.meta.url))],
    bundle: true,
    format: "esm",
    write: false,
  });
  return outputFiles[0].text;
}

/** Serves the page, apart from all others: its clock is finer then. @param {string} script */
async function serve(script) {
  const page = `<!doctype html><html lang="en"><title>Patches</title><link rel="icon" href="data:,"><body><script type="module" src="/page.js"></script>`;
  const server = createServer(({ url }, response) => {
    response.setHeader("cross-origin-opener-policy", "same-origin").setHeader("cross-origin-embedder-policy", "require-corp");
    response.setHeader("content-type", url === "/page.js" ? "text/javascript" : "text/html; charset=utf-8");
    response.end(url === "/page.js" ? script : page);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}/`, stop: () => (server.closeAllConnections(), server.close()) };
}

/** @param {number[]} all */
function summary(all) {
  const sorted = all.toSorted((a, b) => a - b);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((part) => sorted[Math.floor(sorted.length * part)]);
  return { middle, text: `${time(middle)} (${time(low)} to ${time(high)})` };
}

/** @param {number} ms */
const time = (ms) => (ms < 1 ? `${(ms * 1_000).toFixed(1)} µs` : `${ms.toFixed(2)} ms`);

const server = await serve(await script());
const browser = await launch();
try {
  const page = await browser.newPage();
  /** @type {Error | undefined} */
  let wrong;
  page.on("pageerror", (error) => (wrong = error));
  await page.goto(server.url);
  await page.waitForFunction(() => window.ready);
  console.log("| | steps | idiomorph | morphdom | idiomorph / steps | morphdom / steps |\n|---|---|---|---|---|---|");
  for (const [change, rows, what] of CHANGES) {
    const rounds = rows === MANY ? FEW_ROUNDS : ROUNDS;
    const times = await page.evaluate(([change, rows, rounds]) => window.measure(change, rows, rounds), [change, rows, rounds]);
    if (wrong) throw wrong;
    for (const [part, name] of [["script", "script"], ["laidOut", "until laid out"]]) {
      const [steps, idiomorph, morphdom] = ["steps", "idiomorph", "morphdom"].map((way) => summary(times[way][part]));
      const ratio = (/** @type {{ middle: number }} */ other) => (other.middle / steps.middle).toFixed(1);
      const texts = [steps, idiomorph, morphdom].map(({ text }) => text).join(" | ");
      console.log(`| ${what}: ${name} | ${texts} | ${ratio(idiomorph)} | ${ratio(morphdom)} |`);
    }
  }
} finally {
  await browser.close();
  server.stop();
}
