import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as wire from "../src/constants.js";
import { lists, Page, row, SCOPE, settle, shown, templates, turn } from "./support/local.js";
import { $, fire, hear, open, socket } from "./support.js";

/** @type {Page} */
let page;
beforeEach(() => (page = new Page()).start());
afterEach(() => page.stop());

// Ids that sort before those that are given here.
const [A, B] = [{ id: "00a", title: "A" }, { id: "00b", title: "B" }];
const events = () => socket().of(wire.EVENT);

test("a click is one mutation and no event: shown at once, settled later", async () => {
  page.has(A, B);
  await page.load();
  const before = $("#todo-00a");
  $("#todo-00a button").focus();
  await page.press("00a");
  expect(shown()).toBe("A+* B");
  expect($("#todo-00a")).toBe(before);
  expect(document.activeElement).toBe($("#todo-00a button"));
  await page.synced();
  expect(page.network.server.ran).toHaveLength(1);
  expect(page.network.server.rows(SCOPE).get(`todo\0${A.id}`)).toEqual({ id: "00a", title: "A", done: true });
  // The page's patch is still to come.
  expect(shown()).toBe("A+ B");
  page.patch();
  expect(shown()).toBe("A+ B");
  await page.press("00a", ".delete");
  expect(shown()).toBe("B");
  await page.synced();
  expect(shown()).toBe("B");
  page.patch();
  expect(lists(page.html)).toBe(true);
  expect(events()).toHaveLength(0);
});

test("a form is one mutation, is emptied, and takes back what waited to be sent", async () => {
  await page.load();
  page.away(true);
  $("#new input").value = "Tea";
  fire("#new input", "input");
  expect(fire("#new", "submit").defaultPrevented).toBe(true);
  await settle();
  expect(shown()).toBe("Tea*");
  expect($("#new input").value).toBe("");
  vi.advanceTimersByTime(1_000);
  expect(events()).toHaveLength(0);
  page.away(false);
  await page.synced();
  const [todo] = page.network.server.rows(SCOPE).values();
  expect(todo).toEqual({ id: expect.stringMatching(/^[\da-f]{8}-/), title: "Tea" });
  // What the server says of it later counts again.
  page.patch(`<input value="now">`, "new");
  expect($("#new input").value).toBe("now");
});

test("a row that only the browser knows stays through patches that don't, and is the server's in the end", async () => {
  page.has(A);
  await page.load();
  await page.add("Tea");
  // What somebody else does meanwhile doesn't take it away.
  page.patch(page.html + row(B));
  expect(shown()).toBe("A B Tea*");
  await page.synced();
  expect(shown()).toBe("A B Tea");
  page.patch();
  expect(shown()).toBe("A Tea");
  expect(lists(page.html)).toBe(true);
});

test("a row that only the browser had drawn stays the same element when the server brings it", async () => {
  await page.load();
  await page.add("Tea");
  const drawn = $("#todos > li");
  await page.synced();
  page.patch();
  expect($("#todos > li")).toBe(drawn);
  expect(lists(page.html)).toBe(true);
});

test("steps count what the server has rendered, wherever rows were drawn", async () => {
  page.has(A, B);
  await page.load({ at: `data-lv-rows-at="start"` });
  page.network.fate = ({ path }) => (path === "pull" ? "lost" : "ok");
  await page.add("Tea");
  await page.press("00b");
  const tea = $("#todos > li");
  $("#todos > li button").focus();
  await page.local.sync.push();
  const html = row(/** @type {{ id: string }} */ ([...page.network.server.rows(SCOPE).values()][2]));
  /** @param {import("./support.js").Value[]} ops */
  const steps = (...ops) => socket().receive(wire.PATCH, 0, [++seq, [["todos", wire.STEPS, ops]]]);
  let seq = 0;
  // Somebody's row comes first; then an unnamed text of the last one changes; then our own row comes, too.
  steps([wire.CHILDREN, 0, [], 2, [row({ id: "00c", title: "C" }), 2]]);
  expect(shown()).toBe("Tea* C A B+*");
  steps([wire.TEXT, 0, [2, 1, 0], 1, "Beer", 0, 1]);
  expect($("#todo-00b span").textContent).toBe("B");
  steps([wire.CHILDREN, 0, [], 3, [3, html]]);
  expect(shown()).toBe("C A B+* Tea*");
  expect($("#todos > li:last-child")).toBe(tea);
  expect(document.activeElement).toBe(tea.querySelector("button"));
  expect(document.querySelectorAll("li")).toHaveLength(4);
  expect(socket().of(wire.RESYNC)).toHaveLength(0);
  steps([wire.CHILDREN, 0, [], 4, [1, -1, 2]]);
  expect(shown()).toBe("C B+* Tea*");
});

