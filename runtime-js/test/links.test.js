import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as wire from "../src/constants.js";
import { $, open, setup, socket } from "./support.js";

setup();

const PAGE = `<a id="twenty" href="/table?rows=20" data-lv-patch>20</a><a id="fifty" href="/table?rows=50" data-lv-patch data-lv-replace>50</a>
  <a id="path" href="/other" data-lv-patch>x</a><a id="site" href="http://elsewhere.test/table" data-lv-patch>x</a><a id="fragment" href="/table?rows=9#end" data-lv-patch>x</a>
  <a id="tab" href="/table?rows=9" target="_blank" data-lv-patch>x</a><a id="plain" href="/table?rows=9">x</a><p id="rows">10</p>`;

/** @type {import("vitest").MockInstance} */
let assign;
/** @type {import("vitest").MockInstance} */
let replace;
/** @type {import("vitest").MockInstance} */
let push;
/** @type {import("vitest").MockInstance} */
let listen;

beforeEach(() => {
  history.replaceState(null, "", "/table?rows=10");
  assign = vi.spyOn(location, "assign").mockImplementation(() => {});
  replace = vi.spyOn(location, "replace").mockImplementation(() => {});
  push = vi.spyOn(history, "pushState");
  listen = vi.spyOn(window, "addEventListener");
});
afterEach(() => history.replaceState(null, "", "/"));

/** Clicks, and keeps the browser from following. @param {string} selector @param {MouseEventInit} [init] @returns {boolean} whether the runtime took the click */
function click(selector, init) {
  let taken = true;
  window.addEventListener("click", (event) => {
    taken = event.defaultPrevented;
    event.preventDefault();
  }, { once: true });
  $(selector).dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ...init }));
  return taken;
}
/** The browser goes to another entry of the history. Only the newest page hears it: those of earlier tests listen on. @param {string} url */
function go(url) {
  history.replaceState(null, "", url);
  listen.mock.calls.findLast(([type]) => type === "popstate")?.[1]();
}
const here = () => location.pathname + location.search;
/** Joins on the page's own topic. */
const visits = () => socket().of(wire.JOIN).filter(({ topic }) => topic);
/** @param {string} path */
const full = (path) => new URL(path, location.href).href;

