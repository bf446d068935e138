import { afterEach, describe, expect, test, vi } from "vitest";
import * as wire from "../src/constants.js";
import { MizuLive } from "../src/index.js";
import { $, FakeSocket, open, setup, socket } from "./support.js";

setup();

/** @typedef {import("./support.js").Value} Value */

/** @type {MizuLive | undefined} */
let live;
afterEach(() => live?.disconnect());

/** A sync client that remembers what it was told. */
function client() {
  /** @type {[scope: string, cursor?: string][]} */
  const poked = [];
  return { poked, poke: (/** @type {string} */ scope, /** @type {string | undefined} */ cursor) => void poked.push(cursor ? [scope, cursor] : [scope]) };
}

/** Connects without a page. @param {ConstructorParameters<typeof MizuLive>[0]} [options] */
function connect(options) {
  live = new MizuLive(options).connect();
  return live;
}

/** What an instance tells under a name. @param {MizuLive} live @param {Parameters<MizuLive["on"]>[0]} name */
function hear(live, name) {
  /** @type {unknown[]} */
  const heard = [];
  live.on(name, ({ detail }) => heard.push(detail));
  return heard;
}

/** Answers the newest SUBSCRIBE: all is granted but what is refused. @param {Value[]} [refused] @param {FakeSocket} [peer] */
function grant(refused = [], peer = socket()) {
  const asked = peer.of(wire.SUBSCRIBE).at(-1);
  const [scopes] = /** @type {Value[][]} */ (asked?.body ?? [[]]);
  peer.receive(wire.REPLY, asked?.ref ?? 0, [0, null, [scopes.filter((scope) => !refused.includes(scope)), refused]], "");
}

/** What was asked for on a socket, in order. @param {number} kind @param {FakeSocket} [peer] */
const asked = (kind, peer = socket()) => peer.of(kind).map(({ body: [scopes] }) => scopes);

/** @param {string} scope @param {string} [cursor] */
const poke = (scope, cursor = "") => socket().receive(wire.POKE, 0, [scope, cursor], "");

/** The connection is lost, and the next one opens. */
function reopen() {
  socket().end();
  vi.advanceTimersByTime(250);
  return socket().open();
}

