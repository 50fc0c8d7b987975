import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  parseCallStatusCallback,
  parseConferenceCallback,
  parseConnectAction,
  parseDialAction,
  parseInboundMessage,
  parseMessageStatusCallback,
  parseStreamStatusCallback,
  parseVoiceRequest,
  type FormResult,
} from "../../../engine/http/twilio-forms.ts";

const CA = `CA${"0a".repeat(16)}`;
const CF = `CF${"0b".repeat(16)}`;
const AC = `AC${"0c".repeat(16)}`;
const SM = `SM${"0d".repeat(16)}`;
const MZ = `MZ${"0e".repeat(16)}`;

function form(fields: Record<string, string>): URLSearchParams {
  return new URLSearchParams(fields);
}

function accepted<T>(result: FormResult<T>): T {
  if (!result.ok) throw new Error(result.issues.join("; "));
  return result.value;
}

function issues<T>(result: FormResult<T>): string[] {
  return result.ok ? [] : result.issues;
}

describe("the voice webhook", () => {
  const fields = { CallSid: CA, AccountSid: AC, From: "+15550100", To: "+15550199", CallStatus: "ringing" };

  test("keeps what is used and drops the rest", () => {
    const value = accepted(
      parseVoiceRequest(form({ ...fields, Direction: "inbound", FromCity: "X", session: "s1" })),
    );
    expect(value).toEqual({ ...fields, Direction: "inbound" } as typeof value);
  });

  test("takes callers that are no number", () => {
    for (const From of ["anonymous", "client:alice", "sip:bob@h.example", "Restricted"]) {
      expect(accepted(parseVoiceRequest(form({ ...fields, From }))).From).toBe(From);
    }
    expect(accepted(parseVoiceRequest(form({ ...fields, From: "" }))).From).toBe("");
  });

  test("carries the key of a gather and the verdict of machine detection", () => {
    const value = accepted(parseVoiceRequest(form({ ...fields, Digits: "1", AnsweredBy: "human" })));
    expect([value.Digits, value.AnsweredBy]).toEqual(["1", "human"]);
    expect(accepted(parseVoiceRequest(form({ ...fields, Digits: "" }))).Digits).toBeUndefined();
    expect(issues(parseVoiceRequest(form({ ...fields, Digits: "1;2" })))[0]).toStartWith("Digits: ");
  });

  test("names every field that is missing or wrong, and quotes none", () => {
    const From = `+1555010${"0".repeat(300)}`;
    const found = issues(parseVoiceRequest(form({ CallSid: "CA12", From, CallStatus: "dancing" })));
    expect(found.map((issue) => issue.split(":")[0]).toSorted()).toEqual(["CallSid", "CallStatus", "From"]);
    expect(found.join()).not.toMatch(/CA12\b|dancing|\+1555/);
    expect(issues(parseVoiceRequest(form({ CallStatus: "ringing" })))).toEqual(["CallSid: is required"]);
  });
});

describe("conference callbacks", () => {
  const join = {
    AccountSid: AC,
    ConferenceSid: CF,
    FriendlyName: "af-1",
    StatusCallbackEvent: "participant-join",
    SequenceNumber: "3",
    Timestamp: "Fri, 18 Feb 2011 21:07:19 +0000",
    CallSid: CA,
    ParticipantLabel: "ai",
    Muted: "true",
    Hold: "false",
    Coaching: "false",
  };

  test("become numbers, booleans and epoch milliseconds", () => {
    const value = accepted(parseConferenceCallback(form(join)));
    expect(value).toMatchObject({
      SequenceNumber: 3,
      Timestamp: Date.UTC(2011, 1, 18, 21, 7, 19),
      Muted: true,
      Hold: false,
      Coaching: false,
      ParticipantLabel: "ai",
    });
  });

  test("of a participant without a call are refused, of the conference they are not", () => {
    const { CallSid: _, ...rest } = join;
    expect(issues(parseConferenceCallback(form(rest)))).toEqual(["CallSid: is required"]);
    const end = {
      ...rest,
      StatusCallbackEvent: "conference-end",
      ReasonConferenceEnded: "last-participant-left",
    };
    expect(accepted(parseConferenceCallback(form({ ...end, CallSidEndingConference: "" })))).toMatchObject({
      ReasonConferenceEnded: "last-participant-left",
    });
  });

  test("with an event that is new to us are taken, and acted on by nobody", () => {
    const parsed = accepted(
      parseConferenceCallback(form({ ...join, StatusCallbackEvent: "participant-waves" })),
    );
    expect(parsed.StatusCallbackEvent).toBe("other");
  });

  test("with a flag that is no boolean are refused by name", () => {
    expect(issues(parseConferenceCallback(form({ ...join, Muted: "yes" })))[0]).toStartWith("Muted: ");
    expect(issues(parseConferenceCallback(form({ ...join, SequenceNumber: "-1" })))[0]).toStartWith(
      "SequenceNumber",
    );
  });

  test("with an unreadable time still count", () => {
    expect(accepted(parseConferenceCallback(form({ ...join, Timestamp: "soon" }))).Timestamp).toBeUndefined();
  });
});

