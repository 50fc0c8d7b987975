/** Callbacks become events of the call that they are about, once each; strangers change nothing. */
import { describe, expect, test } from "bun:test";
import { handedOver, streaming } from "../call/calls-setup.ts";
import { CALL_SID, CONFERENCE_SID, settle } from "../call/support.ts";
import { conferenceForm, form, HANGUP, HUMAN_SID, makeWebhooks, voiceForm } from "./webhooks-setup.ts";

const STRANGER_SID = "CA000000000000000000000000000000ff";
const status = (fields: Record<string, string>, token: string | null = null, label = "ai-1") =>
  form({ CallSid: HUMAN_SID, CallStatus: "ringing", ...fields }, { call: CALL_SID, label }, token);

function begun() {
  const calls = makeWebhooks();
  calls.webhooks.voice(voiceForm());
  return calls;
}

describe("a conference callback", () => {
  test("of somebody who joins or leaves names the leg by its label", () => {
    const { webhooks, events } = begun();
    const who = { CallSid: CALL_SID, ParticipantLabel: "caller" };
    expect(webhooks.conference(conferenceForm("participant-join", who)).status).toBe(204);
    webhooks.conference(
      conferenceForm("participant-leave", { ...who, ReasonParticipantLeft: "participant_hung_up" }),
    );
    expect(events("participant.joined")).toEqual([
      { label: "caller", callSid: CALL_SID, conferenceSid: CONFERENCE_SID },
    ]);
    expect(events("participant.left")).toEqual([
      { label: "caller", callSid: CALL_SID, reason: "participant_hung_up" },
    ]);
  });

  test("without a label is about the leg with that call sid", async () => {
    const calls = makeWebhooks();
    await streaming(calls);
    const ai = calls.carrier.participants.find((each) => each.label === "ai-1")?.callSid ?? "";
    calls.webhooks.conference(conferenceForm("participant-leave", { CallSid: ai }));
    expect(calls.events("participant.left")).toEqual([{ label: "ai-1", callSid: ai, reason: "left" }]);
  });

  test("about a leg by a name that every object has changes nothing", () => {
    const { webhooks, events } = begun();
    const before = events("participant.joined").length;
    for (const ParticipantLabel of ["constructor", "toString", "__proto__"])
      webhooks.conference(conferenceForm("participant-join", { CallSid: STRANGER_SID, ParticipantLabel }));
    expect(events("participant.joined")).toHaveLength(before);
  });

  test("about somebody we do not know, without a label, changes nothing", () => {
    const { webhooks, events } = begun();
    const before = events("participant.joined").length;
    const answer = webhooks.conference(conferenceForm("participant-join", { CallSid: STRANGER_SID }));
    expect(answer.status).toBe(204);
    expect(events("participant.joined")).toHaveLength(before);
  });

  test("of a change says what holds now, whichever event tells it", async () => {
    const calls = makeWebhooks();
    await handedOver(calls);
    const who = { CallSid: HUMAN_SID, ParticipantLabel: "ai-1" };
    for (const [event, Muted, Coaching] of [
      ["participant-mute", "true", "false"],
      ["participant-unmute", "false", "true"],
      ["participant-modify", "true", "true"],
    ] as const) {
      calls.webhooks.conference(conferenceForm(event, { ...who, Muted, Coaching }));
    }
    calls.webhooks.conference(conferenceForm("participant-hold", { ...who, Hold: "true" }));
    calls.webhooks.conference(conferenceForm("participant-unhold", { ...who, Hold: "false" }));
    expect(calls.events("participant.changed")).toEqual([
      { label: "ai-1", muted: true, coaching: false, hold: null },
      { label: "ai-1", muted: false, coaching: true, hold: null },
      { label: "ai-1", muted: true, coaching: true, hold: null },
      { label: "ai-1", muted: null, coaching: null, hold: true },
      { label: "ai-1", muted: null, coaching: null, hold: false },
    ]);
  });

  test("of a change counts for nothing once a later one of the same participant has come", async () => {
    const calls = makeWebhooks();
    await handedOver(calls);
    const tell = (SequenceNumber: string, CallSid: string, ParticipantLabel: string, Muted: string) =>
      calls.webhooks.conference(
        conferenceForm("participant-mute", { CallSid, ParticipantLabel, Muted, SequenceNumber }),
      );
    tell("9", HUMAN_SID, "ai-1", "false");
    tell("7", HUMAN_SID, "ai-1", "true");
    tell("8", CALL_SID, "caller", "true");
    tell("10", HUMAN_SID, "ai-1", "true");
    expect(calls.events("participant.changed").map((each) => [each["label"], each["muted"]])).toEqual([
      ["ai-1", false],
      ["caller", true],
      ["ai-1", true],
    ]);
  });

  test("of the end is the end", () => {
    const { webhooks, events } = begun();
    webhooks.conference(conferenceForm("conference-end"));
    expect(events("conference.ended")).toEqual([{ conferenceSid: CONFERENCE_SID }]);
  });

  test("that says nothing of use is answered and dropped", () => {
    const { webhooks, store } = begun();
    const before = store.logs.get(CALL_SID)?.length;
    const who = { CallSid: CALL_SID, ParticipantLabel: "caller" };
    for (const event of ["conference-start", "participant-speech-start"]) {
      expect(webhooks.conference(conferenceForm(event, who)).status).toBe(204);
    }
    expect(store.logs.get(CALL_SID)).toHaveLength(before ?? -1);
  });

  test("counts once by its sequence number, whatever retry token it comes with", () => {
    const { webhooks, events } = begun();
    const join = (SequenceNumber: string, token: string | null) =>
      webhooks.conference(
        conferenceForm(
          "participant-join",
          { CallSid: CALL_SID, ParticipantLabel: "caller", SequenceNumber },
          token,
        ),
      );
    for (const token of ["a", "b", "c"]) join("1", token);
    join("2", "c");
    expect(events("participant.joined")).toHaveLength(2);
  });

  test("counts once by its retry token when it has no sequence number, and always without either", () => {
    const { webhooks, events } = begun();
    const join = (token: string | null) =>
      webhooks.conference(
        conferenceForm("participant-join", { CallSid: CALL_SID, ParticipantLabel: "caller" }, token),
      );
    for (const token of ["a", "a", "b", null, null]) join(token);
    expect(events("participant.joined")).toHaveLength(4);
  });

  test("with the same number of another event, or of another person, is another occurrence", () => {
    const { webhooks, events } = begun();
    const of = (event: string, CallSid: string, ParticipantLabel: string) =>
      webhooks.conference(conferenceForm(event, { CallSid, ParticipantLabel, SequenceNumber: "1" }));
    of("participant-join", CALL_SID, "caller");
    of("participant-join", HUMAN_SID, "caller");
    of("participant-mute", CALL_SID, "caller");
    expect(events("participant.joined")).toHaveLength(2);
    expect(events("participant.changed")).toHaveLength(1);
  });
});