test("a patch that comes before the answer changes nothing that is seen", async () => {
  page.has(A);
  await page.load();
  page.network.fate = ({ path }) => (path === "pull" ? "lost" : "ok");
  await page.press("00a");
  await page.add("Tea");
  await page.local.sync.push();
  await settle();
  const tea = $("#todos > li:last-child");
  page.patch();
  expect(shown()).toBe("A+* Tea*");
  expect($("#todos > li:last-child")).toBe(tea);
  page.away(false);
  await page.synced();
  expect(lists(page.html)).toBe(true);
});

test("what the server refuses is taken back without a patch, and told", async () => {
  page.has(A, B);
  await page.load();
  const rejected = hear("rejected");
  const before = $("#todos").innerHTML;
  page.away(true);
  page.network.server.mutator("todo.merge", () => {
    throw Object.assign(new Error("No."), {});
  });
  page.network.server.mutator("todo.delete", () => {
    throw new Error("Never.");
  });
  page.network.server.mutator("todo.create", () => {
    throw new Error("Full.");
  });
  await page.press("00a");
  await page.press("00b", ".delete");
  await page.add("Tea");
  expect(shown()).toBe("A+* Tea*");
  expect($("#problem").hidden).toBe(true);
  page.away(false);
  await page.synced();
  expect(lists(before)).toBe(true);
  expect(rejected.map(({ name, scope, code }) => [name, scope, code])).toEqual([
    ["todo.merge", SCOPE, "failed"],
    ["todo.delete", SCOPE, "failed"],
    ["todo.create", SCOPE, "failed"],
  ]);
  expect($("#problem").hidden).toBe(false);
  expect($("#problem").textContent).toBe("Error: Full.");
  // The next mutation begins with a clean slate, and a patch doesn't wipe it.
  page.network.server.mutator("todo.delete", () => {
    throw new Error("Never ever.");
  });
  await page.press("00a", ".delete");
  expect($("#problem").hidden).toBe(true);
  await page.synced();
  expect($("#problem").textContent).toBe("Error: Never ever.");
});

test("a confirmed change that the page never shows lasts five seconds, from joining on", async () => {
  page.has(A);
  await page.load();
  await page.press("00a");
  socket().end();
  await page.synced();
  vi.setSystemTime(Date.now() + 60_000);
  expect(shown()).toBe("A+");
  page.join();
  vi.advanceTimersByTime(4_999);
  expect(shown()).toBe("A+");
  vi.advanceTimersByTime(1);
  expect(shown()).toBe("A");
  expect(lists(row(A))).toBe(true);
});

test("a patch of one mutation doesn't show the state between two", async () => {
  page.has(A);
  await page.load();
  for (const title of ["B", "C"]) page.local.sync.mutate("todo.merge", { ...A, title }, { scope: SCOPE });
  await page.synced();
  expect(shown()).toBe("C");
  page.patch(row({ ...A, title: "B" }));
  expect(shown()).toBe("C");
  page.patch();
  expect(lists(page.html)).toBe(true);
});

test("a row that the page doesn't list any more is not put back", async () => {
  page.has(A, B);
  await page.load();
  page.network.fate = ({ path }) => (path === "pull" ? "lost" : "ok");
  await page.press("00a");
  page.patch(row(B));
  expect(shown()).toBe("B");
  page.patch(row(B) + row({ id: "00c", title: "C" }));
  expect(shown()).toBe("B C");
  page.away(false);
  await page.synced();
  expect(shown()).toBe("B C");
});

test("a patch elsewhere doesn't touch what is drawn", async () => {
  page.has(A);
  await page.load({ more: `<p id="clock">1</p>` });
  await page.press("00a");
  const observer = new MutationObserver(() => {});
  observer.observe($("#todos"), { subtree: true, childList: true, attributes: true, characterData: true });
  page.patch("2", "clock");
  expect($("#clock").textContent).toBe("2");
  expect(observer.takeRecords()).toHaveLength(0);
});