describe("without a page", () => {
  test("there is one socket, which asks for its scopes each time it opens", () => {
    connect({ scopes: ["a", "b", "a"] });
    expect(socket().url).toBe(new URL("/_live", location.href.replace("http", "ws")).href);
    socket().open();
    expect(socket().sent).toEqual([{ kind: wire.SUBSCRIBE, topic: "", ref: expect.any(Number), body: [["a", "b"]] }]);
    grant();
    live?.subscribe("c");
    live?.unsubscribe("a");
    expect(asked(wire.SUBSCRIBE, reopen())).toEqual([["b", "c"]]);
    expect(FakeSocket.all).toHaveLength(2);
  });

  test("the address may be another one", () => {
    connect({ url: "wss://elsewhere.example/_live" });
    expect(socket().url).toBe("wss://elsewhere.example/_live");
  });

  test("what it tells is heard on it alone, until one stops hearing", () => {
    const live = connect({ scopes: "a" });
    const [all, some] = [hear(live, "poke"), /** @type {unknown[]} */ ([])];
    const other = hear(new MizuLive(), "poke");
    const page = vi.fn();
    document.addEventListener("lv:poke", page);
    const stop = live.on("poke", ({ detail }) => some.push(detail.scope));
    socket().open();
    grant();
    poke("a", "1.a");
    stop();
    poke("a");
    expect(all).toEqual([{ scope: "a", cursor: "1.a" }, { scope: "a", cursor: "" }]);
    expect([some, other]).toEqual([["a"], []]);
    expect(page).not.toHaveBeenCalled();
  });

  test("it is connected when its scopes were answered, and not before", () => {
    const live = connect({ scopes: "a" });
    const [connected, disconnected] = [hear(live, "connected"), hear(live, "disconnected")];
    socket().open();
    expect(connected).toHaveLength(0);
    grant();
    expect([connected.length, disconnected.length]).toEqual([1, 0]);
    socket().end();
    expect(disconnected).toHaveLength(1);
    vi.advanceTimersByTime(250);
    socket().open();
    grant();
    live.disconnect();
    expect([connected.length, disconnected.length]).toEqual([2, 2]);
    vi.advanceTimersByTime(100_000);
    expect(FakeSocket.all).toHaveLength(2);
    expect(socket().closed).toBe(1000);
  });

  test("only an answer ends the waiting for longer and longer", () => {
    connect({ scopes: "a" });
    for (const delay of [250, 500, 1_000]) {
      socket().open().end();
      vi.advanceTimersByTime(delay - 1);
      expect(socket().readyState).toBe(3);
      vi.advanceTimersByTime(1);
      expect(socket().readyState).toBe(0);
    }
    socket().open();
    grant();
    socket().end();
    vi.advanceTimersByTime(250);
    expect(socket().readyState).toBe(0);
  });

  test("nothing to ask for is asked for as well: the answer shows that the server is there", () => {
    const live = connect();
    const [connected, subscribed] = [hear(live, "connected"), hear(live, "subscribed")];
    expect(asked(wire.SUBSCRIBE, socket().open())).toEqual([[]]);
    grant();
    expect(connected).toHaveLength(1);
    expect(subscribed).toEqual([{ scopes: [], refused: [] }]);
  });

  test("a dead connection is found, and the tab's return looks at once", () => {
    connect({ scopes: "a" });
    const peer = socket().open();
    grant();
    window.dispatchEvent(new Event("online"));
    expect(peer.of(wire.HEARTBEAT)).toHaveLength(1);
    vi.advanceTimersByTime(10_000);
    expect(peer.closed).toBe(1000);
    window.dispatchEvent(new Event("online"));
    expect(FakeSocket.all).toHaveLength(2);
  });

  test("a page that goes away pauses, says nothing of leaving, and is woken", () => {
    connect({ scopes: "a" });
    const peer = socket().open();
    grant();
    window.dispatchEvent(new Event("pagehide"));
    expect(peer.closed).toBe(1000);
    expect(peer.of(wire.LEAVE)).toHaveLength(0);
    vi.advanceTimersByTime(100_000);
    expect(FakeSocket.all).toHaveLength(1);
    window.dispatchEvent(new Event("online"));
    expect(asked(wire.SUBSCRIBE, socket().open())).toEqual([["a"]]);
  });

  test("a terminal code ends it, visibly", () => {
    const errors = hear(connect({ scopes: "a" }), "error");
    socket().open().end(4501, "not here");
    vi.advanceTimersByTime(100_000);
    expect(FakeSocket.all).toHaveLength(1);
    expect(errors).toEqual([{ code: "4501", message: "not here", stopped: true }]);
  });

  test("ephemeral messages have nowhere to go", () => {
    connect({ scopes: "a" });
    socket().open();
    grant();
    live?.ephemeral("typing");
    vi.advanceTimersByTime(1_000);
    expect(socket().sent.map(({ kind }) => kind)).toEqual([wire.SUBSCRIBE]);
  });

  describe("a refusal of everything", () => {
    test("that lasts is told, and ends the trying until it is started again", () => {
      const live = connect({ scopes: ["a", "b"] });
      const [errors, subscribed] = [hear(live, "error"), hear(live, "subscribed")];
      const peer = socket().open();
      peer.receive(wire.ERROR, peer.sent[0].ref, [wire.UNAUTHORIZED, "Sign in first.", false], "");
      expect(errors).toEqual([{ code: wire.UNAUTHORIZED, message: "Sign in first.", stopped: true }]);
      expect(subscribed).toEqual([{ scopes: [], refused: ["a", "b"] }]);
      expect(peer.closed).toBe(1000);
      vi.advanceTimersByTime(100_000);
      expect(FakeSocket.all).toHaveLength(1);
      live.connect();
      expect(asked(wire.SUBSCRIBE, socket().open())).toEqual([["a", "b"]]);
    });

    test("that may pass is tried again, after a while that grows", () => {
      const errors = hear(connect({ scopes: "a" }), "error");
      for (const delay of [250, 500]) {
        const peer = socket().open();
        peer.receive(wire.ERROR, peer.sent[0].ref, ["internal", "Too long.", true], "");
        expect(peer.closed).toBe(1000);
        vi.advanceTimersByTime(delay - 1);
        expect(socket()).toBe(peer);
        vi.advanceTimersByTime(1);
        expect(socket()).not.toBe(peer);
      }
      expect(errors).toHaveLength(2);
      expect(errors[0]).toMatchObject({ code: "internal", stopped: false });
    });
  });
});

describe("scopes", () => {
  test("are asked for once, whatever they are named in, also before connecting", () => {
    live = new MizuLive();
    live.subscribe("a");
    live.subscribe(["a", "b"]);
    live.unsubscribe("never");
    live.connect();
    socket().open();
    live.subscribe(["b", "c", "c"]);
    live.subscribe("a");
    grant();
    live.subscribe("c");
    expect(asked(wire.SUBSCRIBE)).toEqual([["a", "b"], ["c"]]);
    expect(socket().of(wire.UNSUBSCRIBE)).toHaveLength(0);
  });

  test("are given up once, and may be asked for again", () => {
    connect({ scopes: ["a", "b"] });
    socket().open();
    grant();
    live?.unsubscribe(["a", "x"]);
    live?.unsubscribe("a");
    expect(socket().of(wire.UNSUBSCRIBE)).toEqual([{ kind: wire.UNSUBSCRIBE, topic: "", ref: 0, body: [["a"]] }]);
    live?.subscribe("a");
    expect(asked(wire.SUBSCRIBE)).toEqual([["a", "b"], ["a"]]);
  });

  test("that are refused are named, and asked for again when they are named again, or on the next connection", () => {
    const live = connect({ scopes: ["a", "b"] });
    const subscribed = hear(live, "subscribed");
    socket().open();
    grant(["b"]);
    expect(subscribed).toEqual([{ scopes: ["a"], refused: ["b"] }]);
    live.subscribe(["a", "b"]);
    grant(["b"]);
    expect(subscribed[1]).toEqual({ scopes: [], refused: ["b"] });
    live.subscribe("c");
    expect(asked(wire.SUBSCRIBE)).toEqual([["a", "b"], ["b"], ["c"]]);
    expect(asked(wire.SUBSCRIBE, reopen())).toEqual([["a", "b", "c"]]);
  });

  test("that were given up before the answer are not told of", () => {
    const sync = client();
    const subscribed = hear(connect({ scopes: ["a", "b", "c"], sync }), "subscribed");
    socket().open();
    live?.unsubscribe(["a", "c"]);
    grant(["c"]);
    expect(subscribed).toEqual([{ scopes: ["b"], refused: [] }]);
    expect(sync.poked).toEqual([["b"]]);
  });

  test("are answered to the connection that asked", () => {
    const subscribed = hear(connect({ scopes: "a" }), "subscribed");
    const { ref } = socket().open().sent[0];
    const peer = reopen();
    peer.receive(wire.REPLY, ref, [0, null, [["a"], []]], "");
    expect(subscribed).toHaveLength(0);
    grant();
    expect(subscribed).toHaveLength(1);
  });
});

