/** Fails when dist/ is not what src/ builds, or is over its budget. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { bundle, NAME } from "./bundle.js";

/** Bytes of the brotli file, morph included. */
const BUDGET = 10_240;

const dist = new URL("../dist/", import.meta.url);
const folder = await mkdtemp(join(tmpdir(), "mizu-live-"));
/** @type {string[]} */
const faults = [];
try {
  const { brotli } = await bundle(pathToFileURL(`${folder}/`));
  const built = await readFile(join(folder, NAME));
  const files = await Promise.all(["", ".br", ".gz"].map((end) => readFile(new URL(NAME + end, dist))));
  const [script, br, gz] = files;
  if (!script.equals(built)) faults.push(`dist/${NAME} is not what src/ builds: run \`npm run build\``);
  if (!brotliDecompressSync(br).equals(script)) faults.push(`dist/${NAME}.br is another file than dist/${NAME}`);
  if (!gunzipSync(gz).equals(script)) faults.push(`dist/${NAME}.gz is another file than dist/${NAME}`);
  if (br.length > BUDGET) faults.push(`dist/${NAME}.br has ${br.length} bytes, the budget is ${BUDGET}`);
  if (brotli > BUDGET) faults.push(`src/ builds to ${brotli} bytes of brotli, the budget is ${BUDGET}`);
} finally {
  await rm(folder, { recursive: true });
}
for (const fault of faults) console.error(fault);
process.exitCode = faults.length ? 1 : 0;
