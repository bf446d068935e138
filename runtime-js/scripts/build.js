/** Writes dist/: the bundle, and the same precompressed. */
import { bundle } from "./bundle.js";

const { size, brotli } = await bundle(new URL("../dist/", import.meta.url));
console.log(`mizu-live.js: ${size} bytes, ${brotli} with brotli`);
