import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import MessagingResponse from "twilio/lib/twiml/MessagingResponse.js";
import VoiceResponse from "twilio/lib/twiml/VoiceResponse.js";
import { InvariantError } from "../../../engine/errors.ts";
import {
  CONFERENCE_EVENTS,
  conferenceTwiml,
  dialTwiml,
  emptyTwiml,
  gatherTwiml,
  hangupTwiml,
  messageTwiml,
  pauseTwiml,
  rejectTwiml,
  sayTwiml,
  streamTwiml,
} from "../../../engine/http/twiml.ts";
import { parseXml } from "./xml.ts";

function same(ours: string, theirs: VoiceResponse): void {
  expect(parseXml(ours)).toEqual(parseXml(theirs.toString()));
}

const streams = (more: Partial<Parameters<typeof streamTwiml>[0]>): string =>
  streamTwiml({ streamUrl: "wss://h/m", tries: [{}], otherwise: "hangup", ...more });

const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom("&", "<", ">", '"', "'", "\t", "\n", "\r", "]]>", "<!--", "\u0000", "é", "a"),
  }),
);
/** What a document can carry: XML cannot express most control characters and no lone surrogate. */
const NOT_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

const PERSON = {
  startConferenceOnEnter: true,
  endConferenceOnExit: false,
  beep: "false",
  participantLabel: "human-1",
  jitterBufferSize: "small",
} as const;

describe("TwiML documents mean the same as the SDK's", () => {
  test("a way into the room with the leg's audio forked, and the fork's end", () => {
    const theirs = new VoiceResponse();
    theirs.say("Connecting you.");
    const stream = theirs.start().stream({
      name: "human-1",
      url: "wss://h.example/media",
      track: "inbound_track",
      statusCallback: "https://h.example/status?a=1&b=2",
      statusCallbackMethod: "POST",
    });
    stream.parameter({ name: "token", value: "a <b> & c" });
    theirs.dial().conference(PERSON, "af-CA1");
    const fork = {
      name: "human-1",
      streamUrl: "wss://h.example/media",
      statusCallback: "https://h.example/status?a=1&b=2",
      parameters: { token: "a <b> & c" },
    };
    const ours = { name: "af-CA1", participantLabel: "human-1", say: "Connecting you." };
    same(conferenceTwiml({ ...ours, fork }), theirs);
    expect(() => conferenceTwiml({ ...ours, fork: { ...fork, streamUrl: "wss://h/m?t=1" } })).toThrow(
      InvariantError,
    );

    const stop = new VoiceResponse();
    stop.stop().stream({ name: "human-1" });
    stop.pause({ length: 1 });
    stop.hangup();
    same(pauseTwiml(1, "hangup", "human-1"), stop);
  });

  test("a person's way into the room, and out of it by *", () => {
    const theirs = new VoiceResponse();
    theirs.say("Connecting <you> & yours.");
    const dial = { action: "https://h.example/after?a=1&b=2", method: "POST", hangupOnStar: true } as const;
    theirs.dial(dial).conference(PERSON, "af-CA1");
    const ours = conferenceTwiml({
      name: "af-CA1",
      participantLabel: "human-1",
      say: "Connecting <you> & yours.",
      actionUrl: "https://h.example/after?a=1&b=2",
      hangupOnStar: true,
    });
    same(ours, theirs);
  });

  test("a pause, and a reply to a message", () => {
    const theirs = new VoiceResponse();
    theirs.pause({ length: 1 });
    theirs.redirect({ method: "POST" }, "https://h.example/menu?a=1&b=2");
    same(pauseTwiml(1, { redirect: "https://h.example/menu?a=1&b=2" }), theirs);
    expect(() => pauseTwiml(0, "hangup")).toThrow(InvariantError);
    const reply = new MessagingResponse();
    reply.message("R & D <has> it");
    expect(parseXml(messageTwiml("R & D <has> it"))).toEqual(parseXml(reply.toString()));
  });

  test("the caller's conference", () => {
    const theirs = new VoiceResponse();
    theirs
      .dial({ action: "https://h.example/after?a=1&b=2", method: "POST", answerOnBridge: true })
      .conference(
        {
          startConferenceOnEnter: true,
          endConferenceOnExit: true,
          muted: false,
          beep: "false",
          participantLabel: 'caller "A" & <B>',
          jitterBufferSize: "small",
          region: "ie1",
          waitUrl: "",
          record: "record-from-start",
          recordingStatusCallback: "https://h.example/rec",
          statusCallback: "https://h.example/conf#rc=3&rp=all",
          statusCallbackEvent: ["start", "end", "join", "leave", "mute", "hold", "modify"],
          statusCallbackMethod: "POST",
        },
        "af-CA1 & <x>",
      );
    const ours = conferenceTwiml({
      name: "af-CA1 & <x>",
      participantLabel: 'caller "A" & <B>',
      actionUrl: "https://h.example/after?a=1&b=2",
      answerOnBridge: true,
      endConferenceOnExit: true,
      muted: false,
      region: "ie1",
      waitUrl: "",
      record: "record-from-start",
      recordingStatusCallback: "https://h.example/rec",
      statusCallback: "https://h.example/conf#rc=3&rp=all",
    });
    same(ours, theirs);
  });

  test("the smallest conference has no callbacks and no action", () => {
    const root = parseXml(conferenceTwiml({ name: "af-1", participantLabel: "caller" }));
    expect(root).toEqual({
      name: "Response",
      attributes: {},
      children: [
        {
          name: "Dial",
          attributes: {},
          children: [
            {
              name: "Conference",
              attributes: {
                startConferenceOnEnter: "true",
                endConferenceOnExit: "false",
                beep: "false",
                participantLabel: "caller",
                jitterBufferSize: "small",
              },
              children: ["af-1"],
            },
          ],
        },
      ],
    });
    expect(CONFERENCE_EVENTS).toBe("start end join leave mute hold modify");
  });

  test("the AI leg's stream", () => {
    const theirs = new VoiceResponse();
    const values = ["\"a\"&'b'", "t2", "t3", "t4"];
    values.forEach((value, index) => {
      if (index >= 2) theirs.pause({ length: 1 });
      const noun = theirs.connect().stream({
        url: "wss://h.example/twilio/media",
        statusCallback: "https://h.example/stream",
        statusCallbackMethod: "POST",
      });
      noun.parameter({ name: "tok<en", value });
    });
    theirs.redirect({ method: "POST" }, "https://h.example/after?a=1&b=2");
    const ours = streamTwiml({
      streamUrl: "wss://h.example/twilio/media",
      statusCallback: "https://h.example/stream",
      tries: values.map((value) => ({ "tok<en": value })),
      otherwise: { redirect: "https://h.example/after?a=1&b=2" },
    });
    same(ours, theirs);
  });

  test("a page that asks for a key, said twice", () => {
    const theirs = new VoiceResponse();
    const options = {
      input: ["dtmf" as const],
      numDigits: 1,
      timeout: 6,
      action: "https://h.example/k",
      method: "POST",
    };
    theirs.gather(options).say("Press 1 & join");
    theirs.gather(options).say("Press 1 & join");
    theirs.redirect({ method: "POST" }, "https://h.example/none?a=1&b=2");
    const ours = gatherTwiml({
      prompt: "Press 1 & join",
      actionUrl: "https://h.example/k",
      timeoutS: 6,
      repeat: 2,
      otherwise: { redirect: "https://h.example/none?a=1&b=2" },
    });
    same(ours, theirs);
  });

  test("a phone to be put through to", () => {
    const theirs = new VoiceResponse();
    const actionUrl = "https://h.example/after?a=1&b=2";
    theirs.dial({ action: actionUrl, method: "POST", timeout: 30 }, "+15550199");
    same(dialTwiml({ number: "+15550199", actionUrl, timeoutS: 30 }), theirs);
    expect(() => dialTwiml({ number: "5550199", actionUrl, timeoutS: 30 })).toThrow(InvariantError);
  });

  test("say, hang up, reject and nothing at all", () => {
    const said = new VoiceResponse();
    said.say("Good bye & <thanks>");
    said.hangup();
    same(sayTwiml("Good bye & <thanks>", "hangup"), said);
    const redirected = new VoiceResponse();
    redirected.say("One moment");
    redirected.redirect({ method: "POST" }, "https://h.example/n");
    same(sayTwiml("One moment", { redirect: "https://h.example/n" }), redirected);
    const hungUp = new VoiceResponse();
    hungUp.hangup();
    same(hangupTwiml(), hungUp);
    const rejected = new VoiceResponse();
    rejected.reject({ reason: "busy" });
    same(rejectTwiml("busy"), rejected);
    same(emptyTwiml(), new VoiceResponse());
  });
});