test("opened without the server, the page shows the store's rows, and joining gives all of it back", async () => {
  page.has(A, B);
  await page.load();
  page.away(true);
  await page.press("00a", ".delete");
  await page.add("Tea");
  // The worker's copy of the page is older still: a row of it is gone, another one has come.
  const stale = row(A) + row({ id: "00old", title: "Old" });
  await page.load({ joined: false, html: stale, more: `<i data-lv-count="todo" id="count">2</i>` });
  expect(shown()).toBe("B Tea*");
  expect($("#todo-00a").hidden).toBe(true);
  expect($("#todo-00a").hasAttribute("data-pending")).toBe(true);
  expect($("#todo-00old").hasAttribute("data-pending")).toBe(false);
  expect($("#count").textContent).toBe("2");
  await page.press("00b");
  expect(shown()).toBe("B+* Tea*");
  // The server believes that the page is as it was loaded.
  page.join();
  expect(shown()).toBe("Old B+* Tea*");
  page.patch(row(A) + row(B));
  expect(shown()).toBe("B+* Tea*");
  page.away(false);
  await page.synced();
  page.patch();
  expect(lists(page.html)).toBe(true);
  expect(page.network.server.ran).toHaveLength(3);
});

test("a join's own patch meets what the server has rendered", async () => {
  page.has(A, B);
  await page.load();
  page.away(true);
  await page.load({ joined: false, html: row(A) });
  expect(shown()).toBe("A B");
  const [b] = document.querySelectorAll("#todo-00b");
  page.join(row(A) + row(B));
  expect($("#todo-00b")).toBe(b);
  expect(lists(row(A) + row(B))).toBe(true);
});

test("before anything was ever fetched, the server's rows stay, and its handlers work", async () => {
  page.has(A);
  page.away(true);
  await page.load({ joined: false });
  expect(shown()).toBe("A");
  await page.add("Tea");
  expect(shown()).toBe("A Tea*");
  page.join();
  await page.press("00a");
  expect(events()).toHaveLength(1);
  expect(shown()).toBe("A Tea*");
});

test("without a store everything is as if nothing was said of mutations", () => {
  open(row(A) + `<form id="bare" data-lv-mutate="x" data-lv-scope="s"></form>`);
  $("#todo-00a .delete").click();
  expect(events().map(({ body }) => body[0])).toEqual(["delete"]);
  expect(fire("#bare", "submit").defaultPrevented).toBe(false);
});

test("while the store is being opened, handlers do what they can, and the rest waits for it", async () => {
  page.has(A);
  const loading = page.load();
  $("#todo-00a .delete").click();
  expect(events().map(({ body }) => body[0])).toEqual(["delete"]);
  await loading;
  page.away(true);
  const again = page.load({ joined: false });
  $("#todo-00a .delete").click();
  await again;
  expect(shown()).toBe("");
  expect(page.local.sync.status.pending).toBe(1);
});

test("new rows go where the container says, in their order", async () => {
  page.has(A);
  await page.load({ at: `data-lv-rows-at="start"` });
  page.away(true);
  await page.add("1");
  await page.add("2");
  expect(shown()).toBe("2* 1* A");
  await page.load({ at: `data-lv-rows-at="start"`, joined: false });
  expect(shown()).toBe("2* 1* A");
});

test("where a click goes", async () => {
  page.has(A);
  await page.load({
    more: `<a id="link" href="#x" data-lv-mutate="todo.merge" data-lv-value-id="00a" data-lv-value-title="link">x</a>
      <div id="around" data-lv-mutate="todo.merge" data-lv-value-id="00a" data-lv-value-title="around"><b id="text">x</b>
        <button type="button" id="other" data-lv-click="other">x</button></div>
      <form id="f" data-lv-submit="form"><input name="title" value="field"><input type="hidden" name="id" value="00a">
        <button id="own" data-lv-mutate="todo.merge" data-lv-value-done="true">x</button><button id="plain">x</button></form>
      <button id="ask" type="button" data-lv-confirm="Sure?" data-lv-mutate="todo.delete" data-lv-value-id="00a">x</button>
      <button id="elsewhere" type="button" data-lv-scope="others" data-lv-mutate="odd.thing">x</button>
      <input type="checkbox" id="box" data-lv-mutate="todo.merge" data-lv-value-id="00a" data-lv-value-title="box">`,
  });
  page.away(true);
  /** @param {string} selector */
  const click = async (selector) => {
    $(selector).click();
    await settle();
    return shown();
  };
  expect(await click("#link")).toBe("link*");
  expect(fire("#link", "click", /** @type {EventInit} */ ({ button: 0 })).defaultPrevented).toBe(true);
  expect(await click("#text")).toBe("around*");
  expect(await click("#other")).toBe("around*");
  expect(events().map(({ body }) => body[0])).toEqual(["other"]);
  expect(await click("#own")).toBe("field+*");
  expect(await click("#plain")).toBe("field+*");
  expect(events().map(({ body }) => body[0])).toEqual(["other", "form"]);
  expect(await click("#box")).toBe("box+*");
  expect($("#box").checked).toBe(true);
  vi.stubGlobal("confirm", () => false);
  expect(await click("#ask")).toBe("box+*");
  vi.stubGlobal("confirm", () => true);
  expect(await click("#ask")).toBe("");
  await click("#elsewhere");
  page.away(false);
  await page.synced();
  expect(page.network.of("push").flatMap(({ mutations }) => mutations).map(({ name, scope }) => `${name} ${scope}`).at(-1)).toBe("odd.thing others");
});

