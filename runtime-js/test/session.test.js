import { describe, expect, test, vi } from "vitest";
import * as wire from "../src/constants.js";
import { $, FakeSocket, fire, hear, open, setup, socket } from "./support.js";

setup();

const BUTTON = `<p id="a">0</p><p id="b">0</p><input id="i"><a id="go" data-lv-click="go">go</a>`;
const click = () => $("#go").click();
/** The next socket, after a drop. */
function reopen() {
  socket().end();
  vi.advanceTimersByTime(250);
  return socket().open();
}

describe("joining", () => {
  test("sends the token of the HTML and the address, and keeps the session for native posts", () => {
    open(`<form data-lv-submit="s" method="post"><input type="hidden" name="lv" value="s" data-lv-plain></form>`, { join: false });
    expect($("#lv-root").className).toBe("lv-loading");
    const join = socket().open().of(wire.JOIN)[0];
    expect(join).toEqual({ kind: wire.JOIN, topic: "", ref: 1, body: ["TOKEN", location.pathname + location.search, new Map(), null, []] });
    const connected = hear("connected");
    socket().welcome({ session: "S9" });
    expect($("#lv-root").className).toBe("lv-connected");
    expect($("#lv [name=lv-token]").value).toBe("S9");
    expect(document.querySelector("[data-lv-plain]")).toBeNull();
    expect(connected).toHaveLength(1);
  });

  test("acknowledges the answer, before anything else is sent", () => {
    open(BUTTON, { join: false });
    socket().open().welcome({ patch: [3, []], seq: 3 });
    expect(socket().of(wire.ACK)).toEqual([{ kind: wire.ACK, topic: "1", ref: 0, body: [3] }]);
    click();
    const peer = reopen();
    expect(peer.of(wire.ACK)).toHaveLength(0);
    peer.welcome({ topic: "2", seq: 5, patch: [5, [["a", wire.INNER, "5"]]] });
    expect(peer.sent.map(({ kind, topic, body }) => [kind, topic, body[0]])).toEqual([[wire.JOIN, "", ""], [wire.ACK, "2", 5], [wire.EVENT, "2", "go"]]);
    peer.receive(wire.ERROR, 0, [wire.SESSION_LOST, "gone", true], "2");
    vi.advanceTimersByTime(250);
    peer.welcome({ topic: "3", fresh: true });
    expect(peer.of(wire.ACK)[1]).toMatchObject({ topic: "3", body: [0] });
  });

  test("applies the patch of the answer", () => {
    open(BUTTON, { join: false });
    socket().open().welcome({ patch: [3, [["a", wire.INNER, "3"]], "Three"], seq: 3, fresh: true });
    expect($("#a").textContent).toBe("3");
    expect(document.title).toBe("Three");
    socket().receive(wire.PATCH, 0, [4, [["a", wire.INNER, "4"]]]);
    expect($("#a").textContent).toBe("4");
    expect(socket().of(wire.RESYNC)).toHaveLength(0);
  });

  test("resumes with the session and what was applied last", () => {
    open(BUTTON);
    socket().receive(wire.PATCH, 0, [1, [["a", wire.INNER, "1"]]]);
    const disconnected = hear("disconnected");
    const peer = reopen();
    expect(disconnected).toHaveLength(1);
    expect(peer.of(wire.JOIN)[0].body).toEqual(["", expect.any(String), new Map(), ["S1", 1], []]);
    expect(peer.of(wire.JOIN)[0].ref).toBe(2);
    peer.welcome({ patch: [3, [["a", wire.INNER, "3"]]], seq: 3, topic: "2", session: "S2" });
    expect($("#a").textContent).toBe("3");
    peer.receive(wire.PATCH, 0, [4, [["a", wire.INNER, "old topic"]]], "1");
    peer.receive(wire.PATCH, 0, [4, [["a", wire.INNER, "4"]]], "2");
    expect($("#a").textContent).toBe("4");
    expect(reopen().of(wire.JOIN)[0].body[3]).toEqual(["S2", 4]);
  });

  test("again without the token when the server doesn't know it, and then no more", () => {
    open(BUTTON, { join: false });
    const peer = socket().open();
    peer.receive(wire.ERROR, 1, [wire.BAD_TOKEN, "forged", true], "");
    expect(peer.of(wire.JOIN)[1].body[0]).toBe("");
    peer.welcome({ fresh: true });
    expect($("#lv-root").className).toBe("lv-connected");
  });

  test("a session under another secret is mounted anew", () => {
    open(BUTTON);
    const peer = reopen();
    peer.receive(wire.ERROR, peer.of(wire.JOIN)[0].ref, [wire.BAD_TOKEN, "forged", true], "");
    expect(peer.of(wire.JOIN)[1].body).toEqual(["", expect.any(String), new Map(), null, []]);
  });

  test("limited rates are waited for", () => {
    open(BUTTON, { join: false });
    const peer = socket().open();
    peer.receive(wire.ERROR, 1, [wire.RATE_LIMITED, "slow down", true], "");
    expect(peer.closed).toBe(1000);
    vi.advanceTimersByTime(250);
    expect(FakeSocket.all).toHaveLength(2);
  });

  test.each([wire.NOT_A_PAGE, wire.UNAUTHORIZED, wire.FORBIDDEN])("%s loads the page anew, once", (code) => {
    const reload = vi.spyOn(location, "reload").mockImplementation(() => {});
    open(BUTTON, { join: false });
    socket().open().receive(wire.ERROR, 1, [code, "no", false], "");
    expect(reload).toHaveBeenCalledOnce();
    const errors = hear("error");
    open(BUTTON, { join: false });
    socket().open().receive(wire.ERROR, 1, [code, "no", false], "");
    expect(reload).toHaveBeenCalledOnce();
    expect(errors).toEqual([{ code, message: "no", stopped: true }]);
    expect($("#lv-root").className).toBe("lv-disconnected lv-error");
    vi.advanceTimersByTime(100_000);
    expect(FakeSocket.all).toHaveLength(2);
  });

  test("a redirect is followed, unless it leads in a circle or off the web", () => {
    const assign = vi.spyOn(location, "assign").mockImplementation(() => {});
    const replace = vi.spyOn(location, "replace").mockImplementation(() => {});
    open(BUTTON);
    socket().receive(wire.REDIRECT, 0, ["/login", false, 0], "");
    expect(assign).toHaveBeenLastCalledWith(new URL("/login", location.href).href);
    socket().receive(wire.REDIRECT, 0, ["/login?x", true, 1], "");
    expect(replace).toHaveBeenCalledOnce();
    socket().receive(wire.REDIRECT, 0, ["javascript:alert(1)", false, 0], "");
    expect(assign).toHaveBeenCalledOnce();
    const here = location.pathname + location.search;
    for (const _ of [1, 2]) {
      open(BUTTON, { join: false });
      socket().open().receive(wire.REDIRECT, 1, [here, false, 0], "");
    }
    expect(assign).toHaveBeenCalledTimes(2);
    expect($("#lv-root").className).toContain("lv-error");
  });
});