describe("the other callbacks", () => {
  test("call status", () => {
    const value = accepted(
      parseCallStatusCallback(
        form({
          CallSid: CA,
          CallStatus: "in-progress",
          SequenceNumber: "0",
          CallDuration: "12",
          AnsweredBy: "fax",
        }),
      ),
    );
    expect(value).toMatchObject({
      CallStatus: "in-progress",
      SequenceNumber: 0,
      CallDuration: 12,
      AnsweredBy: "fax",
    });
  });

  test("stream status, with an ISO time", () => {
    const fields = { CallSid: CA, StreamSid: MZ, StreamEvent: "stream-error", StreamError: "31921" };
    const value = accepted(
      parseStreamStatusCallback(form({ ...fields, Timestamp: "2026-11-22T10:00:00.000Z" })),
    );
    expect(value).toMatchObject({ ...fields, Timestamp: Date.UTC(2026, 10, 22, 10) } as object);
    expect(issues(parseStreamStatusCallback(form({ ...fields, StreamEvent: "stream-paused" })))).toHaveLength(
      1,
    );
  });

  test("what follows a dial and a connect", () => {
    expect(accepted(parseDialAction(form({ CallSid: CA, DialCallStatus: "answered" })))).toMatchObject({
      DialCallStatus: "answered",
    });
    expect(accepted(parseConnectAction(form({ CallSid: CA, CallStatus: "in-progress" })))).toMatchObject({
      CallSid: CA,
    });
    expect(issues(parseConnectAction(form({})))).toEqual(["CallSid: is required"]);
  });

  test("an SMS without text has an empty body", () => {
    const value = accepted(
      parseInboundMessage(form({ MessageSid: SM, From: "+15550100", To: "+15550199", Body: "" })),
    );
    expect(value).toMatchObject({ Body: "", NumMedia: 0 });
    expect(accepted(parseInboundMessage(form({ MessageSid: SM, Body: " Ack\n" }))).Body).toBe(" Ack\n");
  });

  test("message status", () => {
    const value = accepted(
      parseMessageStatusCallback(form({ MessageSid: SM, MessageStatus: "undelivered", ErrorCode: "30003" })),
    );
    expect(value).toMatchObject({ MessageStatus: "undelivered", ErrorCode: 30003 });
    expect(
      issues(parseMessageStatusCallback(form({ MessageSid: CA, MessageStatus: "sent" })))[0],
    ).toStartWith("MessageSid: ");
  });

  test("the first of a repeated field counts", () => {
    const repeated = new URLSearchParams([
      ["CallSid", CA],
      ["CallSid", "x"],
    ]);
    expect(accepted(parseConnectAction(repeated)).CallSid).toBe(CA);
  });

  test("no form makes a parser throw", () => {
    const names = fc.constantFrom(
      "CallSid",
      "StatusCallbackEvent",
      "__proto__",
      "constructor",
      "Body",
      "Timestamp",
    );
    const key = fc.oneof(names, fc.string());
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.string({ unit: "binary" }))), (pairs) => {
        const hostile = new URLSearchParams(pairs);
        for (const parse of [parseVoiceRequest, parseConferenceCallback, parseInboundMessage]) {
          const result: FormResult<unknown> = parse(hostile);
          expect(typeof result.ok).toBe("boolean");
        }
      }),
    );
  });
});
