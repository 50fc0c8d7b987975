/**
 * The engine's process is killed, and another is started on the same database: the caller stays in the room, the
 * AI comes back as what it was, nobody is rung twice, and deadlines hold.
 */
import { describe, expect, test } from "bun:test";
import type { EscalationRow } from "../../engine/ports.ts";
import {
  aiHeard,
  answers,
  begin,
  ended,
  escalate,
  kill,
  labels,
  LADDER,
  onCall,
  pages,
  rings,
  SECOND,
  streams,
  talking,
  untilCoaching,
} from "../support/outside-steps.ts";
import { listen, SILENCE } from "../support/tap.ts";
import { noise, ON_CALL } from "../support/world.ts";

/** Of the rung that is waited for: longer than an engine on a busy machine is away. */
const ACK_TIMEOUT_MS = 6000;

describe("an engine that is killed and comes back", () => {
  test("in streaming: the caller hears the AI again, on the leg that was there", async () => {
    const { outside, engine } = await begin();
    const { phone, callSid } = await talking(outside);
    await kill(outside, engine);
    await outside.start();
    await aiHeard(outside, phone);
    expect(labels(outside).toSorted()).toEqual(["ai-1", "caller"]);
    // The caller is heard as well, and a person can be asked for.
    await escalate(outside, callSid);
    await outside.until("somebody is rung", () => rings(outside) === 1);
    phone.hangUp();
    expect(await ended(outside, callSid)).toMatchObject({
      endReason: "caller_hung_up",
      metrics: { restarts: 1 },
    });
  });

  test("on each rung: nobody is rung again, and the next rung begins when it was to", async () => {
    const escalation = { ...LADDER.escalation, ackTimeoutMs: ACK_TIMEOUT_MS };
    const { outside, engine } = await begin({ deployment: { ...LADDER, escalation } });
    const nurse = await onCall(outside, ON_CALL);
    const doctor = await onCall(outside, SECOND);
    const { phone, callSid } = await talking(outside);
    await escalate(outside, callSid);
    await outside.until("the first is rung", () => nurse.state === "incoming");
    await kill(outside, engine);
    const second = await outside.start();
    await aiHeard(outside, phone);
    expect([nurse.state, rings(outside)]).toEqual(["incoming", 1]);
    await outside.until("the second is rung", () => doctor.state === "incoming");
    expect(rings(outside)).toBe(2);
    await kill(outside, second);
    await outside.start();
    await aiHeard(outside, phone);
    expect([doctor.state, rings(outside)]).toEqual(["incoming", 2]);
    await answers(outside, doctor);
    doctor.press("1");
    await untilCoaching(outside, callSid);
    expect([nurse.state, phone.state]).toEqual(["idle", "in-call"]);
    phone.hangUp();
    doctor.hangUp();
    const row = await ended(outside, callSid);
    expect(row).toMatchObject({ handover: "coached", metrics: { restarts: 2 } });
    expect(pages(row)).toEqual([
      ["human-1", "timed-out"],
      ["human-2", "acknowledged"],
    ]);
    const [first, next] = (row.escalation as EscalationRow).pages.map(({ startedAt }) =>
      Date.parse(startedAt),
    );
    const lateMs = (next as number) - (first as number) - ACK_TIMEOUT_MS;
    expect(lateMs).toBeWithin(0, 1000);
  });

  test("while a person comes into the room: they are there, and the AI becomes their coach", async () => {
    const { outside, engine } = await begin();
    const nurse = await onCall(outside, ON_CALL);
    const { phone, callSid } = await talking(outside);
    await escalate(outside, callSid);
    await outside.until("the first is rung", () => nurse.state === "incoming");
    await answers(outside, nurse);
    nurse.press("1");
    await outside.until("they are in the room", () => labels(outside).includes("human-1"));
    await kill(outside, engine);
    await outside.start();
    await untilCoaching(outside, callSid);
    expect([phone.state, nurse.state, rings(outside)]).toEqual(["in-call", "in-call", 1]);
    // Whoever is left alone with the AI hears it.
    nurse.hangUp();
    await outside.until("the AI is alone with the caller", () => labels(outside).length === 2);
    await aiHeard(outside, phone);
    phone.hangUp();
    expect(await ended(outside, callSid)).toMatchObject({ handover: "coached" });
  });

  test("in coaching: the person alone hears the coach again", async () => {
    const tap = listen();
    const { outside, engine } = await begin({ tap: tap.tap });
    const heard = { byCaller: 0, byNurse: 0 };
    let coachFrom = Number.POSITIVE_INFINITY;
    // Noise repeats nowhere: a frame that is found among the coach's bytes was said by the coach.
    const isWhisper = (frame: Uint8Array): boolean =>
      !frame.includes(SILENCE) && Buffer.from(tap.sent()).indexOf(frame, coachFrom) >= 0;
    const nurse = await onCall(outside, ON_CALL, {
      onFrame: (frame) => void (heard.byNurse += Number(isWhisper(frame))),
    });
    const { phone, callSid } = await talking(outside, {
      onFrame: (frame) => void (heard.byCaller += Number(isWhisper(frame))),
    });
    await escalate(outside, callSid);
    await outside.until("the first is rung", () => nurse.state === "incoming");
    await answers(outside, nurse);
    nurse.press("1");
    await untilCoaching(outside, callSid);
    coachFrom = tap.sent().length;
    await kill(outside, engine);
    await outside.start();
    await outside.until("the AI streams", () => streams(outside).length === 1);
    await untilCoaching(outside, callSid);
    await outside.until("its row says so", async () => {
      const row = await outside.api(`calls/${callSid}`);
      return row["state"] === "coaching";
    });
    await nurse.speak(noise("pain", 600), "My chest hurts.");
    await outside.until("half a second of the whisper is heard", () => heard.byNurse >= 25);
    expect(heard.byCaller).toBe(0);
    phone.hangUp();
    nurse.hangUp();
    await ended(outside, callSid);
  });

  test("while the caller leaves: the call ends with its row", async () => {
    const { outside, engine } = await begin();
    const { phone, callSid } = await talking(outside);
    await kill(outside, engine);
    phone.hangUp();
    await outside.until("the caller has left", () => phone.state === "idle");
    await outside.start();
    expect(await ended(outside, callSid)).toMatchObject({ endReason: "caller_hung_up" });
  });

  test("in wrap-up: what was to be hung up is hung up", async () => {
    const { outside, engine } = await begin();
    const { callSid } = await talking(outside);
    // The carrier does not answer: the end of the call is asked for, and that is all.
    outside.carrier.faults.set({ rest: { status: 503, times: 100, match: "/Conferences/", method: "POST" } });
    expect(await outside.command(callSid, { command: "hangup" })).toBe(202);
    await engine.end("SIGKILL");
    outside.carrier.faults.reset();
    await outside.start();
    expect(await ended(outside, callSid)).toMatchObject({ endReason: "operator_ended" });
  });
});

describe("an engine that is told to stop", () => {
  test("leaves its calls to the next one, and says so by its exit code", async () => {
    const { outside, engine } = await begin();
    const { phone, callSid } = await talking(outside);
    expect(await engine.end("SIGTERM")).toBe(0);
    expect(phone.state).toBe("in-call");
    await outside.start();
    await aiHeard(outside, phone);
    expect(labels(outside).toSorted()).toEqual(["ai-1", "caller"]);
    phone.hangUp();
    await ended(outside, callSid);
  });

  test("waits for nothing when it is told again, and loses nothing", async () => {
    const deployment = { ...LADDER, limits: { drainMs: 60_000 } };
    const { outside, engine } = await begin({ deployment });
    const { phone, callSid } = await talking(outside);
    let code: number | null = null;
    void engine.exited.then((exited) => (code = exited));
    // The same signal right after the first is its echo.
    await outside.until("it ends", () => {
      engine.signal("SIGTERM");
      return code !== null;
    });
    expect(code as number | null).toBe(130);
    await outside.start();
    await aiHeard(outside, phone);
    phone.hangUp();
    await ended(outside, callSid);
  });
});
