/** Each effect's exact request to the carrier, and what its answer makes of it. */
import { describe, expect, test } from "bun:test";
import type { CallFacts, CarrierEffect } from "../../../engine/call/effects.ts";
import { CarrierError } from "../../../engine/errors.ts";
import type { ParticipantInfo } from "../../../engine/ports.ts";
import type { EffectInputs } from "../../../machines/context.ts";
import { carrierError, effectOf, makeEffects, ORIGIN } from "./effects-setup.ts";
import { CALL_SID, CONFERENCE_SID, deploymentOf, settle, START_MS } from "./support.ts";

const HUMAN_SID = "CA00000000000000000000000000000003";
const AI = { conferenceSid: CONFERENCE_SID, participant: "ai-1" };
const callback = (path: string, label?: string): string =>
  `${ORIGIN}/twilio/${path}?call=${CALL_SID}${label === undefined ? "" : `&label=${label}`}#rc=3&rp=all`;

describe("adding the AI", () => {
  test("dials the TwiML App with the leg's key into the conference, without a beep", async () => {
    const { run, carrier, legKeys } = makeEffects({
      deployment: deploymentOf({ limits: { maxCallMs: 61_001 } }),
    });
    const answer = await run("carrier.addAi", { label: "ai-2", muted: true });
    const key = legKeys.issue(CALL_SID, "ai-2");
    expect(carrier.requests).toEqual([
      [
        "createParticipant",
        {
          conference: CONFERENCE_SID,
          to: `app:AP00000000000000000000000000000002?session=${key}`,
          from: "+15550123",
          label: "ai-2",
          muted: true,
          beep: false,
          startConferenceOnEnter: true,
          endConferenceOnExit: false,
          jitterBufferSize: "small",
          region: "us1",
          timeoutS: 15,
          timeLimitS: 62,
          statusCallback: callback("leg-status", "ai-2"),
          statusCallbackEvents: ["initiated", "ringing", "answered", "completed"],
          conferenceStatusCallback: callback("conference"),
          conferenceStatusCallbackEvents: ["start", "end", "join", "leave", "mute", "hold", "modify"],
        },
      ],
    ]);
    expect(answer).toEqual({
      type: "effect.done",
      at: START_MS,
      id: "1",
      name: "carrier.addAi",
      label: "ai-2",
      callSid: expect.stringMatching(/^CA/) as unknown as string,
      conferenceSid: CONFERENCE_SID,
    });
  });

  test("goes by the conference's name the first time, and while the sid is not known", async () => {
    for (const [label, conferenceSid] of [
      ["ai-1", CONFERENCE_SID],
      ["ai-2", null],
    ] as const) {
      const { run, carrier } = makeEffects({ conferenceSid });
      await run("carrier.addAi", { label, muted: false });
      expect(carrier.requests[0]?.[1]).toMatchObject({ conference: `af-${CALL_SID}`, muted: false });
    }
  });

  test("gives the region by its REST name, us2 included", async () => {
    const { run, carrier } = makeEffects({ deployment: deploymentOf({ region: "us2" }) });
    await run("carrier.addAi", { label: "ai-1", muted: false });
    expect(carrier.requests[0]?.[1]).toMatchObject({ region: "us2" });
  });
});

