import { describe, expect, test } from "bun:test";
import { type CookieSocket, CookieSockets } from "../../../engine/http/cookie-sockets.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";

function make() {
  const clock = new VirtualClock(1000);
  const sockets = new CookieSockets(clock);
  const closed: string[] = [];
  const open = (name: string, id?: string, endsAtMs = 5000): CookieSocket => {
    const socket: CookieSocket = {
      data: id === undefined ? {} : { session: { id, endsAtMs } },
      close: (code, reason) => void closed.push(`${name} ${code} ${reason}`),
    };
    sockets.open(socket);
    return socket;
  };
  return { clock, sockets, closed, open };
}

describe("a socket that a cookie has opened", () => {
  test("is closed when the time of the cookie is over, and one of a token is not", () => {
    const { clock, closed, open } = make();
    open("first", "a");
    open("later", "b", 6000);
    open("token");
    clock.advance(3999);
    expect(closed).toEqual([]);
    clock.advance(1);
    expect(closed).toEqual(["first 1008 the time of the cookie is over"]);
  });

  test("is closed when its browser signs out, and no other's", () => {
    const { sockets, closed, open } = make();
    open("board", "a");
    open("other", "b");
    open("call", "a");
    open("token");
    sockets.signOut({ id: "a", endsAtMs: 5000 });
    expect(closed).toEqual(["board 1008 signed out", "call 1008 signed out"]);
  });

  test("is forgotten when it is gone", () => {
    const { clock, sockets, closed, open } = make();
    sockets.close(open("gone", "a"));
    sockets.signOut({ id: "a", endsAtMs: 5000 });
    clock.advance(10_000);
    expect(closed).toEqual([]);
  });
});
