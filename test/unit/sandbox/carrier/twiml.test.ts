import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import twilio from "twilio";
import { CarrierAlert } from "../../../../adapters/sandbox/carrier/alerts.ts";
import { parseTwiml, type Verb } from "../../../../adapters/sandbox/carrier/twiml/document.ts";
import { parseXml, XmlError } from "../../../../adapters/sandbox/carrier/twiml/xml.ts";

function parse(twiml: string): { verbs: readonly Verb[]; warnings: string[] } {
  const warnings: string[] = [];
  return { verbs: parseTwiml(twiml, (problem) => warnings.push(problem)), warnings };
}

function refusal(twiml: string): CarrierAlert {
  try {
    parse(twiml);
  } catch (error) {
    if (error instanceof CarrierAlert) return error;
    throw error;
  }
  throw new Error(`not refused: ${twiml}`);
}

describe("one-way streams", () => {
  test("are started with all that streams have, and stopped by their name", () => {
    const { verbs, warnings } = parse(
      `<Response><Start><Stream name="leg" url="wss://h/m" track="inbound_track"><Parameter name="a" value="b"/></Stream></Start><Stop><Stream name="leg"/></Stop></Response>`,
    );
    expect(warnings).toEqual([]);
    expect(verbs).toEqual([
      {
        verb: "Start",
        stream: {
          url: "wss://h/m",
          name: "leg",
          track: "inbound_track",
          statusCallback: null,
          statusCallbackMethod: "POST",
          parameters: { a: "b" },
        },
      },
      { verb: "Stop", name: "leg" },
    ]);
  });

  test("are all that <Start> and <Stop> can hold here", () => {
    for (const body of ["<Start/>", "<Start><Recording/></Start>", "<Stop><Stream/></Stop>", "<Stop/>"]) {
      expect(refusal(`<Response>${body}</Response>`).code).toBe(12100);
    }
  });
});

describe("XML", () => {
  test("reads attributes, entities, CDATA, comments and nesting", () => {
    const root = parseXml(
      `<?xml version="1.0" encoding="UTF-8"?>\n<!-- c --><a x='1 &amp; 2' y="&#65;&#x42;"><b/>t&lt;<![CDATA[<raw>]]><!-- no --><c>in</c></a>\n`,
    );
    expect(Object.fromEntries(root.attributes)).toEqual({ x: "1 & 2", y: "AB" });
    expect(root.text).toBe("t<<raw>");
    expect(root.children.map((c) => [c.name, c.text])).toEqual([
      ["b", ""],
      ["c", "in"],
    ]);
  });

  for (const [what, source] of [
    ["an unclosed element", "<a><b></b>"],
    ["crossed elements", "<a><b></a></b>"],
    ["a second root", "<a/><b/>"],
    ["a bare ampersand", "<a>1 & 2</a>"],
    ["an unknown entity", "<a>&nbsp;</a>"],
    ["an attribute without quotes", "<a x=1/>"],
    ["a repeated attribute", `<a x="1" x="2"/>`],
    ["a document type", "<!DOCTYPE a><a/>"],
    ["text before the root", "hello"],
    ["nothing", ""],
    ["elements nested too deep", "<a>".repeat(30) + "</a>".repeat(30)],
  ] as const) {
    test(`refuses ${what}`, () => {
      expect(() => parseXml(source)).toThrow(XmlError);
    });
  }

  test("names the line of a mistake", () => {
    expect(() => parseXml("<a>\n\n<b>\n</a>")).toThrow("line 4");
  });

  test("never fails with anything but an XmlError, and gives back any text", () => {
    fc.assert(
      fc.property(fc.string(), (noise) => {
        try {
          parseXml(noise);
        } catch (error) {
          expect(error).toBeInstanceOf(XmlError);
        }
        const response = new twilio.twiml.VoiceResponse();
        response.say(noise);
        // XML cannot hold control characters, and the surrounding space is not said.
        if (/\p{Cc}/u.test(noise) || noise.trim() !== noise) return;
        expect(parse(response.toString()).verbs).toEqual([{ verb: "Say", text: noise, loop: 1 }]);
      }),
      { numRuns: 300 },
    );
  });
});