describe("a change of a leg", () => {
  const changes: readonly (readonly [CarrierEffect["name"], object, object])[] = [
    ["carrier.mute", { label: "ai-1", muted: true }, { muted: true }],
    ["carrier.mute", { label: "ai-1", muted: false }, { muted: false }],
    [
      "carrier.coach",
      { label: "ai-1", callSidToCoach: HUMAN_SID },
      { coaching: true, callSidToCoach: HUMAN_SID },
    ],
    ["carrier.uncoach", { label: "ai-1" }, { coaching: false }],
    ["carrier.hold", { label: "ai-1", hold: true }, { hold: true }],
    ["carrier.hold", { label: "ai-1", hold: false }, { hold: false }],
  ];

  for (const [name, input, patch] of changes) {
    test(`${name} ${JSON.stringify(patch)} asks for this and nothing else`, async () => {
      const { run, carrier } = makeEffects();
      await carrier.createParticipant({ conference: CONFERENCE_SID, to: "x", from: "x", label: "ai-1" });
      const answer = await run(name, input as never);
      expect(carrier.requests.slice(1)).toEqual([["updateParticipant", AI, patch]]);
      expect(answer).toEqual({ type: "effect.done", at: START_MS, id: "1", name, label: "ai-1" });
    });

    test(`${name} ${JSON.stringify(patch)} is not confirmed by a 200 that does not show it`, async () => {
      const { run, carrier } = makeEffects();
      const { muted = false, coaching = false, hold = false } = patch as Partial<ParticipantInfo>;
      carrier.shows({ muted: !muted, coaching: !coaching, hold: !hold });
      expect(await run(name, input as never)).toMatchObject({
        type: "effect.failed",
        name,
        label: "ai-1",
        status: 200,
        code: 0,
        message: "the carrier's answer does not show the change",
      });
    });

    test(`${name} ${JSON.stringify(patch)} fails as not found before there is a conference`, async () => {
      const { run, carrier } = makeEffects({ conferenceSid: null });
      expect(await run(name, input as never)).toMatchObject({
        type: "effect.failed",
        status: 404,
        code: 20_404,
      });
      expect(carrier.requests).toEqual([]);
    });
  }

  test("that shows another leg being coached is no confirmation; one that does not say whom is", async () => {
    const { run, carrier } = makeEffects();
    const coach = { label: "ai-1", callSidToCoach: HUMAN_SID } as const;
    carrier.shows({ coaching: true, callSidToCoach: CALL_SID });
    expect(await run("carrier.coach", coach)).toMatchObject({ type: "effect.failed", status: 200 });
    carrier.shows({ coaching: true, callSidToCoach: null });
    expect(await run("carrier.coach", coach)).toMatchObject({ type: "effect.done" });
  });
});

describe("changes of one participant", () => {
  test("are asked for one after another, in their order, whether or not the one before succeeds", async () => {
    const { run, carrier } = makeEffects();
    const answers = [Promise.withResolvers<ParticipantInfo>(), Promise.withResolvers<ParticipantInfo>()];
    const asked: unknown[] = [];
    carrier.updateParticipant = (_ref, patch) => {
      asked.push(patch.muted);
      return (answers[asked.length - 1] as PromiseWithResolvers<ParticipantInfo>).promise;
    };
    const first = run("carrier.mute", { label: "ai-1", muted: true });
    const second = run("carrier.mute", { label: "ai-1", muted: false });
    await settle();
    expect(asked).toEqual([true]);
    answers[0]?.reject(new Error("no"));
    expect(await first).toMatchObject({ type: "effect.failed" });
    await settle();
    expect(asked).toEqual([true, false]);
    answers[1]?.resolve({ muted: false, coaching: false } as ParticipantInfo);
    expect(await second).toMatchObject({ type: "effect.done" });
  });

  test("do not wait for another participant's", async () => {
    const { run, carrier } = makeEffects();
    const never = Promise.withResolvers<never>();
    carrier.updateParticipant = (ref) =>
      ref.participant === "ai-1" ? never.promise : Promise.resolve({ muted: true } as ParticipantInfo);
    void run("carrier.mute", { label: "ai-1", muted: true });
    expect(await run("carrier.mute", { label: "ai-2", muted: true })).toMatchObject({ type: "effect.done" });
  });
});