describe("a sync client", () => {
  test("is poked with the cursor, or without one to look", () => {
    const sync = client();
    connect({ scopes: "a", sync });
    socket().open();
    poke("a", "7.a");
    poke("a");
    socket().receive(wire.POKE, 0, ["a"], "");
    expect(sync.poked).toEqual([["a", "7.a"], ["a"], ["a"]]);
  });

  test("looks at each scope when it is confirmed, after every reconnect", () => {
    const sync = client();
    connect({ scopes: ["a", "b"], sync });
    socket().open();
    expect(sync.poked).toEqual([]);
    grant(["b"]);
    expect(sync.poked).toEqual([["a"]]);
    reopen();
    expect(sync.poked).toHaveLength(1);
    grant();
    expect(sync.poked).toEqual([["a"], ["a"], ["b"]]);
  });

  test("may be given later, and there may be several", () => {
    const [first, second] = [client(), client()];
    connect({ scopes: "a", sync: first }).use(second);
    socket().open();
    poke("a", "1.a");
    expect([first.poked, second.poked]).toEqual([[["a", "1.a"]], [["a", "1.a"]]]);
  });
});

describe("on a page", () => {
  test("the page's own socket carries the scopes, after its join", () => {
    const live = open("");
    live.subscribe(["a", "b"]);
    expect(FakeSocket.all).toHaveLength(1);
    expect(asked(wire.SUBSCRIBE)).toEqual([["a", "b"]]);
    const peer = reopen();
    expect(peer.sent.map(({ kind }) => kind)).toEqual([wire.JOIN, wire.SUBSCRIBE]);
  });

  test("no answer is taken for another one's", () => {
    const live = open(`<p id="a">0</p><a id="go" data-lv-click="go">go</a>`);
    const [subscribed, errors] = [hear(live, "subscribed"), hear(live, "error")];
    live.subscribe("s");
    $("#go").click();
    const [event] = socket().of(wire.EVENT);
    grant();
    expect($("#go").className).toContain("lv-click-loading");
    socket().receive(wire.REPLY, event.ref, [0, [1, [["a", wire.INNER, "1"]]]]);
    expect($("#a").textContent).toBe("1");
    expect(subscribed).toEqual([{ scopes: ["s"], refused: [] }]);
    expect(errors).toEqual([]);
  });

  test("without scopes nothing is asked", () => {
    open("");
    expect(socket().sent.map(({ kind }) => kind)).toEqual([wire.JOIN, wire.ACK]);
  });

  test("refused scopes leave the page as it is", () => {
    const live = open("");
    const [errors, subscribed] = [hear(live, "error"), hear(live, "subscribed")];
    live.subscribe("s");
    const { ref } = socket().of(wire.SUBSCRIBE)[0];
    socket().receive(wire.ERROR, ref, [wire.UNAUTHORIZED, "Sign in first.", false], "");
    expect(errors).toEqual([{ code: wire.UNAUTHORIZED, message: "Sign in first." }]);
    expect(subscribed).toEqual([{ scopes: [], refused: ["s"] }]);
    expect(socket().closed).toBeUndefined();
    expect($("#lv-root").className).toBe("lv-connected");
  });

  test("the server is told of a sync client, and pokes it about what the page watches", () => {
    const live = open("", { join: false });
    const sync = client();
    live.use(sync);
    const peer = socket().open();
    expect(peer.of(wire.JOIN)[0].body[2]).toEqual(new Map([[wire.POKES_PARAM, "1"]]));
    peer.welcome();
    poke("watched", "3.w");
    expect(sync.poked).toEqual([["watched", "3.w"]]);
    expect(reopen().of(wire.JOIN)[0].body[2]).toEqual(new Map([[wire.POKES_PARAM, "1"]]));
  });
});