test("classes of an element stay until its mutation is settled, whatever is patched", async () => {
  page.has(A);
  await page.load({ more: `<button id="x" type="button" class="mine" data-lv-optimistic="mine busy" data-lv-mutate="todo.merge" data-lv-value-id="00a" data-lv-value-done="true">x</button>` });
  page.away(true);
  await page.press("00a", ".delete");
  $("#x").click();
  expect($("#x").className).toBe("mine busy");
  page.patch(page.html.replace("A", "B"));
  expect($("#x").className).toBe("mine busy");
  $("#x").click();
  await turn();
  page.away(false);
  await page.synced();
  expect($("#x").className).toBe("mine");
});

test("the mark of an event that waits for its answer is not taken for the server's", async () => {
  page.has(A);
  await page.load();
  page.patch(`<li id="todo-00a" class="mine"><form data-lv-submit="save"><button data-lv-disable-with="Saving">Save</button></form></li>`);
  fire("#todo-00a form", "submit");
  expect($("#todo-00a form").className).toBe("lv-submit-loading");
  page.away(true);
  page.local.sync.mutate("todo.merge", { id: "00a", title: "B" }, { scope: SCOPE });
  await turn();
  expect(shown()).toBe("B*");
  socket().receive(wire.REPLY, events()[0].ref, [0]);
  page.network.server.mutator("todo.merge", () => {
    throw new Error("No.");
  });
  page.away(false);
  await page.synced();
  vi.advanceTimersByTime(5_000);
  const { className, innerHTML } = $("#todo-00a");
  expect(className).toBe("mine");
  expect(innerHTML).toMatch(/^<form data-lv-submit="save"><button data-lv-disable-with="Saving">\w+<\/button><\/form>$/);
});

test("what the application says of a mutation stays, also when a patch brings other templates", async () => {
  page.has(A);
  await page.load({ more: `<div id="more"></div>` });
  page.local.sync.mutator("todo.merge", (tx, /** @type {{ id: string }} */ { id }) => tx.put("todo", id, { id, title: "Mine" }));
  page.away(true);
  page.patch(templates.replaceAll(SCOPE, "others") + `<ul id="others"></ul>`, "more");
  await page.press("00a");
  expect(shown()).toBe("Mine*");
  page.local.sync.mutate("todo.create", { id: "x", title: "Elsewhere" }, { scope: "others" });
  await settle();
  expect($("#others").textContent).toContain("Elsewhere");
  expect(socket().of(wire.SUBSCRIBE).flatMap(({ body }) => body[0])).toEqual([SCOPE, "others"]);
});

test("a poke has the store pull", async () => {
  await page.load();
  page.has(A);
  socket().receive(wire.POKE, 0, [SCOPE, ""], "");
  await settle();
  expect(page.local.sync.rows({ scope: SCOPE }).map(({ id }) => id)).toEqual(["00a"]);
});

test("status and counts are told while they differ, and given back", async () => {
  page.has(A, B);
  const counts = `<div id="counts"><b data-lv-count="todo" id="all">two</b><b data-lv-count="todo" data-lv-count-where='{"done":false}' id="open">2</b><b data-lv-count="note" id="none">x</b></div>`;
  await page.load({ more: counts });
  const tell = () => ["#status", "#all", "#open", "#none"].map((selector) => $(selector).textContent);
  expect(tell()).toEqual(["online · all saved", "two", "2", "x"]);
  page.away(true);
  await page.press("00a");
  await page.add("Tea");
  await page.local.sync.sync();
  await settle();
  expect(tell()).toEqual(["offline · 2 pending", "3", "2", "x"]);
  expect($("#status").dataset).toMatchObject({ state: "offline", pending: "2" });
  page.patch(`<b data-lv-count="todo" id="all">too</b>`, "counts");
  page.patch("", "status");
  expect($("#all").textContent).toBe("3");
  expect($("#status").textContent).toBe("offline · 2 pending");
  page.away(false);
  await page.synced();
  page.patch();
  expect($("#all").textContent).toBe("too");
  expect($("#status").textContent).toBe("online · all saved");
});