describe("what leaves", () => {
  test("is removed by its label, and it is no failure that it had left already", async () => {
    const { run, carrier } = makeEffects();
    const answer = await run("carrier.remove", { label: "ai-1" });
    expect(carrier.requests).toEqual([["removeParticipant", AI]]);
    expect(answer).toEqual({
      type: "effect.done",
      at: START_MS,
      id: "1",
      name: "carrier.remove",
      label: "ai-1",
    });
  });

  test("is hung up by its own call", async () => {
    const { run, carrier } = makeEffects();
    expect(await run("carrier.hangUp", { label: "human-1", callSid: HUMAN_SID })).toMatchObject({
      type: "effect.done",
      label: "human-1",
    });
    expect(carrier.requests).toEqual([["updateCall", HUMAN_SID, { status: "completed" }]]);
  });

  test("and is unknown or over already has been hung up", async () => {
    const { run, carrier } = makeEffects();
    carrier.unknownCall = true;
    const input = { label: "human-1", callSid: HUMAN_SID };
    expect(await run("carrier.hangUp", input)).toMatchObject({ type: "effect.done" });
    carrier.failNext("updateCall", carrierError({ status: 400, code: 21_220 }));
    expect(await run("carrier.hangUp", input)).toMatchObject({ type: "effect.done" });
    carrier.failNext("updateCall", carrierError({ status: 400, code: 21_221 }));
    expect(await run("carrier.hangUp", input)).toMatchObject({ type: "effect.failed", code: 21_221 });
  });

  test("with the conference is ended by its sid, whether or not anybody is there", async () => {
    const { run, carrier } = makeEffects();
    const answer = await run("carrier.endConference", { conferenceSid: CONFERENCE_SID });
    expect(carrier.requests).toEqual([["endConference", CONFERENCE_SID]]);
    expect(answer).toMatchObject({ type: "effect.done", label: null });
  });
});

describe("the apology", () => {
  const deployment = deploymentOf({ agent: { apology: "Sorry & goodbye." } });

  test("is said to the caller, and leads on to the end", async () => {
    const { run, carrier } = makeEffects({ deployment });
    expect(await run("carrier.apologise", { callSid: CALL_SID })).toMatchObject({ type: "effect.done" });
    const twiml =
      '<?xml version="1.0" encoding="UTF-8"?><Response><Say>Sorry &amp; goodbye.</Say>' +
      `<Redirect method="POST">${ORIGIN}/twilio/goodbye?call=${CALL_SID}</Redirect></Response>`;
    expect(carrier.requests).toEqual([["updateCall", CALL_SID, { twiml }]]);
  });

  test("waits for a call that is still ringing, and gives up after five seconds", async () => {
    for (const [failures, outcome] of [
      [3, "effect.done"],
      [20, "effect.failed"],
    ] as const) {
      const { run, carrier, clock } = makeEffects({ deployment });
      for (let n = 0; n < failures; n++)
        carrier.failNext("updateCall", carrierError({ status: 400, code: 21_220 }));
      const answer = run("carrier.apologise", { callSid: CALL_SID });
      for (let n = 0; n < 19; n++) {
        await settle();
        clock.advance(250);
      }
      expect(await answer).toMatchObject({ type: outcome });
      expect(carrier.requests).toHaveLength(Math.min(failures + 1, 20));
      expect(clock.pendingTimers).toBe(0);
    }
  });

  test("is not repeated when Twilio refuses it for another reason", async () => {
    const { run, carrier } = makeEffects({ deployment });
    carrier.failNext("updateCall", carrierError({ status: 400, code: 12_100 }));
    const answer = await run("carrier.apologise", { callSid: CALL_SID });
    expect(answer).toMatchObject({ type: "effect.failed", code: 12_100 });
    expect(carrier.requests).toHaveLength(1);
  });

  test("fails when the caller's call is not there any more", async () => {
    const { run, carrier } = makeEffects({ deployment });
    carrier.unknownCall = true;
    expect(await run("carrier.apologise", { callSid: CALL_SID })).toMatchObject({
      type: "effect.failed",
      status: 404,
      code: 20_404,
    });
  });
});

