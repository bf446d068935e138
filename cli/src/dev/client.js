/**
 * The browser's half of `mizu dev`: hears how it stands, loads the page anew when another server made it, exchanges style sheets,
 * shows what went wrong, and carries over what was typed.
 *
 * Nothing is said that has to be remembered: each message tells all of it, so a page that was not listening has missed nothing.
 */

/**
 * @typedef {object} Status
 * @property {"building" | "starting" | "running" | "failed" | "ended"} phase
 * @property {string} version pages of another one are out of date
 * @property {number} styles counts changes of style sheets
 * @property {string} problem what went wrong, in a line; or nothing
 * @property {{ class: string, text: string }[]} report what there is to read about it
 */

/** @typedef {{ key: string, value?: string, checked?: boolean, selected?: number[] }} Field */

/** What this page was made by. */
const VERSION = new URL(import.meta.url).searchParams.get("version");
/** Key of sessionStorage: what is carried over a reload. */
const KEPT = "mizu-dev-kept";
/** Key of sessionStorage: the version for which a page was loaded last. */
const LOADED = "mizu-dev-loaded";
/** Controls whose value nobody types. */
const UNTYPED = /^(hidden|submit|button|reset|image|file)$/;

/** Fields, focus and scroll, from before a reload to after it. */
class Typed {
  save() {
    /** @type {Field[]} */
    const fields = [];
    /** @type {{ key: string, selection: (number | null)[] } | undefined} */
    let focus;
    for (const [key, control] of controls()) {
      const field = change(control);
      if (field) fields.push({ key, ...field });
      if (control === document.activeElement) focus = { key, selection: selection(control) };
    }
    const kept = { url: location.href, fields, focus, scroll: [scrollX, scrollY] };
    store(KEPT, JSON.stringify(kept));
  }

  restore() {
    const text = load(KEPT);
    if (!text) return;
    store(KEPT, null);
    const { url, fields, focus, scroll } = JSON.parse(text);
    if (url !== location.href) return;
    const all = new Map(controls());
    for (const field of /** @type {Field[]} */ (fields)) {
      const control = all.get(field.key);
      if (control) put(control, field);
    }
    const focused = focus && all.get(focus.key);
    if (focused) {
      focused.focus({ preventScroll: true });
      const [start, end] = focus.selection;
      if (start !== null && "setSelectionRange" in focused) focused.setSelectionRange(start, end);
    }
    scrollTo(scroll[0], scroll[1]);
  }
}

/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Control */

/** Every control that has a name or an id, by what finds it in the next document. @returns {[string, Control][]} */
function controls() {
  const seen = new Map();
  const all = /** @type {NodeListOf<Control>} */ (document.querySelectorAll("input, textarea, select"));
  return [...all].flatMap((control) => {
    if (UNTYPED.test(control.type) || !(control.id || control.name)) return [];
    const form = control.form ? control.form.id || [...document.forms].indexOf(control.form) : "";
    const choice = isCheckable(control) ? control.value : "";
    const key = control.id ? `#${control.id}` : JSON.stringify([form, control.name, control.type, choice]);
    const count = seen.get(key) ?? 0;
    seen.set(key, count + 1);
    return [[`${key} ${count}`, control]];
  });
}

/** @param {Control} control @returns {control is HTMLInputElement} */
function isCheckable(control) {
  return control.type === "checkbox" || control.type === "radio";
}

/** What somebody made of a control, if anything. @param {Control} control @returns {Omit<Field, "key"> | undefined} */
function change(control) {
  if (control instanceof HTMLSelectElement) {
    const options = [...control.options];
    if (options.every((option) => option.selected === option.defaultSelected)) return undefined;
    return { selected: options.flatMap((option, at) => (option.selected ? [at] : [])) };
  }
  if (isCheckable(control)) return control.checked === control.defaultChecked ? undefined : { checked: control.checked };
  return control.value === control.defaultValue ? undefined : { value: control.value };
}

/** Puts it back, and says so as if it were typed now. @param {Control} control @param {Field} field */
function put(control, { value, checked, selected }) {
  if (control instanceof HTMLSelectElement) {
    [...control.options].forEach((option, at) => (option.selected = selected?.includes(at) ?? false));
  } else if (isCheckable(control)) {
    control.checked = checked ?? false;
  } else {
    control.value = value ?? "";
  }
  control.dispatchEvent(new Event("input", { bubbles: true }));
  // Choosing is one event more than typing.
  if (checked !== undefined || selected) control.dispatchEvent(new Event("change", { bubbles: true }));
}

/** @param {Control} control @returns {(number | null)[]} none for controls that tell no selection */
function selection(control) {
  if (control instanceof HTMLSelectElement) return [null, null];
  return [control.selectionStart, control.selectionEnd];
}