describe("a patch link", () => {
  test("asks the session, and changes the address before the page", () => {
    open(PAGE);
    expect(click("#twenty")).toBe(true);
    expect(visits()).toEqual([{ kind: wire.JOIN, topic: "1", ref: 2, body: ["", "/table?rows=20", new Map(), null, []] }]);
    expect(here()).toBe("/table?rows=10");
    push.mockImplementationOnce(() => expect($("#rows").textContent).toBe("10"));
    socket().receive(wire.REPLY, 2, [0, [1, [["rows", wire.INNER, "20"]], "Twenty"]]);
    expect($("#rows").textContent).toBe("20");
    expect(push).toHaveBeenCalledExactlyOnceWith(null, "", "/table?rows=20");
    expect([assign, replace].some(({ mock }) => mock.calls.length)).toBe(false);
  });

  test("may take the place of the current entry, as one to the same address does", () => {
    open(PAGE);
    click("#fifty");
    socket().receive(wire.REPLY, 2, [0]);
    expect(here()).toBe("/table?rows=50");
    $("#twenty").setAttribute("href", "?rows=50");
    click("#twenty");
    socket().receive(wire.REPLY, 3, [0]);
    expect(push).not.toHaveBeenCalled();
    expect(visits()).toHaveLength(2);
  });

  test("is the address that the page is joined at from then on", () => {
    open(PAGE);
    click("#twenty");
    socket().receive(wire.REPLY, 2, [0]);
    socket().end();
    vi.advanceTimersByTime(250);
    expect(socket().open().of(wire.JOIN)[0].body[1]).toBe("/table?rows=20");
    expect(assign).not.toHaveBeenCalled();
  });

  test("is the browser's where it leads elsewhere, or shall open elsewhere", () => {
    open(PAGE);
    for (const selector of ["#path", "#site", "#fragment", "#tab", "#plain"]) expect(click(selector), selector).toBe(false);
    for (const key of ["ctrlKey", "metaKey", "shiftKey", "altKey"]) expect(click("#twenty", { [key]: true }), key).toBe(false);
    expect(click("#twenty", { button: 1 })).toBe(false);
    expect(visits()).toHaveLength(0);
  });

  test("is the browser's while the page is not joined", () => {
    open(PAGE, { join: false });
    expect(click("#twenty")).toBe(false);
    socket().open();
    expect(click("#twenty")).toBe(false);
    socket().welcome();
    expect(click("#twenty")).toBe(true);
    socket().receive(wire.REPLY, 2, [0]);
    socket().end();
    expect(click("#fifty")).toBe(false);
  });

  test("that the page prevented, or the user was asked about, is not followed", () => {
    open(PAGE);
    vi.stubGlobal("confirm", () => false);
    $("#fifty").setAttribute("data-lv-confirm", "Sure?");
    click("#fifty");
    $("#twenty").addEventListener("click", (event) => event.preventDefault());
    click("#twenty");
    expect(visits()).toHaveLength(0);
  });

  test.each([
    ["an error of the page", wire.REPLY, "1", [1, null, ["invalid", "no such row"]]],
    ["an error", wire.ERROR, "", [wire.FORBIDDEN, "no", false]],
    ["an error that ends sessions", wire.ERROR, "", [wire.MAILBOX_FULL, "busy", true]],
    ["another session", wire.REPLY, "", [0, [1, [["rows", wire.INNER, "other"]]], ["2", "S2", 1, 25_000, false, true]]],
  ])("that is answered with %s is loaded", (_, kind, topic, body) => {
    open(PAGE);
    click("#twenty");
    socket().receive(kind, 2, body, topic);
    expect(assign).toHaveBeenCalledExactlyOnceWith(full("/table?rows=20"));
    expect($("#rows").textContent).toBe("10");
    expect(here()).toBe("/table?rows=10");
    expect($("#lv-root").className).toBe("lv-connected");
  });

  test("that is redirected leads there", () => {
    open(PAGE);
    click("#twenty");
    socket().receive(wire.REDIRECT, 2, ["/login", true, 0], "");
    expect(assign).toHaveBeenCalledExactlyOnceWith(full("/login"));
    expect(replace).not.toHaveBeenCalled();
  });

  test("is loaded when the connection drops, or the session fails, before the answer", () => {
    open(PAGE);
    click("#twenty");
    socket().end();
    expect(assign).toHaveBeenCalledExactlyOnceWith(full("/table?rows=20"));
    open(PAGE);
    click("#fifty");
    socket().receive(wire.ERROR, 0, [wire.PANICKED, "oh", true]);
    expect(replace).toHaveBeenCalledExactlyOnceWith(full("/table?rows=50"));
  });

  test("doesn't call the browser back that went elsewhere meanwhile", () => {
    open(PAGE);
    click("#twenty");
    window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
    expect(assign).not.toHaveBeenCalled();
  });

  test("gives way to a newer one", () => {
    open(PAGE);
    click("#twenty");
    click("#fifty");
    socket().receive(wire.REPLY, 2, [0, [1, [["rows", wire.INNER, "20"]]]]);
    expect([here(), $("#rows").textContent]).toEqual(["/table?rows=10", "20"]);
    socket().receive(wire.REPLY, 3, [0, [2, [["rows", wire.INNER, "50"]]]]);
    expect([here(), $("#rows").textContent]).toEqual(["/table?rows=50", "50"]);
    click("#twenty");
    click("#fifty");
    socket().receive(wire.REPLY, 4, [0, [1, [["rows", wire.INNER, "other"]]], ["2", "S2", 1, 25_000, false, true]], "");
    expect($("#rows").textContent).toBe("50");
    socket().receive(wire.REPLY, 5, [0]);
    expect(assign).not.toHaveBeenCalled();
  });
});

describe("going back", () => {
  test("asks the session for that address, without a new entry", () => {
    open(PAGE);
    click("#twenty");
    socket().receive(wire.REPLY, 2, [0, [1, [["rows", wire.INNER, "20"]]]]);
    go("/table?rows=10");
    expect(visits()[1].body[1]).toBe("/table?rows=10");
    socket().receive(wire.REPLY, 3, [0, [2, [["rows", wire.INNER, "10"]]]]);
    expect($("#rows").textContent).toBe("10");
    go("/table?rows=20");
    expect(visits()[2].body[1]).toBe("/table?rows=20");
    // Back again before the answer: the newest wins.
    go("/table?rows=10");
    expect(visits()[3].body[1]).toBe("/table?rows=10");
    socket().receive(wire.REPLY, 4, [0, [3, [["rows", wire.INNER, "20"]]]]);
    socket().receive(wire.REPLY, 5, [0, [4, [["rows", wire.INNER, "10"]]]]);
    expect([here(), $("#rows").textContent]).toEqual(["/table?rows=10", "10"]);
    expect(push).toHaveBeenCalledOnce();
  });

  test("within the page is none of ours", () => {
    open(PAGE);
    go("/table?rows=10#end");
    expect(visits()).toHaveLength(0);
  });

  test("loads the address where the session can't be asked, or refuses", () => {
    open(PAGE);
    go("/table?rows=20");
    socket().receive(wire.ERROR, 2, ["internal", "oh", true], "");
    expect(replace).toHaveBeenCalledExactlyOnceWith(full("/table?rows=20"));
    socket().end();
    go("/table?rows=30#end");
    expect(replace).toHaveBeenLastCalledWith(full("/table?rows=30"));
    expect(assign).not.toHaveBeenCalled();
  });
});
