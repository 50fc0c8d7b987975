/** The words of an escalation, and what of the caller is told where. */
import { describe, expect, test } from "bun:test";
import {
  connectingWords,
  createPageWording,
  endingWords,
  goodbyeWords,
  helpText,
  pagedText,
} from "../../../engine/call/page-wording.ts";
import { gsmLength } from "../../../engine/call/short-text.ts";
import type { DeploymentInput } from "../../../engine/config/deployment.ts";
import { ladderPolicyOf } from "../../../engine/config/ladder-policy.ts";
import { URGENCIES } from "../../../machines/events.ts";
import type { CancelReason } from "../../../machines/ladder.types.ts";
import { pageOf } from "../http/pages-setup.ts";
import { deploymentOf } from "./support.ts";

type Details = NonNullable<NonNullable<DeploymentInput["escalation"]>["details"]>;

const worded = (details: Details = {}) =>
  createPageWording(deploymentOf({ escalation: { details } }).escalation);
const LINK = `https://calls.example.com/ack/${"t".repeat(51)}`;
const HOW = { code: "K7", ackUrl: LINK };
const WHYS: readonly CancelReason[] = ["handled", "window", "caller_left", "called_off"];

describe("the briefing", () => {
  test("is one sentence of who, how urgently and why, and then the keys", () => {
    const { briefing } = worded();
    const of = (urgency: (typeof URGENCIES)[number]) => briefing(pageOf({ urgency })).split(" Press")[0];
    expect(URGENCIES.map(of)).toEqual([
      "This is after-hours. A caller needs you, it is not urgent: chest pain since noon.",
      "This is after-hours. A caller needs you: chest pain since noon.",
      "This is after-hours. A caller needs you, it is urgent: chest pain since noon.",
      "This is after-hours. A caller needs you, it is an emergency: chest pain since noon.",
    ]);
  });

  test("is the same without a reason, or with one that has no word in it", () => {
    for (const reason of [null, "", " \n ", "https://evil.example/x"]) {
      const said = worded().briefing(pageOf({ reason, urgency: "normal" }));
      expect(said).toStartWith("This is after-hours. A caller needs you. Press 1");
    }
  });

  test("can be said three times, with five seconds after each, before the page gives up", () => {
    const longest = pageOf({ agent: "a".repeat(80), reason: "pain ".repeat(60), urgency: "emergency" });
    // A slow voice says twelve characters a second.
    const onceMs = (worded().briefing(longest).length / 12) * 1000 + 5000;
    expect(ladderPolicyOf(deploymentOf({})).briefingTimeoutMs).toBeGreaterThan(3 * onceMs);
  });

  test("cuts a long reason between words, and does not go on for ever", () => {
    const said = worded().briefing(pageOf({ reason: "it hurts a lot ".repeat(60) }));
    expect(said).toMatch(/it hurts a lot\.\.\. Press 1/);
    expect(said.length).toBeLessThan(400);
  });
});

describe("a text that pages", () => {
  test("is one message with the code, the link and no word of the caller's", () => {
    for (const urgency of URGENCIES) {
      for (const followUp of [false, true]) {
        const text = worded().sms(pageOf({ channel: "sms", urgency, followUp }), HOW);
        expect(text).toContain("(K7)");
        expect(text).toEndWith(`, or ${LINK}`);
        expect(text).not.toContain("chest");
        expect(gsmLength(text)).toBeLessThanOrEqual(160);
      }
    }
    const text = worded().sms(pageOf({ channel: "sms" }), { code: "K7", ackUrl: "https://x.example/ack/t" });
    expect(text).toBe(
      "TANDEM after-hours: a caller needs you (urgent). Reply 1 to take (K7), 2 to decline, or https://x.example/ack/t",
    );
  });

  test("sheds the agent's name, then the link, before it needs a second message", () => {
    const of = (agent: string, ackUrl: string) =>
      worded().sms(pageOf({ channel: "sms", agent }), { code: "K7", ackUrl });
    expect(of("a".repeat(80), LINK)).toStartWith("TANDEM: a caller needs you");
    expect(of("a".repeat(80), LINK)).toEndWith(LINK);
    expect(of("after-hours", `https://${"x".repeat(120)}/ack/t`)).toBe(
      "TANDEM after-hours: a caller needs you (urgent). Reply 1 to take (K7), 2 to decline.",
    );
    expect(of("a".repeat(80), `https://${"x".repeat(300)}/ack/t`).length).toBeLessThanOrEqual(160);
  });

  test("tells as much of the reason as there is room for, where the deployment tells it", () => {
    const { sms } = worded({ sms: "reason" });
    const of = (reason: string) => sms(pageOf({ channel: "sms", reason }), HOW);
    expect(of("chest pain")).toContain("(urgent): chest pain. Reply 1");
    const cut = of(
      "chest pain since noon, worse when lying down, takes blood thinners, had the same last year",
    );
    expect(cut).toMatch(/\(urgent\): chest pain .*\.\.\. Reply 1 to take \(K7\)/);
    expect(gsmLength(cut)).toBeLessThanOrEqual(160);
  });

  test("spells with the telephone's own characters what has a twin there", () => {
    const text = worded({ sms: "reason" }).sms(
      pageOf({ channel: "sms", reason: "“can’t” breathe – help…" }),
      HOW,
    );
    expect(text).toContain('"can\'t" breathe - help');
    expect(gsmLength(text)).not.toBeNull();
  });

  test("in another script is three messages at most", () => {
    for (const reason of ["боль в груди ".repeat(20), "胸が痛い".repeat(40)]) {
      const text = worded({ sms: "reason" }).sms(pageOf({ channel: "sms", reason }), HOW);
      expect(text).toContain(reason.slice(0, 4));
      expect(text).toContain("(K7)");
      expect(text.length).toBeLessThanOrEqual(201);
    }
  });
});