describe("a callback of a leg's own call", () => {
  test("says how far it has come", () => {
    const { webhooks, events } = begun();
    expect(webhooks.legStatus(status({})).status).toBe(204);
    expect(events("leg.status")).toEqual([{ label: "ai-1", callSid: HUMAN_SID, status: "ringing" }]);
  });

  test("counts once by its sequence number, or else by its retry token", () => {
    const { webhooks, events } = begun();
    webhooks.legStatus(status({ SequenceNumber: "0" }, "a"));
    webhooks.legStatus(status({ SequenceNumber: "0" }, "b"));
    expect(events("leg.status")).toHaveLength(1);
    webhooks.legStatus(status({ SequenceNumber: "1", CallStatus: "in-progress" }));
    webhooks.legStatus(status({ CallStatus: "completed" }, "c"));
    webhooks.legStatus(status({ CallStatus: "completed" }, "c"));
    webhooks.legStatus(status({ CallStatus: "completed" }, "d"));
    expect(events("leg.status").map((event) => event["status"])).toEqual([
      "ringing",
      "in-progress",
      "completed",
      "completed",
    ]);
  });

  test("that names no leg is dropped", () => {
    const { webhooks, events } = begun();
    expect(
      webhooks.legStatus(form({ CallSid: HUMAN_SID, CallStatus: "ringing" }, { call: CALL_SID })).status,
    ).toBe(204);
    expect(events("leg.status")).toEqual([]);
  });
});