/** Storage may be forbidden; then nothing is carried over. @param {string} key @param {string | null} value */
function store(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
  } catch {
    return false;
  }
  return true;
}

/** @param {string} key */
function load(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

/** What went wrong, over the page; and that something goes on, in its corner. */
class Overlay {
  /** Outside of the body, which is the page's. */
  #host = document.createElement("mizu-dev");
  #box = element("div", "overlay");
  #title = element("h1");
  #hint = element("p", "hint");
  #report = element("pre");
  #pill = element("div", "pill");
  /** What somebody does not want to see any more. */
  #dismissed = "";
  #shown = "";

  constructor() {
    const root = this.#host.attachShadow({ mode: "open" });
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/_mizu_dev/client.css" });
    const close = Object.assign(element("button"), { type: "button", textContent: "Hide" });
    close.addEventListener("click", () => this.#dismiss());
    const top = element("div", "top");
    top.append(this.#title, close);
    this.#box.setAttribute("role", "alert");
    this.#report.tabIndex = 0;
    this.#box.append(top, this.#hint, this.#report);
    this.#pill.setAttribute("role", "status");
    // Until its style is there it would be unreadable.
    this.#host.hidden = true;
    style.addEventListener("load", () => (this.#host.hidden = false), { once: true });
    root.append(style, this.#box, this.#pill);
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.#dismiss());
  }

  /** @param {Status} status */
  show({ phase, problem, report }) {
    this.#shown = problem && JSON.stringify([problem, report]);
    const busy = { building: "Building…", starting: "Starting…" };
    this.#pill.textContent = phase in busy ? busy[/** @type {keyof typeof busy} */ (phase)] : "";
    this.#pill.hidden = !this.#pill.textContent;
    this.#box.hidden = !problem || this.#shown === this.#dismissed;
    this.#title.textContent = problem;
    this.#hint.textContent = VERSION === "none" ? "" : "The page below is of the last build that worked.";
    const spans = report.map(({ class: look, text }) => Object.assign(element("span", look), { textContent: text }));
    this.#report.replaceChildren(...spans);
    if (!this.#host.isConnected) document.documentElement.append(this.#host);
  }

  #dismiss() {
    this.#dismissed = this.#shown;
    this.#box.hidden = true;
  }
}

/** @param {string} name @param {string} [look] */
function element(name, look = "") {
  return Object.assign(document.createElement(name), { className: look });
}

/** Loads every style sheet of this site again; the old one stays until the new one is there. @param {number} count */
function restyle(count) {
  for (const link of /** @type {NodeListOf<HTMLLinkElement>} */ (document.querySelectorAll("link[rel~=stylesheet][href]"))) {
    const url = new URL(link.href);
    if (url.origin !== location.origin || link.dataset.mizuDev === "old") continue;
    url.searchParams.set("mizu-dev", String(count));
    const next = /** @type {HTMLLinkElement} */ (link.cloneNode());
    next.href = url.href;
    link.dataset.mizuDev = "old";
    next.addEventListener("load", () => link.remove(), { once: true });
    // It may be gone; then the page keeps what it has.
    next.addEventListener("error", () => (next.remove(), delete link.dataset.mizuDev), { once: true });
    link.after(next);
  }
}

/** Hears how it stands while somebody looks at the page: browsers open few connections to a site. */
class Follower {
  #overlay = new Overlay();
  #typed = new Typed();
  /** @type {EventSource | undefined} */
  #source;
  /** @type {number | undefined} */
  #styles;
  #leaving = false;

  start() {
    this.#typed.restore();
    document.addEventListener("visibilitychange", () => this.#look());
    addEventListener("pageshow", () => this.#look());
    addEventListener("pagehide", () => this.#close());
    this.#look();
  }

  #look() {
    if (document.hidden) return this.#close();
    if (this.#source && this.#source.readyState !== EventSource.CLOSED) return;
    this.#source = new EventSource("/_mizu_dev/events");
    this.#source.addEventListener("status", ({ data }) => this.#take(JSON.parse(data)));
  }

  #close() {
    this.#source?.close();
    this.#source = undefined;
  }

  /** @param {Status} status */
  #take(status) {
    if (this.#leaving) return;
    const { phase, version, styles } = status;
    this.#overlay.show(status);
    const away = phase === "starting" || (VERSION === "none" && phase !== "running");
    // A page that some cache gives back again and again is not asked for for ever.
    if (version !== VERSION && !away && load(LOADED) !== version) {
      store(LOADED, version);
      this.#leaving = true;
      this.#typed.save();
      location.reload();
      return;
    }
    if (this.#styles !== undefined && this.#styles !== styles) restyle(styles);
    this.#styles = styles;
  }
}

new Follower().start();