describe("a look at Twilio", () => {
  test("asks for the caller's call, the conference by name while its sid is unknown, and who is in it", async () => {
    const { run, carrier } = makeEffects({ conferenceSid: null });
    const made = await carrier.createParticipant({
      conference: `af-${CALL_SID}`,
      to: "x",
      from: "x",
      label: "ai-1",
    });
    const answer = await run("carrier.reconcile", {});
    expect(carrier.requests.slice(1)).toEqual([
      ["fetchCall", CALL_SID],
      ["findConference", `af-${CALL_SID}`],
      ["listParticipants", made.conferenceSid],
    ]);
    expect(answer).toMatchObject({
      type: "effect.done",
      conferenceSid: made.conferenceSid,
      participants: [{ label: "ai-1", callSid: made.callSid }],
      callerAlive: true,
    });
  });

  test("does not search for a conference that is known, nor list one that is not there", async () => {
    const known = makeEffects();
    await known.run("carrier.reconcile", {});
    expect(known.carrier.requests.map(([operation]) => operation)).toEqual(["fetchCall", "listParticipants"]);
    const absent = makeEffects({ conferenceSid: null });
    expect(await absent.run("carrier.reconcile", {})).toMatchObject({
      conferenceSid: null,
      participants: [],
    });
    expect(absent.carrier.requests.map(([operation]) => operation)).toEqual(["fetchCall", "findConference"]);
  });

  test("takes the caller for gone when their call is over or unknown", async () => {
    for (const status of ["completed", "canceled"] as const) {
      const { run, carrier } = makeEffects();
      await carrier.updateCall(CALL_SID, { status });
      expect(await run("carrier.reconcile", {})).toMatchObject({ callerAlive: false });
    }
    const { run, carrier } = makeEffects();
    carrier.unknownCall = true;
    expect(await run("carrier.reconcile", {})).toMatchObject({ type: "effect.done", callerAlive: false });
  });
});

describe("a failure", () => {
  const INPUTS: { readonly [N in CarrierEffect["name"]]: EffectInputs[N] } = {
    "carrier.addAi": { label: "ai-1", muted: false },
    "carrier.hold": { label: "caller", hold: true },
    "carrier.mute": { label: "ai-1", muted: true },
    "carrier.coach": { label: "ai-1", callSidToCoach: HUMAN_SID },
    "carrier.uncoach": { label: "ai-1" },
    "carrier.endOnLeave": { label: "ai-1" },
    "carrier.remove": { label: "ai-1" },
    "carrier.hangUp": { label: "ai-1", callSid: HUMAN_SID },
    "carrier.endConference": { conferenceSid: CONFERENCE_SID },
    "carrier.apologise": { callSid: CALL_SID },
    "carrier.reconcile": {},
  };

  for (const [name, input] of Object.entries(INPUTS)) {
    test(`of ${name} is an answer and not a rejection`, async () => {
      const { run, carrier } = makeEffects();
      carrier.failAll(
        new CarrierError("Service Unavailable", { ...carrierError({ status: 503, code: 20_503 }) }),
      );
      expect(await run(name as CarrierEffect["name"], input as never)).toEqual({
        type: "effect.failed",
        at: START_MS,
        id: "1",
        name,
        label: "label" in input ? input.label : null,
        code: 20_503,
        status: 503,
        message: "Service Unavailable",
      });
    });
  }

  test("of our own has no code and no status", async () => {
    const { run, carrier } = makeEffects();
    carrier.failAll(new TypeError("not a function"));
    expect(await run("carrier.remove", { label: "ai-1" })).toMatchObject({
      type: "effect.failed",
      code: 0,
      status: 0,
      message: "not a function",
    });
    const broken = (): CallFacts => {
      throw new Error("no facts");
    };
    const { effects } = makeEffects();
    const effect = effectOf("carrier.remove", { label: "ai-1" });
    expect(await effects.run(effect, broken)).toMatchObject({ type: "effect.failed", message: "no facts" });
  });

  test("does not repeat the phone number that Twilio quotes", async () => {
    const { run, carrier } = makeEffects();
    carrier.failAll(new Error("The number +15550100 (15550100) is unverified,\n see error 21219"));
    const answer = await run("carrier.addAi", { label: "ai-1", muted: false });
    expect(answer).toMatchObject({
      message: "The number [number] ([number]) is unverified, see error 21219",
    });
  });
});
