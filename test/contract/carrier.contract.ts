import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { CarrierError } from "../../engine/errors.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import type { Carrier, ParticipantInfo } from "../../engine/ports.ts";

/** A carrier and the phones around it. */
export interface CarrierWorld {
  readonly carrier: Carrier;
  /** A number of the account. */
  readonly from: string;
  /** Phones that answer at once and stay on the line. */
  readonly answering: readonly [string, string, string];
  /** A phone that rings and is never answered. */
  readonly ringing: string;
  /**
   * Spoils the next request of this method whose path contains `match`: with a status, or by breaking its
   * connection off (`cut`). `after`: it takes effect and only its answer is lost.
   */
  spoil(fault: {
    readonly method: "GET" | "POST" | "DELETE";
    readonly match: string;
    readonly how: number | "cut";
    readonly phase: "before" | "after";
  }): void;
  stop(): Promise<void>;
}

const SILENCE = '<?xml version="1.0" encoding="UTF-8"?><Response><Pause length="60"/></Response>';

/** What every implementation of the port `Carrier` must do, checked against something that acts like Twilio. */
export function carrierContract(name: string, start: () => Promise<CarrierWorld>): void {
  describe(name, () => {
    let world: CarrierWorld;
    let carrier: Carrier;

    beforeEach(async () => {
      world = await start();
      carrier = world.carrier;
    });
    afterEach(() => world.stop());

    const add = (label: string, to: string, conference = "af-contract"): Promise<ParticipantInfo> =>
      carrier.createParticipant({
        conference,
        to,
        from: world.from,
        label,
        beep: false,
        jitterBufferSize: "small",
      });

    const addConnected = async (label: string, to: string): Promise<ParticipantInfo> => {
      const { conferenceSid, callSid } = await add(label, to);
      const ref = { conferenceSid, participant: callSid };
      const connected = await until(
        () => carrier.fetchParticipant(ref),
        (found) => found?.status === "connected",
      );
      if (!connected) throw new Error("unreachable: it was connected");
      return connected;
    };

    describe("participants", () => {
      test("are added by the conference's name and found by its sid, by label and in the list", async () => {
        const added = await add("nurse on call", world.ringing);
        expect(added).toMatchObject({ label: "nurse on call", muted: false, hold: false, coaching: false });
        expect(added.callSid).toMatch(/^CA[0-9a-f]{32}$/);
        expect(added.conferenceSid).toMatch(/^CF[0-9a-f]{32}$/);
        expect(await carrier.findConference("af-contract")).toBe(added.conferenceSid);
        const ref = { conferenceSid: added.conferenceSid, participant: "nurse on call" };
        expect((await carrier.fetchParticipant(ref))?.callSid).toBe(added.callSid);
        const listed = await carrier.listParticipants(added.conferenceSid);
        expect(listed.map(({ callSid }) => callSid)).toEqual([added.callSid]);
      });

      test("are added by the conference's sid too", async () => {
        const first = await add("first", world.ringing);
        const second = await add("second", world.answering[0], first.conferenceSid);
        expect(second.conferenceSid).toBe(first.conferenceSid);
      });

      test("cannot share a label", async () => {
        await add("nurse", world.ringing);
        const error = await failure(add("nurse", world.answering[0]));
        expect(error).toMatchObject({ code: 16025, retryable: false, ambiguous: false });
      });

      test("are muted, held and made to coach, one value at a time", async () => {
        const human = await addConnected("human", world.answering[0]);
        const agent = await addConnected("agent", world.answering[1]);
        const ref = { conferenceSid: agent.conferenceSid, participant: "agent" };
        expect(await carrier.updateParticipant(ref, { muted: true })).toMatchObject({
          muted: true,
          hold: false,
        });
        const coaching = { coaching: true, callSidToCoach: human.callSid };
        expect(await carrier.updateParticipant(ref, coaching)).toMatchObject({ ...coaching, muted: true });
        expect(await carrier.updateParticipant(ref, { muted: false })).toMatchObject({
          muted: false,
          coaching: true,
        });
        const done = await carrier.updateParticipant(ref, { coaching: false });
        expect(done).toMatchObject({ coaching: false });
        expect(await carrier.updateParticipant(ref, { hold: true })).toMatchObject({ hold: true });
        expect(await carrier.fetchParticipant(ref)).toMatchObject({
          hold: true,
          muted: false,
          coaching: false,
        });
      });

      test("cannot coach a call that is not in the room", async () => {
        const agent = await addConnected("agent", world.answering[0]);
        const absent = { coaching: true, callSidToCoach: `CA${"f".repeat(32)}` };
        const ref = { conferenceSid: agent.conferenceSid, participant: agent.callSid };
        expect(await failure(carrier.updateParticipant(ref, absent))).toMatchObject({
          code: 16028,
          retryable: false,
        });
      });

      test("that were removed are gone, which is an answer except to an update", async () => {
        await addConnected("stays", world.answering[0]);
        await addConnected("stays too", world.answering[1]);
        const { conferenceSid } = await addConnected("leaves", world.answering[2]);
        const ref = { conferenceSid, participant: "leaves" };
        expect(await carrier.removeParticipant(ref)).toBe("removed");
        await until(
          () => carrier.fetchParticipant(ref),
          (found) => found === null,
        );
        expect(await carrier.removeParticipant(ref)).toBe("gone");
        const error = await failure(carrier.updateParticipant(ref, { muted: true }));
        expect(error).toMatchObject({ status: 404, code: 20404, retryable: false, ambiguous: false });
        expect(await carrier.listParticipants(conferenceSid)).toHaveLength(2);
      });

      test("with an address that is none are refused for good", async () => {
        const error = await failure(add("nurse", "nobody"));
        expect(error).toMatchObject({ retryable: false, ambiguous: false, operation: "createParticipant" });
        expect(error.status).toBe(400);
      });
    });

    describe("conferences", () => {
      test("that nobody opened are not found", async () => {
        expect(await carrier.findConference("af-nobody")).toBeNull();
        const nowhere = `CF${"0".repeat(32)}`;
        expect(await carrier.listParticipants(nowhere)).toEqual([]);
        expect(await carrier.endConference(nowhere)).toBe("gone");
      });

      test("that were ended have nobody in them, and are found no more", async () => {
        await addConnected("a", world.answering[0]);
        const { conferenceSid } = await addConnected("b", world.answering[1]);
        expect(await carrier.endConference(conferenceSid)).toBe("ended");
        await until(
          () => carrier.listParticipants(conferenceSid),
          (list) => list.length === 0,
        );
        expect(await carrier.findConference("af-contract")).toBeNull();
        expect(await failure(add("c", world.answering[2], conferenceSid))).toMatchObject({
          retryable: false,
        });
      });
    });

    describe("calls", () => {
      const page = () => ({ to: world.ringing, from: world.from, twiml: SILENCE, timeoutS: 60 });

      test("are created, fetched and ended, and ending one twice is no error", async () => {
        const created = await carrier.createCall(page());
        expect(created.callSid).toMatch(/^CA[0-9a-f]{32}$/);
        expect((await carrier.fetchCall(created.callSid))?.callSid).toBe(created.callSid);
        await carrier.updateCall(created.callSid, { status: "completed" });
        const over = await until(
          () => carrier.fetchCall(created.callSid),
          (call) => call === null || ["completed", "canceled"].includes(call.status),
        );
        expect(over?.callSid ?? created.callSid).toBe(created.callSid);
        await carrier.updateCall(created.callSid, { status: "completed" });
      });

      test("that are over cannot be redirected, which is an answer", async () => {
        const { callSid } = await carrier.createCall({ ...page(), to: world.answering[0] });
        await until(
          () => carrier.fetchCall(callSid),
          (call) => call?.status === "in-progress",
        );
        expect(await carrier.updateCall(callSid, { twiml: SILENCE })).toMatchObject({ callSid });
        await carrier.updateCall(callSid, { status: "completed" });
        expect(await carrier.updateCall(callSid, { twiml: SILENCE })).toBeNull();
      });

      test("that still ring cannot be redirected, which is an error", async () => {
        const { callSid } = await carrier.createCall(page());
        expect(await failure(carrier.updateCall(callSid, { twiml: SILENCE }))).toMatchObject({ code: 21220 });
      });

      test("that nobody made are not there", async () => {
        const unknown = `CA${"0".repeat(32)}`;
        expect(await carrier.fetchCall(unknown)).toBeNull();
        expect(await carrier.updateCall(unknown, { status: "completed" })).toBeNull();
      });
    });

    describe("what was asked for", () => {
      const from = () => world.from;
      const sinceMs = () => systemClock.now() - 1000;

      test("is found by its ends: calls that ring, were answered and are over, oldest first", async () => {
        const since = sinceMs();
        const first = await carrier.createCall({ to: world.ringing, from: from(), twiml: SILENCE });
        await carrier.updateCall(first.callSid, { status: "completed" });
        const second = await carrier.createCall({ to: world.ringing, from: from(), twiml: SILENCE });
        await carrier.createCall({ to: world.answering[0], from: from(), twiml: SILENCE });
        const found = await carrier.findCalls({ to: world.ringing, from: from(), sinceMs: since });
        expect(found.map(({ callSid }) => callSid).toSorted()).toEqual(
          [first.callSid, second.callSid].toSorted(),
        );
        for (const { createdMs } of found) expect(createdMs).toBeGreaterThanOrEqual(since - 1000);
        expect(found.find(({ callSid }) => callSid === first.callSid)?.status).toBe("canceled");
      });

      test("is found as a participant's call too, by the address it was called by", async () => {
        const since = sinceMs();
        const { callSid } = await add("leg", world.ringing);
        const found = await carrier.findCalls({ to: world.ringing, from: from(), sinceMs: since });
        expect(found.map((each) => each.callSid)).toEqual([callSid]);
      });

      test("is found with its words: messages, whether or not they are sent yet", async () => {
        const since = sinceMs();
        const to = world.answering[0];
        const sent = await carrier.sendMessage({ to, from: from(), body: "1 = yes & 2 = no ✓" });
        await carrier.sendMessage({ to: world.answering[1], from: from(), body: "another" });
        const found = await carrier.findMessages({ to, from: from(), sinceMs: since });
        expect(found).toMatchObject([{ messageSid: sent.messageSid, body: "1 = yes & 2 = no ✓" }]);
      });

      test("is not found when it is older", async () => {
        const ends = { to: world.answering[0], from: from() };
        await carrier.sendMessage({ ...ends, body: "old" });
        await carrier.createCall({ ...ends, twiml: SILENCE });
        const later = { ...ends, sinceMs: systemClock.now() + 5000 };
        expect(await carrier.findMessages(later)).toEqual([]);
        expect(await carrier.findCalls(later)).toEqual([]);
      });

      test("is found although its answer was lost", async () => {
        const ends = { to: world.ringing, from: from() };
        const since = sinceMs();
        world.spoil({ method: "POST", match: "/Calls", how: "cut", phase: "after" });
        await failure(carrier.createCall({ ...ends, twiml: SILENCE }));
        expect(await carrier.findCalls({ ...ends, sinceMs: since })).toHaveLength(1);
        world.spoil({ method: "POST", match: "/Calls", how: "cut", phase: "before" });
        await failure(carrier.createCall({ ...ends, twiml: SILENCE }));
        expect(await carrier.findCalls({ ...ends, sinceMs: since })).toHaveLength(1);
      });
    });

    test("messages are sent and have a sid", async () => {
      const sent = await carrier.sendMessage({
        to: world.answering[0],
        from: world.from,
        body: "1 = yes & 2 = no ✓",
      });
      expect(sent.messageSid).toMatch(/^SM[0-9a-f]{32}$/);
      expect(sent.status).not.toBe("");
    });

    describe("trouble", () => {
      test("a create that took effect although its answer was lost adds exactly one participant", async () => {
        // Each leg rings a phone of its own: one that is rung already would be busy, and its leg gone.
        const legs = [
          [503, world.ringing],
          ["cut", world.answering[0]],
        ] as const;
        for (const [how, to] of legs) {
          const label = `leg ${how}`;
          world.spoil({ method: "POST", match: "/Participants", how, phase: "after" });
          const added = await add(label, to, `af-${how}`);
          const listed = await carrier.listParticipants(added.conferenceSid);
          expect(listed.map((each) => each.label)).toEqual([label]);
          expect(listed[0]?.callSid).toBe(added.callSid);
        }
      });

      test("a create that took no effect is made up for", async () => {
        world.spoil({ method: "POST", match: "/Participants", how: 500, phase: "before" });
        const added = await add("leg", world.ringing);
        expect(await carrier.listParticipants(added.conferenceSid)).toHaveLength(1);
      });

      test("429 is waited out", async () => {
        world.spoil({ method: "POST", match: "/Calls", how: 429, phase: "before" });
        const call = await carrier.createCall({ to: world.ringing, from: world.from, twiml: SILENCE });
        expect((await carrier.fetchCall(call.callSid))?.callSid).toBe(call.callSid);
      });

      test("a call that may have been made is not made again, and says so", async () => {
        world.spoil({ method: "POST", match: "/Calls", how: "cut", phase: "after" });
        const error = await failure(
          carrier.createCall({ to: world.ringing, from: world.from, twiml: SILENCE }),
        );
        expect(error).toMatchObject({ retryable: true, ambiguous: true, operation: "createCall" });
      });

      test("a delete that took effect although its answer was lost leaves nobody behind", async () => {
        const { conferenceSid } = await addConnected("leaves", world.answering[0]);
        await addConnected("stays", world.answering[1]);
        world.spoil({ method: "DELETE", match: "/Participants", how: 502, phase: "after" });
        const ref = { conferenceSid, participant: "leaves" };
        expect(["removed", "gone"]).toContain(await carrier.removeParticipant(ref));
        expect(await carrier.fetchParticipant(ref)).toBeNull();
      });
    });

    test("counters are numbers, and a closed carrier refuses by rejecting", async () => {
      await carrier.findConference("af-nobody");
      const counters = Object.entries(carrier.counters());
      expect(counters.length).toBeGreaterThan(0);
      for (const [key, value] of counters) expect([key, typeof value]).toEqual([key, "number"]);
      await carrier.close();
      expect(await failure(carrier.findConference("af-nobody"))).toMatchObject({ ambiguous: false });
    });
  });
}

async function failure(promise: Promise<unknown>): Promise<CarrierError> {
  const thrown = await promise.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  );
  if (!(thrown instanceof CarrierError)) throw thrown;
  return thrown;
}

/** Asks until the answer is as wanted; the test's own timeout is the guard. */
async function until<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
  }
}