test("a redirect takes flash messages along", () => {
  const cookie = vi.spyOn(document, "cookie", "set");
  const assign = vi.spyOn(location, "assign").mockImplementation(() => {});
  open(BUTTON);
  socket().receive(wire.REDIRECT, 0, ["/next", false, 0, null]);
  expect(cookie).not.toHaveBeenCalled();
  socket().receive(wire.REDIRECT, 0, ["/next", false, 0, "signed.text-_"]);
  expect(cookie).toHaveBeenCalledExactlyOnceWith("lv-flash=signed.text-_; path=/; max-age=60; samesite=lax");
  expect(cookie.mock.invocationCallOrder[0]).toBeLessThan(assign.mock.invocationCallOrder[1]);
});

describe("events without an answer", () => {
  test("are sent again under their refs after a resume", () => {
    open(BUTTON);
    click();
    click();
    socket().receive(wire.REPLY, 2, [0]);
    const peer = reopen();
    expect(peer.of(wire.EVENT)).toHaveLength(0);
    peer.welcome({ topic: "7" });
    expect(peer.of(wire.EVENT)).toMatchObject([{ topic: "7", ref: 3, body: ["go", null, [], null, null, new Map([["type", "click"]])] }]);
    expect($("#go").className).toBe("lv-click-loading");
    peer.receive(wire.REPLY, 3, [0], "7");
    expect($("#go").className).toBe("");
    click();
    expect(peer.of(wire.EVENT)[1].ref).toBe(5);
  });

  test("are reported as lost after a fresh mount", () => {
    const lost = hear("lost");
    open(BUTTON);
    click();
    reopen().welcome({ fresh: true });
    expect(socket().of(wire.EVENT)).toHaveLength(0);
    expect(lost).toEqual([{ events: [{ name: "go", ref: 2 }] }]);
    expect($("#lv-root").className).toBe("lv-connected lv-error");
    expect($("#go").className).toBe("");
  });
});