test("without storage it works in memory, and says so", async () => {
  await page.load({ sync: { environment: { indexedDB: undefined } } });
  expect($("#status").textContent).toBe("online · all saved · not kept");
  await page.add("Tea");
  await page.synced();
  expect(page.network.server.ran).toHaveLength(1);
});

test("what can't be stored is said, and what was typed stays", async () => {
  await page.load({ joined: false });
  await page.local.sync.signOut();
  $("#new input").value = "Tea";
  fire("#new", "submit");
  await settle();
  expect($("#problem").textContent).toBe("Signed out: not kept.");
  expect($("#new input").value).toBe("Tea");
  expect(shown()).toBe("");
});

test("another user's page has other rows", async () => {
  page.has(A);
  await page.load();
  page.away(true);
  await page.add("Secret");
  await page.load({ joined: false, sync: { user: "ben" } });
  expect(shown()).toBe("A");
  await page.load({ joined: false });
  expect(shown()).toBe("A Secret*");
});

test("what another tab does is drawn here as well", async () => {
  page.has(A);
  await page.load();
  page.away(true);
  const other = await page.browser.open();
  other.mutate("todo.merge", { id: "00a", done: true }, { scope: SCOPE });
  await settle();
  expect(shown()).toBe("A+*");
  other.mutate("todo.delete", { id: "00a" }, { scope: SCOPE });
  await settle();
  expect(shown()).toBe("");
});

test("what goes wrong here doesn't keep the server's patches from being applied", async () => {
  page.has(A);
  await page.load({ more: `<p id="clock">1</p>` });
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  const query = document.querySelectorAll.bind(document);
  vi.spyOn(document, "querySelectorAll").mockImplementation((selector) => {
    if (selector === "[data-lv-count]") throw new Error("broken");
    return query(selector);
  });
  await page.press("00a");
  page.patch("2", "clock");
  expect($("#clock").textContent).toBe("2");
  expect(error).toHaveBeenCalled();
  expect(socket().of(wire.RESYNC)).toHaveLength(0);
});

test("rows that only the browser knows stay in a stream, around what the server sends", async () => {
  await page.load({ at: "data-lv-stream" });
  page.away(true);
  await page.add("Mine");
  expect(shown()).toBe("Mine*");
  const mine = $("#todos li");
  let seq = 0;
  const stream = (/** @type {import("../src/msgpack.js").Value[]} */ ...ops) => socket().receive(wire.PATCH, 0, [++seq, [["todos", wire.STREAM, ops]]]);
  stream([0, row(A)], [0, row(B)]);
  expect(shown()).toBe("A B Mine*");
  stream([1, row({ id: "00c", title: "C" }), 2], [4, "todo-00a"]);
  expect(shown()).toBe("C Mine*");
  socket().receive(wire.PATCH, 0, [++seq, [["lv-root", wire.STEPS, [[wire.ATTRIBUTES, "todos", [], "ul", ["class", "x"]]]]]]);
  expect([shown(), $("#todos").className]).toEqual(["C Mine*", "x"]);
  // The server's own row of it takes over in place.
  stream([0, row({ id: mine.id.slice("todo-".length), title: "Mine" })]);
  expect(shown()).toBe("C Mine*");
  expect(mine.isConnected).toBe(true);
  expect(socket().of(wire.RESYNC)).toHaveLength(0);
});

test("what is drawn over a patch belongs to it: hooks hear of both once, and elements of the patch are no strangers", async () => {
  await page.load({ more: `<div id="box"></div>` });
  page.away(true);
  await page.add("Mine");
  /** @type {string[]} */
  const calls = [];
  const tell = (/** @type {string} */ what) => () => void calls.push(`${what} ${shown()}`);
  page.live.hook("List", { mounted: tell("mounted"), updated: tell("updated") });
  socket().receive(wire.PATCH, 0, [1, [["box", wire.STEPS, [[wire.CHILDREN, null, [], 0, [`<x-map></x-map><p data-lv-hook="List"></p>`]]]], ["todos", wire.INNER, row(A)]]]);
  expect(calls).toEqual(["mounted A Mine*"]);
  socket().receive(wire.PATCH, 0, [2, [["box", wire.STEPS, [[wire.ATTRIBUTES, null, [0], "x-map", ["class", "x"]]]]]]);
  expect($("#box").innerHTML).toBe(`<x-map class="x"></x-map><p data-lv-hook="List"></p>`);
  expect(socket().of(wire.RESYNC)).toHaveLength(0);
});
