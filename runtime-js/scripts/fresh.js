/** Fails when dist/ is not what src/ builds, or is over its budget. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { BUNDLES, bundle } from "./bundle.js";

const dist = new URL("../dist/", import.meta.url);
const folder = await mkdtemp(join(tmpdir(), "mizu-live-"));
/** @type {string[]} */
const faults = [];
try {
  for (const entry of BUNDLES) {
    const { name, budget } = entry;
    const { brotli } = await bundle(entry, pathToFileURL(`${folder}/`));
    const built = await readFile(join(folder, name));
    const files = await Promise.all(["", ".br", ".gz"].map((end) => readFile(new URL(name + end, dist))));
    const [script, br, gz] = files;
    if (!script.equals(built)) faults.push(`dist/${name} is not what src/ builds: run \`npm run build\``);
    if (!brotliDecompressSync(br).equals(script)) faults.push(`dist/${name}.br is another file than dist/${name}`);
    if (!gunzipSync(gz).equals(script)) faults.push(`dist/${name}.gz is another file than dist/${name}`);
    if (br.length > budget) faults.push(`dist/${name}.br has ${br.length} bytes, the budget is ${budget}`);
    if (brotli > budget) faults.push(`src/ builds to ${brotli} bytes of brotli for ${name}, the budget is ${budget}`);
  }
} finally {
  await rm(folder, { recursive: true });
}
for (const fault of faults) console.error(fault);
process.exitCode = faults.length ? 1 : 0;
