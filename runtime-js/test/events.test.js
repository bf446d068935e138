import { describe, expect, test, vi } from "vitest";
import * as wire from "../src/constants.js";
import { $, fire, hear, open, setup, socket, type } from "./support.js";

setup();

/** Bodies of the events sent so far. */
const events = () => socket().of(wire.EVENT).map(({ body }) => body);
/** @param {string} kind @param {string} [field] */
const meta = (kind, field) => new Map([["type", kind], ...(field ? [["field", field]] : [])].map(([key, value]) => [key, value]));
/** Answers everything. */
const answer = () => socket().of(wire.EVENT).forEach(({ ref }) => socket().receive(wire.REPLY, ref, [0]));

describe("clicks", () => {
  test("carry name, target and values of the nearest element", () => {
    open(`<div data-lv-click="outer"><span data-lv-click="Inc?by=1" data-lv-target="cart" data-lv-value-id="7" data-lv-value-user-id="a"><b id="x">x</b></span></div>`);
    $("#x").click();
    expect(events()).toEqual([["Inc?by=1", "cart", [["id", "7"], ["user-id", "a"]], null, null, meta("click")]]);
    expect($("span").className).toBe("lv-click-loading");
    answer();
    expect($("span").hasAttribute("class")).toBe(false);
  });

  test("of buttons of the page's form are submits of it", () => {
    open(`<button id="b" form="lv" name="lv" value="inc" data-lv-value-by="2" data-lv-target="t" data-lv-disable-with="…">+</button>`);
    const event = new SubmitEvent("submit", { bubbles: true, cancelable: true, submitter: $("#b") });
    $("#lv").dispatchEvent(event);
    expect(event.defaultPrevented).toBe(true);
    expect(events()).toEqual([["inc", "t", [["by", "2"]], null, null, meta("click")]]);
    expect($("#b").outerHTML).toContain(`class="lv-click-loading" disabled=""`);
    expect($("#b").textContent).toBe("…");
    answer();
    expect($("#b").disabled).toBe(false);
    expect($("#b").textContent).toBe("+");
  });

  test("compete with links and submits, not with checkboxes", () => {
    open(`<a href="/x" data-lv-click="a"><i id="a">x</i></a><form><button data-lv-click="b" id="b">x</button><button type="button" data-lv-click="c" id="c"></button></form><input type="checkbox" name="d" id="d" data-lv-click="d"><p id="e" data-lv-click="e" data-lv-prevent></p>`);
    expect(["#a", "#b", "#c", "#d", "#e"].map((selector) => fire(selector, "click").defaultPrevented)).toEqual([true, true, false, false, true]);
    expect(events().map(([name]) => name)).toEqual(["a", "b", "c", "d", "e"]);
    const modified = new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey: true });
    $("#a").dispatchEvent(modified);
    expect(modified.defaultPrevented).toBe(false);
    expect(events()).toHaveLength(5);
  });

  test("ask first where they should", () => {
    const ask = vi.fn(() => false);
    vi.stubGlobal("confirm", ask);
    open(`<p id="p" data-lv-click="del" data-lv-confirm="Sure?">x</p>`);
    expect(fire("#p", "click").defaultPrevented).toBe(true);
    expect(events()).toHaveLength(0);
    ask.mockReturnValue(true);
    fire("#p", "click");
    expect(ask).toHaveBeenCalledWith("Sure?");
    expect(events()).toHaveLength(1);
  });

  test("that the page prevented are not ours", () => {
    open(`<p id="p" data-lv-click="x">x</p>`);
    $("#p").addEventListener("click", (event) => event.preventDefault());
    $("#p").click();
    expect(events()).toHaveLength(0);
  });

  test("in a row keep their marks until the last answer", () => {
    open(`<p id="p" data-lv-click="x">x</p>`);
    $("#p").click();
    $("#p").click();
    socket().receive(wire.REPLY, 2, [0]);
    expect($("#p").className).toBe("lv-click-loading");
    socket().receive(wire.REPLY, 3, [0]);
    expect($("#p").className).toBe("");
  });

  test("may be throttled", () => {
    open(`<p id="p" data-lv-click="x" data-lv-throttle="1000">x</p>`);
    for (let n = 0; n < 5; n++) $("#p").click();
    expect(events()).toHaveLength(1);
    vi.advanceTimersByTime(1_000);
    expect(events()).toHaveLength(2);
  });

  test("keep their marks through a patch, and go back to what it brought", () => {
    open(`<div id="d"><button id="b" data-lv-click="x" data-lv-disable-with="Wait">Go</button></div>`);
    $("#b").click();
    socket().receive(wire.PATCH, 0, [1, [["d", wire.INNER, `<button id="b" class="big" data-lv-click="x" data-lv-disable-with="Wait">Go <b>on</b></button>`]]]);
    expect($("#b").outerHTML).toBe(`<button id="b" data-lv-click="x" data-lv-disable-with="Wait" class="big lv-click-loading" disabled="">Wait</button>`);
    answer();
    expect($("#b").outerHTML).toBe(`<button id="b" data-lv-click="x" data-lv-disable-with="Wait" class="big">Go <b>on</b></button>`);
  });
});