describe("answers", () => {
  test("bring their patch, and an error is reported", () => {
    const errors = hear("error");
    open(BUTTON);
    click();
    socket().receive(wire.REPLY, 2, [1, [1, [["a", wire.INNER, "1"]]], ["invalid", "not so"]]);
    expect($("#a").textContent).toBe("1");
    expect(errors).toEqual([{ code: "invalid", message: "not so" }]);
    expect($("#go").className).toBe("");
    click();
    socket().receive(wire.ERROR, 3, [wire.RATE_LIMITED, "slow down", true]);
    expect(errors).toHaveLength(2);
    expect($("#go").className).toBe("");
    expect($("#lv-root").className).toBe("lv-connected");
  });

  test("of unknown kinds and topics are passed over", () => {
    open(BUTTON);
    socket().receive(0x0b, 0, ["scope", "1"], "");
    socket().receive(0x90, 0, null, "x");
    socket().receive(0x3f, 0, 5);
    socket().receive(wire.REPLY, 99, [0]);
    expect($("#lv-root").className).toBe("lv-connected");
  });

  test("commands run", () => {
    const note = vi.spyOn(console, "warn").mockImplementation(() => {});
    open(BUTTON);
    socket().receive(wire.COMMAND, 0, [["focus", "#i"], ["title", "new"], ["debug", "unmarked: a"], ["later", 1]]);
    expect(document.activeElement).toBe($("#i"));
    expect(document.title).toBe("new");
    expect(note).toHaveBeenCalledWith("mizu:", "unmarked: a");
  });
});

describe("patches", () => {
  test("of one frame are applied together, an old one not again", () => {
    open(BUTTON);
    socket().receive(wire.PATCH, 0, [1, [["a", wire.INNER, "1"], ["b", wire.OUTER, `<b id="b">1</b>`]], "t"]);
    socket().receive(wire.PATCH, 0, [1, [["a", wire.INNER, "again"]]]);
    expect($("#a").textContent + $("#b").outerHTML).toBe(`1<b id="b">1</b>`);
    expect(socket().of(wire.RESYNC)).toHaveLength(0);
  });

  test("with a gap before them are applied, and the page is asked for", () => {
    open(BUTTON);
    socket().receive(wire.PATCH, 0, [3, [["a", wire.INNER, "3"]]]);
    expect($("#a").textContent).toBe("3");
    expect(socket().of(wire.RESYNC)).toMatchObject([{ topic: "1", body: [["lv-root"]] }]);
    socket().receive(wire.PATCH, 0, [4, [["lv-root", wire.INNER, `<p id="a">4</p>`]]]);
    expect($("#lv-root").innerHTML).toBe(`<p id="a">4</p>`);
    expect(socket().of(wire.RESYNC)).toHaveLength(1);
  });

  test("in a way this client doesn't know, or of a region it hasn't, are asked for", () => {
    open(BUTTON);
    socket().receive(wire.PATCH, 0, [1, [["a", 9, [1, 2]], ["b", wire.INNER, "1"]]]);
    expect(socket().of(wire.RESYNC)[0].body).toEqual([["a"]]);
    expect($("#b").textContent).toBe("1");
    socket().receive(wire.PATCH, 0, [2, [["a", wire.INNER, "2"]]]);
    socket().receive(wire.PATCH, 0, [3, [["gone", wire.INNER, ""], ["lv", wire.INNER, ""]]]);
    expect(socket().of(wire.RESYNC)[1].body).toEqual([["lv-root"]]);
    expect($("#lv [name=lv-token]")).toBeTruthy();
  });

  test("that never fit end in a fresh join", () => {
    open(BUTTON);
    for (let seq = 1; seq <= 4; seq++) socket().receive(wire.PATCH, 0, [seq, [["gone", wire.INNER, ""]]]);
    expect(socket().of(wire.RESYNC)).toHaveLength(3);
    vi.advanceTimersByTime(250);
    expect(socket().of(wire.JOIN)[1].body[3]).toBeNull();
  });
});

