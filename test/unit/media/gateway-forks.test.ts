/** Forks of single legs at the gateway: who is let in, how many, and that their faults stay theirs. */
import { describe, expect, test } from "bun:test";
import type { ForkClosed, ForkStarted } from "../../../engine/media/gateway.ts";
import { CONNECTED, FakeSocket, goLive, GRANT, setUpGateway, startText } from "./gateway-setup.ts";

const CALL = GRANT.callSid;

function setUp(accepts: (start: ForkStarted) => boolean = () => true) {
  const forks: ForkStarted[] = [];
  const over: ForkClosed[] = [];
  const s = setUpGateway({
    onFork: (start) => {
      forks.push(start);
      return accepts(start);
    },
    onForkClosed: (closed) => void over.push(closed),
  });
  const join = (label: string, token = s.gateway.issueForkToken(CALL, label)): FakeSocket =>
    new FakeSocket(s.gateway).says(CONNECTED, startText(token, `MZ${label}`));
  return { ...s, forks, over, join };
}

describe("a fork", () => {
  test("is let in by a token of its leg, once, and is no stream of the AI", () => {
    const s = setUp();
    const token = s.gateway.issueForkToken(CALL, "caller");
    expect(s.join("caller", token).closed).toBeNull();
    expect(s.forks.map(({ callSid, label }) => [callSid, label])).toEqual([[CALL, "caller"]]);
    expect(s.started).toEqual([]);
    expect(s.join("caller", token).closed?.code).toBe(1008);
    expect(s.gateway.counters()).toMatchObject({ forks: 1, streams: 0, live: 1, tokensUsed: 1 });
    expect(s.over).toEqual([]);
  });

  test("cannot be the AI's stream, nor the AI's stream a fork, whatever a leg is called", () => {
    const s = setUp();
    s.join("ai");
    s.join("ai-1");
    goLive(s, "MZai");
    goLive(s, "MZai1", { callSid: CALL, legKey: "ai-1" });
    expect(s.forks.map(({ label }) => label)).toEqual(["ai", "ai-1"]);
    expect(s.started.map(({ legKey }) => legKey)).toEqual(["ai", "ai-1"]);
    expect(s.gateway.live).toBe(4);
  });

  test("is refused where nobody asks for forks, and when its call does not want it", () => {
    const plain = setUpGateway();
    const socket = new FakeSocket(plain.gateway).says(
      CONNECTED,
      startText(plain.gateway.issueForkToken(CALL, "caller")),
    );
    expect(socket.closed?.code).toBe(1008);
    const s = setUp(() => false);
    expect(s.join("caller").closed?.code).toBe(1008);
    expect(s.over).toEqual([]);
    expect(s.gateway.live).toBe(0);
  });

  test("is one of eight at once: one more is turned away and counted, until there is room", () => {
    const s = setUp();
    const sockets = Array.from({ length: 8 }, (_, n) => s.join(`human-${n}`));
    expect(s.join("human-8").closed?.code).toBe(1008);
    expect(s.gateway.counters()).toMatchObject({ forks: 8, forksTurnedAway: 1 });
    sockets[0]?.close(1000);
    expect(s.join("human-9").closed).toBeNull();
    // Of another call there are none yet.
    const other = s.gateway.issueForkToken("CAother", "caller");
    expect(s.join("caller", other).closed).toBeNull();
    // The AI's stream is not one of them.
    expect(goLive(s).closed).toBeNull();
  });

  test("takes the place of an older one of its leg", () => {
    const s = setUp();
    const first = s.join("caller");
    s.join("caller");
    expect(first.closed).toEqual({ code: 1000, reason: "replaced" });
    expect(s.over).toEqual([{ callSid: CALL, label: "caller", streamSid: "MZcaller", reason: "replaced" }]);
    expect(s.gateway.live).toBe(1);
  });

  test("that is lost, speaks nonsense or makes its listener throw ends alone", () => {
    const s = setUp();
    const ai = goLive(s);
    s.join("caller").close(1006);
    s.join("human-1").says(...Array.from({ length: 50 }, () => "{"));
    const third = s.join("human-2");
    s.forks.at(-1)?.fork.listen({
      frame: () => {
        throw new Error("a bug");
      },
    });
    const payload = new Uint8Array(800).fill(0x10).toBase64();
    third.says(
      `{"event":"media","sequenceNumber":"2","media":{"track":"inbound","chunk":"1","timestamp":"0","payload":"${payload}"},"streamSid":"MZhuman-2"}`,
    );
    expect(s.over.map(({ label, reason }) => [label, reason])).toEqual([
      ["caller", "socket"],
      ["human-1", "error"],
      ["human-2", "error"],
    ]);
    expect(third.closed?.code).toBe(1011);
    expect(s.gateway.counters()["forksLost"]).toBe(3);
    expect(ai.closed).toBeNull();
    expect(s.ended).toEqual([]);
    expect(s.gateway.live).toBe(1);
  });

  test("ends with its call, though its leg goes on, and is sent nothing at all", () => {
    const s = setUp();
    const socket = s.join("human-1");
    s.gateway.forget(CALL);
    expect(socket.closed).toEqual({ code: 1000, reason: "call ended" });
    expect(socket.sent).toEqual([]);
    expect(s.over).toHaveLength(1);
    expect(s.gateway.live).toBe(0);
  });

  test("of an engine before is not let in again by this one", () => {
    const before = setUp();
    const token = before.gateway.issueForkToken(CALL, "caller");
    before.join("caller", token);
    const after = setUp();
    after.gateway.resumeTokens(CALL, before.gateway.usedTokens(CALL));
    expect(after.join("caller", token).closed?.code).toBe(1008);
    expect(after.join("caller").closed).toBeNull();
  });
});
