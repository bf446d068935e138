/**
 * Listens to what the browser tells about network and tab.
 *
 * @param {EventTarget | undefined} page
 * @param {(event: Event) => void} wake the network came back, or the page is looked at, or not any more: that may be the last chance to
 *   send something
 * @param {() => void} rest the page goes to the back/forward cache, where it may hold on to nothing
 * @param {() => void} resume it came back from there
 * @returns {() => void} ends it
 */
export function listen(page, wake, rest, resume) {
  const life = new AbortController();
  /** @param {(event: Event) => void} hear @param {string[]} names */
  const on = (hear, ...names) => names.forEach((name) => page?.addEventListener(name, hear, life));
  /** @param {() => void} work */
  const kept = (work) => (/** @type {Event} */ event) => /** @type {PageTransitionEvent} */ (event).persisted && work();
  on(wake, "online", "focus", "visibilitychange");
  on(kept(rest), "pagehide");
  on(kept(resume), "pageshow");
  return () => life.abort();
}