describe("forms", () => {
  const FORM = `<form id="f" data-lv-submit="save" data-lv-change="check" data-lv-value-kind="new" method="post">
    <input name="id" value="1"><input name="tag" value="a"><input name="tag" value="b"><input name="action" value="x">
    <input type="checkbox" name="off" value="1"><input name="__proto__" value="p"><input type="file" name="file">
    <select name="s"><option>1<option selected>2</select><input name="elements"><button name="how" value="now">Go</button></form>
    <textarea name="far" form="f">text</textarea>`;
  const FIELDS = [["id", "1"], ["tag", "a"], ["tag", "b"], ["action", "x"], ["__proto__", "p"], ["s", "2"], ["elements", ""]];
  const submit = () => {
    const event = new SubmitEvent("submit", { bubbles: true, cancelable: true, submitter: $("button") });
    $("#f").dispatchEvent(event);
    return event;
  };

  test("send all fields in order, with the submitter", () => {
    open(FORM);
    expect(submit().defaultPrevented).toBe(true);
    const [name, , values, fields, , info] = events()[0];
    expect([name, values, info]).toEqual(["save", [["kind", "new"]], meta("submit")]);
    expect(fields).toEqual(expect.arrayContaining([...FIELDS, ["how", "now"]]));
    expect($("#f").className).toBe("lv-submit-loading");
    answer();
    expect($("#f").className).toBe("");
  });

  test("may be named by the button", () => {
    open(`<form id="f" data-lv-submit="save" method="post"><input name="x" value="1"><button name="lv" value="delete" data-lv-value-id="3">x</button></form>`);
    submit();
    expect(events()[0].slice(0, 4)).toEqual(["delete", null, [["id", "3"]], [["x", "1"]]]);
  });

  test("tell changes of their fields, also of those outside", () => {
    open(FORM);
    fire("[name=tag]", "change");
    expect(events()[0][0]).toBe("check");
    expect(events()[0][3]).toEqual(expect.arrayContaining(FIELDS));
    expect(events()[0][5]).toEqual(meta("change", "tag"));
    expect($("#f").className).toBe("lv-change-loading");
    fire("[name=far]", "change");
    expect(events()[1][5]).toEqual(meta("change", "far"));
    fire("[name=tag]", "input");
    expect(events()).toHaveLength(2);
  });

  test("are left alone when they are not ours", () => {
    open(`<form id="f" method="post"><button>x</button></form>`);
    expect(submit().defaultPrevented).toBe(false);
    expect(events()).toHaveLength(0);
  });

  test("ask first where they should", () => {
    vi.stubGlobal("confirm", () => false);
    open(`<form id="f" data-lv-submit="x" data-lv-confirm="Sure?" method="post"><button>x</button></form>`);
    expect(submit().defaultPrevented).toBe(true);
    expect(events()).toHaveLength(0);
  });

  test("with a chosen file go their native way", () => {
    open(FORM);
    Object.defineProperty($("[name=file]"), "files", { value: [new File(["x"], "x.txt")] });
    expect(submit().defaultPrevented).toBe(false);
    expect(events()).toHaveLength(0);
    expect(socket().closed).toBe(1000);
  });
});