describe("TwiML escaping", () => {
  test("hostile text arrives as it was, without what XML cannot express", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const expected = text.replace(NOT_XML, "");
        const say = parseXml(sayTwiml(text, "hangup")).children[0];
        expect(
          typeof say === "object" &&
            say.children.map((child) => (typeof child === "string" ? child : "")).join(""),
        ).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test("hostile attribute values arrive as they were, and never open an attribute or element", () => {
    fc.assert(
      fc.property(hostile, hostile, (name, value) => {
        fc.pre(name !== "");
        const root = parseXml(streams({ tries: [{ [name]: value }] }));
        const connect = root.children[0];
        const stream = typeof connect === "object" ? connect.children[0] : undefined;
        const parameter = typeof stream === "object" ? stream.children[0] : undefined;
        expect(typeof parameter === "object" && parameter.attributes).toEqual({
          name: name.replace(NOT_XML, ""),
          value: value.replace(NOT_XML, ""),
        });
      }),
      { numRuns: 1000 },
    );
  });
});

describe("TwiML limits", () => {
  test("a stream URL with a query, a fragment or another scheme is refused", () => {
    for (const streamUrl of [
      "wss://h/m?token=1",
      "wss://h/m#x",
      "https://h/m",
      "/m",
      "wss://",
      "wss://h/a b",
    ]) {
      expect(() => streams({ streamUrl })).toThrow(InvariantError);
    }
    expect(streams({ streamUrl: "ws://127.0.0.1:8080/twilio/media" })).toContain("<Stream");
  });

  test("a relative stream callback is refused", () => {
    expect(() => streams({ statusCallback: "/status" })).toThrow("absolute");
  });

  test("name and value of a parameter must stay under 500 characters together", () => {
    const fits = streams({ tries: [{ token: "x".repeat(494) }] });
    expect(fits).toContain("x".repeat(494));
    expect(() => streams({ tries: [{ token: "x".repeat(495) }] })).toThrow("500");
    expect(() => streams({ tries: [{ "": "x" }] })).toThrow("name");
  });

  test("conference names and labels that REST could not address are refused", () => {
    for (const name of ["", "a/b", "a?b", " a", "x".repeat(129)]) {
      expect(() => conferenceTwiml({ name, participantLabel: "caller" })).toThrow("name");
    }
    for (const participantLabel of ["", "a/b", "a%2Fb", "x".repeat(129), `CA${"0".repeat(32)}`]) {
      expect(() => conferenceTwiml({ name: "af-1", participantLabel })).toThrow("participantLabel");
    }
  });
});