describe("a push", () => {
  test("says who asks and how urgently, and the reason where the deployment tells it", () => {
    expect(worded().push(pageOf({ channel: "push" }))).toEqual({
      title: "after-hours: a caller needs you (urgent)",
      body: "You are asked as primary. Open the link to take it or to decline.",
    });
    expect(worded({ push: "reason" }).push(pageOf({ channel: "push" })).body).toStartWith(
      "Reason: chest pain since noon. You are asked",
    );
    expect(worded().push(pageOf({ channel: "push", followUp: true })).title).toBe(
      "after-hours: a caller needs a call back (urgent)",
    );
  });
});

describe("the reason", () => {
  test("is told by phone and nowhere else, unless the deployment says so", () => {
    const of = (channel: "voice" | "sms" | "push", details?: Details) =>
      worded(details).reason(pageOf({ channel }));
    expect([of("voice"), of("sms"), of("push")]).toEqual(["chest pain since noon", null, null]);
    const reversed: Details = { voice: "none", sms: "reason", push: "reason" };
    expect([of("voice", reversed), of("sms", reversed)]).toEqual([null, "chest pain since noon"]);
  });
});

describe("what is said at the end of a page", () => {
  test("names who has it, and is different for each reason", () => {
    const told = (why: CancelReason, by: string | null = null) => ({ why, by, wanted: false, code: null });
    expect(endingWords(told("handled", "second nurse"))).toBe(
      "Thank you. second nurse has taken it. Goodbye.",
    );
    expect(endingWords(told("handled"))).toBe("Thank you. Somebody else has taken it. Goodbye.");
    expect(pagedText(told("handled", "second nurse"))).toContain("handled by second nurse");
    expect(pagedText(told("handled"))).toContain("handled by somebody else");
    for (const words of [endingWords, pagedText]) {
      expect(new Set(WHYS.map((why) => words(told(why)))).size).toBe(WHYS.length);
    }
    for (const why of WHYS)
      expect(gsmLength(pagedText({ ...told(why, "n".repeat(80)), code: "K77" }))).toBeLessThanOrEqual(160);
  });

  test("does not say that nobody is needed while the caller is to be called back", () => {
    const left = { why: "caller_left", by: null, code: "K7" } as const;
    for (const words of [endingWords, pagedText]) {
      expect(words({ ...left, wanted: false })).toContain("Nobody is needed");
      expect(words({ ...left, wanted: true })).not.toContain("Nobody is needed");
    }
    expect(goodbyeWords(pageOf({ standing: "over" }))).toContain("Nobody is needed");
    expect(goodbyeWords(pageOf({ standing: "over", unmet: true }))).toBe(
      "Thank you. The caller is not on the line any more. Goodbye.",
    );
  });

  test("is thanks to somebody who declined", () => {
    expect(goodbyeWords(pageOf())).toBe("Thank you. Goodbye.");
    expect(goodbyeWords(null)).toContain("Nobody is needed");
  });
});

describe("a follow-up that somebody takes", () => {
  test("without a number, or without a reason, says so and says it twice", () => {
    const taken = pageOf({ standing: "yours", followUp: true });
    const said = worded().followUpDetails(taken);
    expect(said.match(/not known here/g)).toHaveLength(2);
    const number = worded({ voice: "none" }).followUpDetails({ ...taken, callerNumber: "+15550177" });
    expect(number).not.toContain("chest");
    expect(number.match(/1, 5, 5, 5, 0, 1, 7, 7/g)).toHaveLength(2);
  });
});

describe("other words", () => {
  test("are the deployment's, where a caller is sent them", () => {
    const text = "Call us in the morning.";
    const wording = createPageWording(deploymentOf({ escalation: { callerText: text } }).escalation);
    expect(wording.callerText()).toBe(text);
    expect(gsmLength(worded().callerText())).toBeLessThanOrEqual(160);
  });

  test("tell somebody who joins at once from somebody who consults first", () => {
    expect(connectingWords(false)).toBe("Connecting you.");
    expect(connectingWords(true)).toContain("on hold");
  });

  test("of help name the codes only when there are several", () => {
    expect(helpText(["K7"])).toBe("Reply 1 to take it or 2 to decline.");
    expect(helpText(["K7", "M3"])).toEndWith("Name which: 1 K7 or 1 M3.");
  });
});