describe("single controls", () => {
  test("send themselves", () => {
    open(`<form><input id="i" name="q" data-lv-input="typed"><select id="s" name="s" data-lv-change="chosen"><option>1<option selected>2</select><input type="checkbox" id="c" name="c" data-lv-change="on"><input name="other"></form>`);
    type("#i", "abc");
    fire("#s", "change");
    fire("#c", "change");
    expect(events().map(([name, , , fields]) => [name, fields])).toEqual([["typed", [["q", "abc"]]], ["chosen", [["s", "2"]]], ["on", []]]);
    expect(events()[0][5]).toEqual(meta("input", "q"));
    expect($("#i").className).toBe("lv-change-loading");
  });
});

describe("debounce", () => {
  const INPUT = `<form id="f" data-lv-submit="save" data-lv-input="search" method="post"><input id="i" name="q" data-lv-debounce="300"><input id="j" name="r" data-lv-debounce="blur"></form><p id="p" data-lv-click="p"></p>`;
  const names = () => events().map(([name]) => name);

  test("sends the last input after a pause", () => {
    open(INPUT);
    for (const text of ["a", "ab", "abc"]) {
      type("#i", text);
      vi.advanceTimersByTime(299);
    }
    expect(events()).toHaveLength(0);
    vi.advanceTimersByTime(1);
    expect(events().map(([, , , fields]) => fields)).toEqual([[["q", "abc"], ["r", ""]]]);
  });

  test("ends when the field is left", () => {
    open(INPUT);
    type("#i", "a");
    fire("#i", "focusout");
    expect(names()).toEqual(["search"]);
    type("#j", "b");
    vi.advanceTimersByTime(10_000);
    expect(names()).toEqual(["search"]);
    fire("#j", "focusout");
    expect(names()).toEqual(["search", "search"]);
    vi.advanceTimersByTime(1_000);
    expect(names()).toHaveLength(2);
  });

  test("is pointless once the form is submitted", () => {
    open(INPUT);
    type("#i", "a");
    $("#f").dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true }));
    vi.advanceTimersByTime(1_000);
    fire("#i", "focusout");
    expect(names()).toEqual(["save"]);
  });

  test("keeps the order with clicks", () => {
    open(INPUT);
    type("#i", "a");
    $("#p").click();
    expect(names()).toEqual(["search", "p"]);
  });

  test("ends with the element", () => {
    open(INPUT);
    type("#i", "a");
    $("#f").remove();
    vi.advanceTimersByTime(1_000);
    expect(events()).toHaveLength(0);
  });
});

test("throttled input sends the first and the last", () => {
  open(`<input id="i" name="q" data-lv-input="move" data-lv-throttle="100">`);
  for (const text of ["1", "2", "3"]) type("#i", text);
  expect(events().map(([, , , fields]) => fields)).toEqual([[["q", "1"]]]);
  vi.advanceTimersByTime(100);
  expect(events()[1][3]).toEqual([["q", "3"]]);
  vi.advanceTimersByTime(1_000);
  expect(events()).toHaveLength(2);
});

describe("keys", () => {
  test("pass their filter", () => {
    open(`<input id="i" name="q" value="v" data-lv-keydown="down" data-lv-keyup="up" data-lv-key="Enter Space">`);
    fire("#i", "keydown", { key: "a" });
    fire("#i", "keydown", { key: "Enter" });
    fire("#i", "keyup", { key: " " });
    expect(events().map(([name, , , fields, key]) => [name, fields, key])).toEqual([["down", [["q", "v"]], "Enter"], ["up", [["q", "v"]], " "]]);
  });

  test("of the whole window reach who wants them", () => {
    open(`<input id="i" data-lv-keydown="here"><p data-lv-window-keydown="there" data-lv-key="Escape" data-lv-value-id="1"></p>`);
    fire("#i", "keydown", { key: "Escape" });
    fire("body", "keydown", { key: "Escape" });
    fire("body", "keydown", { key: "x" });
    expect(events().map(([name, , values, , , info]) => [name, values, info])).toEqual([
      ["here", [], meta("keydown")], ["there", [["id", "1"]], meta("keydown")], ["there", [["id", "1"]], meta("keydown")],
    ]);
  });

  test("that an input method uses are not ours", () => {
    open(`<input id="i" data-lv-keydown="down">`);
    fire("#i", "keydown", { key: "Enter", isComposing: true });
    expect(events()).toHaveLength(0);
  });
});

