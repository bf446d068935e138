import { describe, expect, test, vi } from "vitest";
import { CLOSE, HEARTBEAT } from "../src/constants.js";
import { Debug } from "../src/debug.js";
import { Socket } from "../src/socket.js";
import { FakeSocket, setup, socket } from "./support.js";

setup();

function start() {
  const owner = { opened: vi.fn(), received: vi.fn(), closed: vi.fn() };
  const live = new Socket("ws://test/_live", owner, new Debug(null));
  live.start();
  return { live, owner };
}

test("speaks binary mizu.v1, once", () => {
  const { live, owner } = start();
  live.start();
  expect(FakeSocket.all).toHaveLength(1);
  expect(socket()).toMatchObject({ url: "ws://test/_live", protocol: "mizu.v1", binaryType: "arraybuffer" });
  expect(live.send(4, "", 0, 1)).toBe(false);
  socket().open();
  expect(owner.opened).toHaveBeenCalledOnce();
  expect(live.send(4, "", 0, 1)).toBe(true);
});

test("comes back after growing, jittered delays, and starts over when settled", () => {
  const { live } = start();
  /** Half of the range: that is what chance gives here. */
  for (const delay of [250, 500, 1_000, 2_000, 4_000, 7_500, 7_500]) {
    const count = FakeSocket.all.length;
    socket().end();
    vi.advanceTimersByTime(delay - 1);
    expect(FakeSocket.all).toHaveLength(count);
    vi.advanceTimersByTime(1);
    expect(FakeSocket.all).toHaveLength(count + 1);
  }
  socket().open();
  live.settle();
  socket().end();
  vi.advanceTimersByTime(250);
  expect(FakeSocket.all).toHaveLength(9);
});

test("an upgrade that hangs is given up", () => {
  const { owner } = start();
  const hung = socket();
  vi.advanceTimersByTime(10_000);
  expect(hung.closed).toBe(1000);
  expect(owner.closed).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(250);
  expect(FakeSocket.all).toHaveLength(2);
  hung.open();
  expect(owner.opened).not.toHaveBeenCalled();
});

test("the delay of a CLOSE frame is kept to", () => {
  start();
  socket().open().receive(CLOSE, 0, ["shutdown", 7_000], "");
  socket().end(4000);
  vi.advanceTimersByTime(6_999);
  expect(FakeSocket.all).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(FakeSocket.all).toHaveLength(2);
});

test.each([4500, 4502, 4999])("code %d is terminal", (code) => {
  const { live, owner } = start();
  socket().open().end(code, "go away");
  expect(owner.closed).toHaveBeenCalledWith(code, "go away", true);
  vi.advanceTimersByTime(100_000);
  live.wake();
  expect(FakeSocket.all).toHaveLength(1);
});

test.each([1000, 1001, 1006, 4000, 4001, 4499])("after code %d it comes back", (code) => {
  const { owner } = start();
  socket().open().end(code);
  expect(owner.closed).toHaveBeenCalledWith(code, "", false);
  vi.advanceTimersByTime(250);
  expect(FakeSocket.all).toHaveLength(2);
});

describe("waking", () => {
  test("connects at once", () => {
    const { live } = start();
    socket().end();
    live.wake();
    expect(FakeSocket.all).toHaveLength(2);
    vi.advanceTimersByTime(1_000);
    expect(FakeSocket.all).toHaveLength(2);
  });

  test("asks an open connection whether it lives", () => {
    const { live } = start();
    const first = socket().open();
    live.wake();
    live.wake();
    expect(first.of(HEARTBEAT)).toHaveLength(1);
    vi.advanceTimersByTime(10_000);
    expect(first.closed).toBe(1000);
  });

  test("does nothing when stopped", () => {
    const { live } = start();
    live.stop();
    live.stop();
    live.wake();
    vi.advanceTimersByTime(100_000);
    expect(FakeSocket.all).toHaveLength(1);
  });

  test("ends a pause", () => {
    const { live } = start();
    socket().open();
    live.pause();
    vi.advanceTimersByTime(100_000);
    expect(FakeSocket.all).toHaveLength(1);
    live.wake();
    expect(FakeSocket.all).toHaveLength(2);
  });
});

describe("heartbeats", () => {
  test("carry the clock, every 25 seconds without other news", () => {
    start();
    const peer = socket().open();
    vi.advanceTimersByTime(24_999);
    expect(peer.of(HEARTBEAT)).toHaveLength(0);
    vi.advanceTimersByTime(1);
    expect(peer.of(HEARTBEAT)).toMatchObject([{ topic: "", body: [Date.now()] }]);
    peer.receive(HEARTBEAT, 0, Date.now(), "");
    vi.advanceTimersByTime(20_000);
    peer.receive(0x90, 0, null, "");
    vi.advanceTimersByTime(20_000);
    expect(peer.of(HEARTBEAT)).toHaveLength(1);
  });

  test("without an answer end the connection", () => {
    const { owner } = start();
    const peer = socket().open();
    vi.advanceTimersByTime(35_000);
    expect(peer.closed).toBe(1000);
    expect(owner.closed).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(250);
    expect(FakeSocket.all).toHaveLength(2);
  });

  test("keep the interval of the server", () => {
    const { live } = start();
    const peer = socket().open();
    live.settle(5_000);
    vi.advanceTimersByTime(5_000);
    expect(peer.of(HEARTBEAT)).toHaveLength(1);
    vi.advanceTimersByTime(5_000);
    expect(peer.closed).toBe(1000);
  });
});

test.each([["noise", Uint8Array.from([0xc1])], ["no envelope", Uint8Array.from([0x93, 1, 2, 3])]])("%s ends the connection, not the page", (_, bytes) => {
  const errors = vi.spyOn(console, "error").mockImplementation(() => {});
  const { owner } = start();
  const peer = socket().open();
  peer.raw(bytes);
  expect(peer.closed).toBe(1000);
  expect(owner.received).not.toHaveBeenCalled();
  expect(errors).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(250);
  expect(FakeSocket.all).toHaveLength(2);
});