describe("a session that fails", () => {
  const ENDED = [wire.PANICKED, wire.MAILBOX_FULL, wire.SESSION_LOST, wire.UNKNOWN_TOPIC];

  test.each(ENDED)("by %s at an event is joined afresh, and that event has failed", (code) => {
    const [errors, lost] = [hear("error"), hear("lost")];
    open(BUTTON);
    click();
    $("#i").setAttribute("data-lv-click", "other");
    $("#i").click();
    socket().receive(wire.ERROR, 2, [code, "oh", true]);
    expect($("#go").className).toBe("");
    expect($("#i").className).toBe("lv-click-loading");
    expect(errors).toEqual([{ code, message: "oh" }]);
    expect($("#lv-root").className).toBe("lv-disconnected");
    vi.advanceTimersByTime(250);
    expect(socket().of(wire.JOIN)[1].body[3]).toBeNull();
    socket().welcome({ fresh: true, topic: "2" });
    expect(lost).toEqual([{ events: [{ name: "other", ref: 3 }] }]);
    expect(socket().of(wire.EVENT)).toHaveLength(2);
  });

  test("says nothing once it was replaced", () => {
    const errors = hear("error");
    open(BUTTON);
    click();
    socket().receive(wire.ERROR, 0, [wire.PANICKED, "oh", true]);
    vi.advanceTimersByTime(250);
    socket().welcome({ fresh: true, topic: "2" });
    socket().receive(wire.ERROR, 2, [wire.UNKNOWN_TOPIC, "join again", true], "1");
    socket().receive(wire.REPLY, 2, [0, [1, [["a", wire.INNER, "old"]]]], "1");
    expect(errors).toHaveLength(1);
    expect($("#lv-root").className).toBe("lv-connected lv-error");
    expect($("#a").textContent).toBe("0");
  });

  test.each(ENDED)("by %s is joined afresh, later and later, five times", (code) => {
    open(BUTTON);
    const peer = socket();
    for (const delay of [250, 500, 1_000, 2_000, 4_000]) {
      const joins = peer.of(wire.JOIN).length;
      peer.receive(wire.ERROR, 0, [code, "oh", false]);
      expect($("#lv-root").className).toBe("lv-disconnected");
      vi.advanceTimersByTime(delay - 1);
      expect(peer.of(wire.JOIN)).toHaveLength(joins);
      vi.advanceTimersByTime(1);
      expect(peer.of(wire.JOIN)).toHaveLength(joins + 1);
      expect(peer.of(wire.JOIN).at(-1)?.body).toEqual(["", expect.any(String), new Map(), null, []]);
      peer.welcome({ fresh: true });
    }
    const errors = hear("error");
    peer.receive(wire.ERROR, 0, [code, "oh", false]);
    expect(errors).toEqual([{ code, message: "oh", stopped: true }]);
    expect($("#lv-root").className).toBe("lv-disconnected lv-error");
    vi.advanceTimersByTime(1_000_000);
    expect(FakeSocket.all).toHaveLength(1);
  });

  test("while it is joined counts too, and one that lived well starts over", () => {
    open(BUTTON);
    const peer = socket();
    vi.advanceTimersByTime(20_000);
    peer.receive(wire.HEARTBEAT, 0, 1, "");
    vi.advanceTimersByTime(20_000);
    for (let n = 0; n < 5; n++) {
      const { ref } = peer.of(wire.JOIN).at(-1) ?? { ref: 0 };
      if (n) peer.receive(wire.ERROR, ref, ["internal", "mount failed", false], "");
      else peer.receive(wire.ERROR, 0, [wire.PANICKED, "oh", false]);
      vi.advanceTimersByTime(250 * 2 ** n);
    }
    expect(peer.of(wire.JOIN)).toHaveLength(6);
    peer.receive(wire.ERROR, peer.of(wire.JOIN)[5].ref, ["internal", "mount failed", false], "");
    expect($("#lv-root").className).toBe("lv-disconnected lv-error");
  });

  test("goes on for as long as the server says that it will pass", () => {
    // Pages gave up for good while a database was away, and stayed dead when it was back.
    open(BUTTON);
    socket().receive(wire.ERROR, 0, [wire.PANICKED, "oh", false]);
    let peer = reopen();
    for (let n = 0; n < 12; n++) {
      const { ref } = peer.of(wire.JOIN).at(-1) ?? { ref: 0 };
      peer.receive(wire.ERROR, ref, [wire.INTERNAL, "no database", true], "");
      expect($("#lv-root").className).not.toContain("lv-error");
      const refused = peer;
      while (socket() === refused) vi.advanceTimersByTime(500);
      peer = socket().open();
    }
    expect(peer.of(wire.JOIN)).toHaveLength(1);
  });

  test("forgets its timer when the socket drops meanwhile", () => {
    open(BUTTON);
    socket().receive(wire.ERROR, 0, [wire.PANICKED, "oh", false]);
    const peer = reopen();
    vi.advanceTimersByTime(10_000);
    expect(peer.of(wire.JOIN)).toHaveLength(1);
  });
});

