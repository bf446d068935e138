/**
 * Listens to what the browser tells about network and tab.
 *
 * @param {EventTarget | undefined} page
 * @param {() => void} wake the network came back, or the page is looked at, or not any more: that may be the last chance to
 *   send something
 * @param {() => void} rest the page goes to the back/forward cache, where it may hold on to nothing
 * @param {() => void} resume it came back from there
 * @returns {() => void} ends it
 */
export function listen(page, wake, rest, resume) {
  const life = new AbortController();
  /** @param {string[]} names @param {(event: Event) => void} hear */
  const on = (names, hear) => names.forEach((name) => page?.addEventListener(name, hear, life));
  /** @param {() => void} work */
  const kept = (work) => (/** @type {Event} */ event) => /** @type {PageTransitionEvent} */ (event).persisted && work();
  on(["online", "focus", "visibilitychange"], wake);
  on(["pagehide"], kept(rest));
  on(["pageshow"], kept(resume));
  return () => life.abort();
}