test("focus and blur travel, but not those that a patch causes", () => {
  open(`<div id="d"><input id="i" name="q" data-lv-focus="in" data-lv-blur="out"></div>`);
  $("#i").focus();
  $("#i").blur();
  expect(events().map(([name, , , , , info]) => [name, info])).toEqual([["in", meta("focus", "q")], ["out", meta("blur", "q")]]);
  $("#i").focus();
  socket().receive(wire.PATCH, 0, [1, [["d", wire.INNER, "gone"]]]);
  expect(events()).toHaveLength(3);
});

describe("what happens elsewhere", () => {
  const PAGE = `<div id="menu" data-lv-click-away="close" data-lv-value-id="1"><b id="in" data-lv-click="pick">x</b></div><p id="out" data-lv-click="x"></p><i data-lv-window-focus="back" data-lv-window-blur="gone"></i>`;
  const names = () => events().map(([name]) => name);

  test("are clicks outside of an element, inside the page or not", () => {
    open(PAGE);
    $("#in").click();
    expect(names()).toEqual(["pick"]);
    $("#out").click();
    document.body.click();
    expect(names()).toEqual(["pick", "x", "close", "close"]);
    expect(events()[2]).toEqual(["close", null, [["id", "1"]], null, null, meta("click")]);
    $("#in").addEventListener("click", ({ target }) => /** @type {Element} */ (target).remove());
    $("#in").click();
    expect(names()).toHaveLength(5);
  });

  test("is the window that is looked at, or not", () => {
    open(PAGE);
    window.dispatchEvent(new Event("blur"));
    window.dispatchEvent(new Event("focus"));
    expect(events().map(([name, , , , , info]) => [name, info])).toEqual([["gone", meta("blur")], ["back", meta("focus")]]);
  });

  test("isn't missed while there is no connection", () => {
    const refused = hear("refused");
    open(PAGE);
    socket().end();
    window.dispatchEvent(new Event("blur"));
    document.body.click();
    expect(refused).toEqual([]);
  });

  test("is told to each element at its own pace", () => {
    open(`<p data-lv-window-keydown="a" data-lv-throttle="100"></p><p data-lv-window-keydown="b" data-lv-throttle="100"></p><p data-lv-window-keydown="c" data-lv-key=""></p>`);
    fire("body", "keydown", { key: "x" });
    expect(names()).toEqual(["a", "b", "c"]);
  });
});