describe("the tab", () => {
  test("leaves when it is closed", () => {
    open(BUTTON);
    const peer = socket();
    window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: false }));
    expect(peer.of(wire.LEAVE)).toMatchObject([{ topic: "1", body: ["unload"] }]);
    expect(peer.closed).toBe(1000);
  });

  test("keeps its session when it may come back", () => {
    open(BUTTON);
    const peer = socket();
    window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
    expect(peer.of(wire.LEAVE)).toHaveLength(0);
    vi.advanceTimersByTime(100_000);
    expect(FakeSocket.all).toHaveLength(1);
    window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    expect(socket().open().of(wire.JOIN)[0].body[3]).toEqual(["S1", 0]);
  });

  test.each(["online", "pageshow", "visibilitychange"])("connects at once on %s", (name) => {
    open(BUTTON);
    socket().end();
    (name === "visibilitychange" ? document : window).dispatchEvent(Object.assign(new Event(name), { persisted: true }));
    expect(FakeSocket.all).toHaveLength(2);
  });

  test("disconnects and connects when told to", () => {
    const live = open(BUTTON);
    live.disconnect();
    expect($("#lv-root").className).toBe("lv-disconnected");
    window.dispatchEvent(new Event("online"));
    vi.advanceTimersByTime(100_000);
    expect(FakeSocket.all).toHaveLength(1);
    live.connect();
    live.connect();
    expect(FakeSocket.all).toHaveLength(2);
    const heard = vi.fn();
    const stop = live.on("connected", heard);
    socket().open().welcome();
    expect(heard).toHaveBeenCalledOnce();
    stop();
    reopen().welcome();
    expect(heard).toHaveBeenCalledOnce();
    fire("#go", "click");
    expect(socket().of(wire.EVENT)).toHaveLength(1);
  });
});

test("a terminal code is told", () => {
  const errors = hear("error");
  open(BUTTON);
  socket().end(4502, "signed out");
  expect(errors).toEqual([{ code: "4502", message: "signed out", stopped: true }]);
  expect($("#lv-root").className).toBe("lv-disconnected lv-error");
});

test("the log shows frames readably when asked for", () => {
  const log = vi.spyOn(console, "debug").mockImplementation(() => {});
  localStorage.setItem(wire.DEBUG_KEY, "1");
  open(BUTTON);
  localStorage.clear();
  expect(log).toHaveBeenCalledWith(expect.stringMatching(/^mizu > JOIN #1 \d+ B$/), expect.arrayContaining(["TOKEN"]));
  expect(log).toHaveBeenCalledWith(expect.stringMatching(/^mizu < REPLY #1 \d+ B$/), expect.anything());
});