describe("the end of a caller's document", () => {
  test("is the end of the call, however often it is told", async () => {
    const { webhooks, store, supervisor } = begun();
    for (let n = 0; n < 2; n++) {
      expect(await webhooks.afterDial(form({ CallSid: CALL_SID }, { call: CALL_SID })).text()).toBe(HANGUP);
    }
    await settle();
    expect(supervisor.isOver(CALL_SID)).toBe(true);
    expect(store.rows.get(CALL_SID)?.endReason).toBe("caller_hung_up");
  });

  test("is the end of the farewell, too", async () => {
    const { webhooks, supervisor, events } = begun();
    supervisor.endAll();
    await settle();
    expect(await webhooks.goodbye(form({}, { call: CALL_SID })).text()).toBe(HANGUP);
    expect(events("caller.gone")).toEqual([{ reason: "farewell" }]);
  });
});

describe("a callback about a call", () => {
  test("that is unknown or over gets no error, changes nothing and is counted", async () => {
    const { webhooks, supervisor, strays, lines } = begun();
    supervisor.deliver(CALL_SID, { type: "caller.gone", reason: "dial_ended" });
    await settle();
    const who = { CallSid: CALL_SID, ParticipantLabel: "caller" };
    expect(webhooks.conference(conferenceForm("participant-join", who)).status).toBe(204);
    expect(webhooks.legStatus(status({})).status).toBe(204);
    const strange = form({ CallSid: CALL_SID }, { call: "x".repeat(500) });
    expect(await webhooks.afterDial(strange).text()).toBe(HANGUP);
    expect(await webhooks.goodbye(form({})).text()).toBe(HANGUP);
    expect(strays.counters).toEqual({ unknownCall: 4, malformed: 0 });
    const unknown = lines.filter((line) => line.event === "twilio.unknown_call");
    expect(unknown.map((line) => [line["hook"], line["over"]])).toEqual([
      ["conference", true],
      ["leg-status", true],
      ["after-dial", false],
      ["goodbye", false],
    ]);
    expect(String(unknown[2]?.["callSid"])).toHaveLength(40);
  });

  test("that is malformed is refused by the names of its fields, and does not reach the call", async () => {
    const { webhooks, strays, events, lines } = begun();
    const bad = form(
      { CallSid: "not a sid +15550177", CallStatus: "asleep" },
      { call: CALL_SID, label: "ai-1" },
    );
    const hooks = [
      () => webhooks.voice(bad),
      () => webhooks.aiLeg(bad),
      () => webhooks.afterStream(bad),
      () => webhooks.conference(bad),
      () => webhooks.legStatus(bad),
      () => webhooks.streamStatus(bad),
      () => webhooks.afterDial(bad),
    ];
    for (const hook of hooks) {
      const answer = hook();
      expect(answer.status).toBe(400);
      expect(await answer.text()).toMatch(/^\w+: /);
    }
    expect(strays.counters.malformed).toBe(hooks.length);
    expect(events("leg.status")).toEqual([]);
    expect(JSON.stringify(lines)).not.toContain("15550177");
  });
});

describe("a callback of a stream", () => {
  test("is noted, an error as a warning, and changes nothing", () => {
    const { webhooks, lines, store } = begun();
    const before = store.logs.get(CALL_SID)?.length;
    const of = (StreamEvent: string, more: Record<string, string> = {}) =>
      form(
        { CallSid: HUMAN_SID, StreamSid: `MZ${"0".repeat(32)}`, StreamEvent, ...more },
        { call: CALL_SID },
      );
    expect(webhooks.streamStatus(of("stream-started")).status).toBe(204);
    expect(webhooks.streamStatus(of("stream-error", { StreamError: "e".repeat(500) })).status).toBe(204);
    const noted = lines.filter((line) => line.event === "stream.status");
    expect(noted.map((line) => [line.level, line["streamEvent"]])).toEqual([
      ["debug", "stream-started"],
      ["warn", "stream-error"],
    ]);
    expect(noted[1]?.["error"]).toBe("e".repeat(200));
    expect(store.logs.get(CALL_SID)).toHaveLength(before ?? -1);
  });
});
