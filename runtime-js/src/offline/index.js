/**
 * The service worker: it shows named pages when there is no network.
 *
 * The network comes first, always. A page, or what it loads, is taken from the cache only when the network fails or is
 * too slow to wait for; so a page never meets scripts of another build while the server is reached. What carries a hash
 * in its path can't change, and comes from the cache first.
 *
 * Pages are kept for one user and one build at a time, in one cache that is named by both. A page of another user, or of
 * another build, has everything fetched anew into a new cache, and then the old one is deleted; at sign-out the page
 * deletes all. Nothing else is touched: no other pages, no requests of scripts, nothing that isn't a GET.
 */

/**
 * @typedef {object} Config what pages ask for
 * @property {string[]} paths
 * @property {string} user
 * @property {string} build
 * @property {string[]} assets that the asking page has loaded
 */

/** @typedef {Event & { waitUntil(work: Promise<unknown>): void }} Lasting */
/** @typedef {Lasting & { request: Request, respondWith(answer: Promise<Response>): void }} FetchEvent */

const worker = /** @type {EventTarget & { skipWaiting(): Promise<void>, clients: { claim(): Promise<void> }, location: Location }} */ (
  /** @type {unknown} */ (self)
);

/** Caches begin with this; the page deletes those at sign-out. */
const PREFIX = "mizu-";
/** What was asked for last is kept here, as the worker itself lives for moments only. */
const CONFIG = `${PREFIX}config`;
const CONFIG_URL = "/mizu-config";
/** Files of the framework whose paths carry a hash. */
const IMMUTABLE = /^\/_mizu\/[^/]+\//;
/** What pages are made of. */
const ASSETS = ["script", "style", "image", "font", "manifest"];
/** How long the network may take when there is something in the cache, in milliseconds. */
const PATIENCE = 3_000;

/** Work on the caches, one after the other. @type {Promise<unknown>} */
let last = Promise.resolve();

worker.addEventListener("install", () => void worker.skipWaiting());
worker.addEventListener("activate", (event) => /** @type {Lasting} */ (event).waitUntil(worker.clients.claim()));
worker.addEventListener("message", (event) => {
  const { data } = /** @type {MessageEvent<Config>} */ (event);
  last = last.then(() => keep(data)).catch(() => {});
  /** @type {Lasting} */ (event).waitUntil(last);
});
worker.addEventListener("fetch", (event) => {
  const fetching = /** @type {FetchEvent} */ (event);
  const { method, url, mode, destination } = fetching.request;
  if (method !== "GET" || new URL(url).origin !== worker.location.origin) return;
  if (mode === "navigate") fetching.respondWith(page(fetching));
  else if (ASSETS.includes(destination)) fetching.respondWith(asset(fetching));
});

/** @param {Config} config */
const nameOf = ({ user, build }) => `${PREFIX}${JSON.stringify([user, build])}`;

/** @returns {Promise<Config | undefined>} */
async function config() {
  const kept = await caches.match(CONFIG_URL, { cacheName: CONFIG });
  return kept?.json();
}

/** Fetches everything that a page asked for, and forgets what was kept for others. @param {Config} wanted */
async function keep(wanted) {
  const before = await config();
  // Whatever comes of this, nobody is shown the page of another.
  if (before && before.user !== wanted.user) await forget("");
  const name = nameOf(wanted);
  const cache = await caches.open(name);
  const assets = new Set(wanted.assets);
  const shells = wanted.paths.map(async (path) => {
    const response = await fetch(path, { headers: { accept: "text/html" } });
    if (!isPage(response)) return;
    for (const address of references(await response.clone().text(), response.url)) assets.add(address);
    await cache.put(path, response);
  });
  await Promise.all(shells);
  const own = [...assets].filter((address) => new URL(address).origin === worker.location.origin);
  // An asset that fails is fetched again when a page wants it.
  await Promise.allSettled(own.map(async (address) => (await cache.match(address)) ?? cache.add(address)));
  const { paths, user, build } = wanted;
  await (await caches.open(CONFIG)).put(CONFIG_URL, Response.json({ paths, user, build }));
  await forget(name);
}

/** @param {string} kept name of the cache that stays, together with the configuration */
async function forget(kept) {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== kept && !(kept && name === CONFIG)) await caches.delete(name);
  }
}

/** @param {FetchEvent} event */
async function page(event) {
  const kept = await config();
  const { pathname } = new URL(event.request.url);
  if (!kept?.paths.includes(pathname)) return fetch(event.request);
  const cache = await caches.open(nameOf(kept));
  /** @param {Response} response */
  const store = async (response) => {
    if (isPage(response)) await cache.put(pathname, response);
    // The server sends the user elsewhere, or away: what is kept may not be theirs any more.
    else if (response.type === "opaqueredirect" || response.status === 401 || response.status === 403) await cache.delete(pathname);
  };
  return newest(event, await cache.match(pathname), nameOf(kept), store);
}

/** @param {FetchEvent} event */
async function asset(event) {
  const { request } = event;
  const kept = await config();
  if (!kept) return fetch(request);
  const cache = await caches.open(nameOf(kept));
  const old = await cache.match(request.url);
  const { pathname } = new URL(request.url);
  if (old && IMMUTABLE.test(pathname)) return old;
  // What belongs to other pages is no business of ours.
  const { referrer } = request;
  const ours = old || (referrer && (kept.paths.includes(new URL(referrer).pathname) || (await cache.match(referrer))));
  if (!ours) return fetch(request);
  return newest(event, old, nameOf(kept), async (response) => {
    if (response.status === 200) await cache.put(request.url, response);
  });
}

/**
 * The network's answer; or what is kept, when there is none in time.
 *
 * @param {FetchEvent} event @param {Response | undefined} old @param {string} name of the cache
 * @param {(response: Response) => Promise<void>} store
 * @returns {Promise<Response>}
 */
async function newest(event, old, name, store) {
  const network = fetch(event.request).then((response) => {
    const copy = response.clone();
    // Unless everything was forgotten while it was under way.
    last = last.then(async () => (await caches.has(name)) && store(copy)).catch(() => {});
    event.waitUntil(last);
    return response;
  });
  if (!old) return network;
  event.waitUntil(network.catch(() => {}));
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, old));
  return Promise.race([network.catch(() => old), late]);
}

/** @param {Response} response */
function isPage({ status, redirected, headers }) {
  return status === 200 && !redirected && !!headers.get("content-type")?.startsWith("text/html");
}

/**
 * Addresses that HTML names. A worker has no parser, so this looks for attributes of tags that load something.
 *
 * @param {string} html @param {string} base
 */
function* references(html, base) {
  for (const [tag] of html.matchAll(/<(?:script|img|link)\b[^>]*>/gi)) {
    if (/^<link/i.test(tag) && !/\brel\s*=\s*["']?(?:stylesheet|modulepreload|icon|manifest)/i.test(tag)) continue;
    const [, , double, single, bare] = tag.match(/\s(src|href)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))/i) ?? [];
    const address = double ?? single ?? bare;
    if (address) yield new URL(address.replaceAll("&amp;", "&"), base).href;
  }
}