describe("while there is no connection", () => {
  const PAGE = `<p id="p" data-lv-click="p">x</p><a id="a" href="/x" data-lv-click="a">x</a><input id="i" name="q" data-lv-input="q">
    <form id="f" data-lv-submit="save" data-lv-value-id="3" method="post"><input name="x" value="1"><button>s</button></form>
    <form id="g" data-lv-submit="get"><button>s</button></form><button id="b" form="lv" name="lv" value="inc" data-lv-value-by="2" data-lv-click="inc">+</button>`;
  /** @param {string} selector @param {string} [submitter] */
  const submit = (selector, submitter) => {
    const event = new SubmitEvent("submit", { bubbles: true, cancelable: true, submitter: submitter ? $(submitter) : null });
    $(selector).dispatchEvent(event);
    return event.defaultPrevented;
  };
  /** What a native submit sends now. @param {string} selector */
  const native = (selector) => {
    const data = new FormData(/** @type {HTMLFormElement} */ (/** @type {Element} */ ($(selector))));
    const event = Object.assign(new Event("formdata", { bubbles: true }), { formData: data });
    $(selector).dispatchEvent(event);
    return Object.fromEntries(data);
  };

  test("what has no native form is refused for all to see", () => {
    const refused = hear("refused");
    open(PAGE);
    socket().end();
    $("#p").click();
    expect(refused).toEqual([{ name: "p", type: "click" }]);
    expect($("#p").className).toBe("lv-error");
    expect($("#lv-note").getAttribute("aria-live")).toBeTruthy();
    expect($("#lv-note").textContent).toContain("not sent");
    vi.advanceTimersByTime(10_000);
    expect($("#p").className).toBe("");
    expect(document.querySelector("#lv-note")).toBeNull();
  });

  test("the page may show that in its own way", () => {
    open(PAGE);
    socket().end();
    document.addEventListener("lv:refused", (event) => event.preventDefault(), { once: true });
    $("#p").click();
    expect($("#p").className).toBe("");
    expect(document.querySelector("#lv-note")).toBeNull();
  });

  test("submits and links go their native way, with all that the server needs", async () => {
    const refused = hear("refused");
    const probe = vi.fn(async () => new Response());
    vi.stubGlobal("fetch", probe);
    // happy-dom refuses its own forms here; a submit event is all that counts.
    const resubmit = vi.spyOn(HTMLFormElement.prototype, "requestSubmit").mockImplementation(/** @this {HTMLFormElement} */ function (submitter) {
      this.dispatchEvent(new SubmitEvent("submit", { submitter: submitter ?? null, bubbles: true, cancelable: true }));
    });
    open(PAGE);
    socket().end();
    expect(fire("#a", "click").defaultPrevented).toBe(false);
    expect(fire("#b", "click").defaultPrevented).toBe(false);
    for (const [form, button, sent] of /** @type {const} */ ([
      ["#lv", "#b", { lv: "inc?by=2", "lv-token": "S1" }],
      ["#f", undefined, { x: "1", lv: "save?id=3", "lv-token": "S1" }],
    ])) {
      /** @type {boolean[]} */
      const prevented = [];
      /** @type {unknown} */
      let read;
      // Added after the runtime's own listener, so it is told what that decided, and reads the fields as the browser does then.
      const see = (/** @type {Event} */ event) => {
        prevented.push(event.defaultPrevented);
        if (!event.defaultPrevented) read = native(form);
      };
      window.addEventListener("submit", see);
      submit(form, button);
      await vi.advanceTimersByTimeAsync(0);
      window.removeEventListener("submit", see);
      expect(prevented).toEqual([true, false]);
      expect(read).toEqual(sent);
    }
    expect(probe).toHaveBeenCalledTimes(2);
    expect(native("#f")).toEqual({ x: "1" });
    expect(refused).toEqual([]);
    resubmit.mockRestore();
    vi.unstubAllGlobals();
  });

  test("a server that doesn't answer doesn't take the page away", async () => {
    const refused = hear("refused");
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
    open(PAGE);
    socket().end();
    expect(submit("#f")).toBe(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(refused).toEqual([{ name: "save", type: "submit" }]);
    vi.unstubAllGlobals();
  });

  test("a form that would show its fields in the address is refused", () => {
    const refused = hear("refused");
    open(PAGE);
    socket().end();
    expect(submit("#g")).toBe(true);
    expect(refused).toEqual([{ name: "get", type: "submit" }]);
  });

  test("before the first join it is the same", () => {
    open(PAGE, { join: false });
    expect(submit("#f")).toBe(false);
    expect(native("#f")).toEqual({ x: "1", lv: "save?id=3", "lv-token": "TOKEN" });
  });

  test("input waits for the connection, the last of it", () => {
    open(PAGE);
    socket().end();
    type("#i", "a");
    type("#i", "ab");
    vi.advanceTimersByTime(250);
    socket().open().welcome();
    expect(events().map(([name, , , fields]) => [name, fields])).toEqual([["q", [["q", "ab"]]]]);
  });
});
