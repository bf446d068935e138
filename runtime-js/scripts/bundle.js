/** Bundles src/ into one file for each purpose, and compresses them as far as it goes. The same sources give the same bytes. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";
import { shorten } from "./shorten.js";
import { slim, SLIMMED } from "./slim.js";

/**
 * @typedef {object} Entry
 * @property {string} name of the file in dist/
 * @property {string} source in src/
 * @property {number} budget bytes of the brotli file, dependencies included
 * @property {string} [internal] properties that nobody outside of the bundle knows, and nothing reads by a text: no public name, no
 *   option, no detail of an event, nothing that the local store calls, and nothing that the browser has under this name
 */

/** Of pages. What is missing here costs some bytes and nothing else. */
const INTERNAL = `
  accepts adopt afterNodeMorphed again answered away beforeAttributeUpdated beforeNodeMorphed beforeNodeRemoved begin busy callbacks
  carry changed changing debounce drop edited emit flash flush fresh handOver heard holders idMap inner joined keeping keepsChildren
  late learn leave listen mounting olds opened outer owns pantry patcher persistentIds probe received refuse retry seen sent settle
  syncs tell throttle topic turn unsaved visit visited wake without`;

/** @type {Entry[]} */
export const BUNDLES = [
  // Pages, their connection and the scopes that it hears of: all that a document loads before anything else can work.
  { name: "mizu-live.js", source: "index.js", budget: 12_288, internal: INTERNAL },
  { name: "mizu-sync.js", source: "sync/index.js", budget: 8_192 },
  // Pages that work without a network; loaded by these alone, behind the page.
  { name: "mizu-local.js", source: "local/index.js", budget: 4_608 },
  { name: "mizu-offline.js", source: "offline/index.js", budget: 2_048 },
  { name: "mizu-inspector.js", source: "inspector/index.js", budget: 2_048 },
];

/** @type {import("esbuild").Plugin} */
const slimming = {
  name: "slim",
  setup({ onLoad }) {
    onLoad({ filter: SLIMMED }, async ({ path }) => ({ contents: slim(path, await readFile(path, "utf8")) }));
  },
};

/**
 * @param {Entry} entry @param {URL} folder ends with a slash
 * @returns {Promise<{ size: number, brotli: number }>} in bytes
 */
export async function bundle({ name, source, internal = "" }, folder) {
  const bytes = Buffer.from(await script(source, internal.match(/\S+/g) ?? []));
  const brotli = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      // Suits the distances in scripts of this size: some bytes less than with the default.
      [constants.BROTLI_PARAM_NPOSTFIX]: 1,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  await mkdir(folder, { recursive: true });
  await writeFile(new URL(name, folder), bytes);
  await writeFile(new URL(`${name}.br`, folder), brotli);
  // A gzip header without a time: Node writes zero.
  await writeFile(new URL(`${name}.gz`, folder), gzipSync(bytes, { level: 9 }));
  return { size: bytes.length, brotli: brotli.length };
}

/** @param {string} source @param {string[]} internal */
async function script(source, internal) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../src/${source}`, import.meta.url))],
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    charset: "utf8",
    plugins: [slimming],
  });
  // A second minifier, for 5 % of what travels, and names that need not be told from others, for 2 % more.
  const { ast } = /** @type {{ ast?: any }} */ (
    await minify(outputFiles[0].text, /** @type {any} */ ({
      module: true,
      ecma: 2020,
      compress: { passes: 3, inline: 1, pure_getters: true, unsafe_arrows: true },
      format: { spidermonkey: true, code: false },
    }))
  );
  shorten(ast, internal);
  const plain = /** @type {any} */ ({ module: true, ecma: 2020, compress: false, mangle: false, parse: { spidermonkey: true } });
  const { code = "" } = await minify(ast, plain);
  return code;
}
