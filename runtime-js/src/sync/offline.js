/** The page's side of the service worker: what it keeps, for whom, and when it forgets. */
import { CACHE_PREFIX, WORKER_PATH } from "./constants.js";

/**
 * Asks the worker to keep pages for when there is no network.
 *
 * @param {string[]} paths @param {string} user @param {string} build pages of another build are fetched anew
 */
export async function keep(paths, user, build) {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  await serviceWorker.register(WORKER_PATH, { scope: "/" });
  const { active } = await serviceWorker.ready;
  // What this page has loaded includes what its scripts import, which its HTML doesn't tell.
  const loaded = performance.getEntriesByType("resource");
  const assets = loaded.filter((entry) => /^(script|link|css|img)$/.test(/** @type {PerformanceResourceTiming} */ (entry).initiatorType));
  active?.postMessage({ paths, user, build, assets: assets.map(({ name }) => name) });
}

/** Forgets all pages. */
export async function forget() {
  if (!globalThis.caches) return;
  for (const name of await caches.keys()) if (name.startsWith(CACHE_PREFIX)) await caches.delete(name);
}
