/** Writes dist/: the bundles, and the same precompressed. */
import { BUNDLES, bundle } from "./bundle.js";

for (const entry of BUNDLES) {
  const { size, brotli } = await bundle(entry, new URL("../dist/", import.meta.url));
  console.log(`${entry.name}: ${size} bytes, ${brotli} with brotli`);
}