describe("TwiML", () => {
  test("of the package's builder is understood", () => {
    const response = new twilio.twiml.VoiceResponse();
    const gather = response.gather({ numDigits: 1, timeout: 8, action: "/ack", finishOnKey: "" });
    gather.say("Press one");
    const dial = response.dial({ action: "/after", hangupOnStar: true, timeLimit: 60 });
    dial.conference(
      {
        participantLabel: "human",
        startConferenceOnEnter: false,
        endConferenceOnExit: true,
        beep: "false",
        region: "ie1",
        jitterBufferSize: "small",
        maxParticipants: 5,
        statusCallback: "https://example.com/c",
        statusCallbackEvent: ["join", "leave"],
      },
      "room",
    );
    const { verbs, warnings } = parse(response.toString());
    expect(warnings).toEqual([]);
    expect(verbs).toMatchObject([
      {
        verb: "Gather",
        numDigits: 1,
        timeoutMs: 8000,
        finishOnKey: "",
        prompts: [{ verb: "Say", text: "Press one" }],
      },
      {
        verb: "Dial",
        action: "/after",
        hangupOnStar: true,
        timeLimitMs: 60_000,
        conference: {
          name: "room",
          label: "human",
          startOnEnter: false,
          endOnExit: true,
          beep: "false",
          region: "ie1",
          jitterBufferSize: "small",
          maxParticipants: 5,
          statusCallbackEvents: ["join", "leave"],
        },
      },
    ]);
  });

  test("of a phone to be put through to is understood", () => {
    const response = new twilio.twiml.VoiceResponse();
    response.dial({ action: "/after", timeout: 20, callerId: "+15550142", timeLimit: 60 }, "+15550199");
    response.dial("+15550199");
    const { verbs, warnings } = parse(response.toString());
    expect(warnings).toEqual([]);
    const number = "+15550199";
    expect(verbs).toEqual([
      {
        verb: "Dial",
        action: "/after",
        method: "POST",
        timeLimitMs: 60_000,
        number,
        callerId: "+15550142",
        timeoutMs: 20_000,
      },
      {
        verb: "Dial",
        action: null,
        method: "POST",
        timeLimitMs: null,
        number,
        callerId: null,
        timeoutMs: 30_000,
      },
    ]);
  });

  test("of a stream with parameters is understood", () => {
    const response = new twilio.twiml.VoiceResponse();
    const stream = response.connect({ action: "/after" }).stream({ url: "wss://h.example/ms", name: "ai" });
    stream.parameter({ name: "token", value: `a"<&>b` });
    expect(parse(response.toString()).verbs).toMatchObject([
      {
        verb: "Connect",
        action: "/after",
        stream: { url: "wss://h.example/ms", name: "ai", parameters: { token: `a"<&>b` } },
      },
    ]);
  });

  for (const [what, twiml, code] of [
    ["another root", "<Reply/>", 12100],
    ["an unknown verb", "<Response><Sing/></Response>", 12100],
    ["a verb in lower case", "<Response><say>x</say></Response>", 12100],
    ["a Dial of what is no number", "<Response><Dial>5550100</Dial></Response>", 12100],
    ["a Dial of two", "<Response><Dial>+15550100<Conference>r</Conference></Dial></Response>", 12100],
    ["a Dial inside a Gather", "<Response><Gather><Dial/></Gather></Response>", 12100],
    ["a Connect without a Stream", "<Response><Connect/></Response>", 12100],
    ["a conference without a name", "<Response><Dial><Conference/></Dial></Response>", 13236],
    ["broken XML", "<Response><Say></Response>", 12100],
  ] as const) {
    test(`refuses ${what} with ${code}`, () => {
      expect(refusal(twiml).code).toBe(code);
    });
  }

  test("warns of unknown attributes and bad values, and takes the default", () => {
    const { verbs, warnings } = parse(
      `<Response><Pause length="-1"/><Dial><Conference beep="loud" colour="red" statusCallback="/relative">r</Conference></Dial></Response>`,
    );
    expect(warnings).toHaveLength(4);
    expect(verbs).toMatchObject([{ lengthMs: 1000 }, { conference: { beep: "true", statusCallback: null } }]);
  });
});
