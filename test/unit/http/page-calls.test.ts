/** What somebody on call hears, and what lets them into the room. */
import { describe, expect, test } from "bun:test";
import { nextLabel } from "../../../engine/http/page-calls.ts";
import type { SignedForm } from "../../../engine/http/twilio-guard.ts";
import type { PageView } from "../../../engine/call/escalations-view.ts";
import type { UnstampedCallEvent } from "../../../machines/events.ts";
import { CALL_SID } from "../call/support.ts";
import { makePages, ORIGIN } from "./pages-setup.ts";
import { form, HANGUP, HUMAN_SID } from "./webhooks-setup.ts";

const of = (fields: Record<string, string> = {}, label = "human-1", round?: number): SignedForm =>
  form(
    { CallSid: HUMAN_SID, CallStatus: "in-progress", ...fields },
    { call: CALL_SID, label, ...(round === undefined ? {} : { round: String(round) }) },
  );
const key = (Digits: string, round = 1): SignedForm => of({ Digits }, "human-1", round);

/** A page that its contact gets by accepting. */
function open(patch: Partial<PageView> = {}, deployment: Parameters<typeof makePages>[0] = {}) {
  const pages = makePages(deployment);
  const { escalations } = pages;
  escalations.put(patch);
  escalations.reacts = (event: UnstampedCallEvent) => {
    const accepts = event.type === "human.answered" && ["accepted", "consult"].includes(event.answer);
    if (accepts) escalations.owns(patch);
  };
  return pages;
}

describe("where the legs are forked", () => {
  const forked = { speakers: "forked" } as const;

  test("somebody's audio is from the moment they enter, and no longer when they are out", async () => {
    const { calls } = open({}, forked);
    const xml = await calls.humanKey(key("1")).text();
    expect(xml).toMatch(
      /<Say>Connecting you\.<\/Say><Start><Stream name="human-1" [^>]*track="inbound_track"[^>]*><Parameter name="token" value="token of CA\w+ human-1"\/><\/Stream><\/Start><Dial /,
    );
    const out = await calls.humanAfterDial(of()).text();
    expect(out).toContain('<Response><Stop><Stream name="human-1"/></Stop><Pause length="1"/>');
  });

  test("nobody is who does not enter", async () => {
    const { calls } = open({}, forked);
    for (const answer of [calls.human(of()), calls.humanKey(key("2")), calls.humanKey(key("7"))]) {
      expect(await answer.text()).not.toContain("<Start>");
    }
  });
});

describe("somebody who picks up", () => {
  test("is told who calls, how urgently and why, and may press a key at any moment of it", async () => {
    for (const AnsweredBy of ["human", "unknown", ""]) {
      const { calls, escalations } = open();
      const xml = await calls.human(of({ AnsweredBy })).text();
      const gather = `<Gather input="dtmf" numDigits="1" timeout="5" action="${ORIGIN}/twilio/human-key?call=${CALL_SID}&amp;label=human-1&amp;round=1" method="POST"><Say>This is after-hours. A caller needs you, it is urgent: chest pain since noon. Press 1 to take the call, 2 to decline, 3 to speak with the assistant first.</Say></Gather>`;
      expect(xml).toEndWith(`<Response>${gather.repeat(3)}<Hangup/></Response>`);
      expect(escalations.events).toEqual([
        { type: "leg.status", label: "human-1", callSid: HUMAN_SID, status: "in-progress" },
      ]);
    }
  });

  test("hears no reason where the deployment does not tell it", async () => {
    const { calls } = open({}, { escalation: { details: { voice: "none" } } });
    const xml = await calls.human(of()).text();
    expect(xml).toContain("A caller needs you, it is urgent. Press 1");
    expect(xml).not.toContain("chest");
  });

  test("cannot be made to hear or do anything by what a reason or a name contains", async () => {
    const evil = '</Say></Gather><Dial>+15550199</Dial><Say x="';
    const { calls } = open({ reason: `${evil}\u0000\n\u202E`, agent: evil });
    const xml = await calls.human(of()).text();
    expect(xml).not.toContain("<Dial>");
    for (const character of ["\u0000", "\n", "\u202E"]) expect(xml).not.toContain(character);
    expect(xml.match(/<Say>/g)).toHaveLength(3);
  });

  test("and is a machine hears nothing at all, and counts as a voicemail", async () => {
    for (const AnsweredBy of ["machine_start", "machine_end_beep", "machine_end_silence", "fax"]) {
      const { calls, escalations } = open();
      expect(await calls.human(of({ AnsweredBy })).text()).toBe(HANGUP);
      expect(escalations.of("human.answered")).toEqual([{ label: "human-1", answer: "voicemail" }]);
    }
  });

  test("too late hears who has it, or that nobody is needed", async () => {
    const { calls, escalations } = makePages();
    escalations.put({ standing: "taken", ownerName: "R & D <nurse>" });
    expect(await calls.human(of()).text()).toContain(
      "<Say>Thank you. R &amp; D &lt;nurse&gt; has taken it. Goodbye.</Say><Hangup/>",
    );
    escalations.put({ standing: "over" });
    expect(await calls.human(of()).text()).toContain("Nobody is needed any more. Goodbye.</Say><Hangup/>");
    expect(await calls.human(of({}, "human-9")).text()).toContain("Nobody is needed any more.");
    expect(escalations.of("human.answered")).toEqual([]);
  });

  test("of a call that is over is counted, and hears that nobody is needed", async () => {
    const { calls, escalations, strays } = makePages();
    escalations.live = false;
    expect(await calls.human(of()).text()).toContain("Nobody is needed any more.");
    expect(strays.counters).toEqual({ unknownCall: 1, malformed: 0 });
  });

  test("having taken it by text still has to press a key, and may give it back", async () => {
    const { calls } = open({ standing: "yours" });
    const xml = await calls.human(of({ AnsweredBy: "human" })).text();
    expect(xml).toContain("Press 1 to join, 2 to give it back, 3 to speak with the assistant first.");
    expect(xml).not.toContain("<Conference");
  });
});

describe("the key", () => {
  test("1 is an acknowledgement, and leads into the room by a leg that * leaves", async () => {
    const { calls, escalations } = open();
    const xml = await calls.humanKey(key("1")).text();
    expect(escalations.events).toEqual([{ type: "human.answered", label: "human-1", answer: "accepted" }]);
    expect(xml).toContain(
      `<Response><Say>Connecting you.</Say><Dial action="${ORIGIN}/twilio/human-after-dial?call=${CALL_SID}&amp;label=human-1" method="POST" hangupOnStar="true"><Conference`,
    );
    expect(xml).toContain('endConferenceOnExit="false"');
    expect(xml).toContain('participantLabel="human-1"');
    expect(xml).toContain(`>af-${CALL_SID}</Conference>`);
    expect(xml).not.toContain("record=");
  });

  test("3 is one too, and tells that the caller waits", async () => {
    const { calls, escalations } = open();
    const xml = await calls.humanKey(key("3")).text();
    expect(escalations.of("human.answered")).toEqual([{ label: "human-1", answer: "consult" }]);
    expect(xml).toContain(
      "The caller will be on hold while you speak with the assistant. Press star to leave.",
    );
    expect(xml).toContain("<Conference");
  });

  test("2 declines", async () => {
    const { calls, escalations } = open();
    expect(await calls.humanKey(key("2")).text()).toContain("<Say>Thank you. Goodbye.</Say><Hangup/>");
    expect(escalations.of("human.answered")).toEqual([{ label: "human-1", answer: "declined" }]);
  });

  test("that means nothing has it asked again, three times in all, and declines nothing", async () => {
    const { calls, escalations } = open();
    for (const digits of ["7", "*", "11"]) {
      const again = await calls.humanKey(key(digits, 1)).text();
      expect(again.match(/<Gather/g)).toHaveLength(2);
      expect(again).toContain("&amp;round=2");
    }
    expect((await calls.humanKey(key("7", 2)).text()).match(/<Gather/g)).toHaveLength(1);
    expect(await calls.humanKey(key("7", 3)).text()).toContain("<Say>Goodbye.</Say><Hangup/>");
    expect(await calls.humanKey(of({}, "human-1", 1)).text()).toContain("<Gather");
    expect(escalations.events).toEqual([]);
  });

  test("gets the same answer when Twilio asks again, and counts once", async () => {
    for (const digits of ["1", "2", "3", "7"]) {
      const { calls, escalations } = open();
      const first = await calls.humanKey(key(digits)).text();
      const events = escalations.events.length;
      expect(await calls.humanKey(key(digits)).text()).toBe(first);
      expect(escalations.events).toHaveLength(events);
    }
  });

  test("1 that comes too late leads nowhere, and is answered politely", async () => {
    const { calls, escalations } = makePages();
    for (const [standing, words] of [
      ["taken", "second nurse has taken it."],
      ["over", "Nobody is needed any more."],
    ] as const) {
      escalations.put({ standing, ownerName: "second nurse" });
      for (const digits of ["1", "3"]) {
        const xml = await calls.humanKey(key(digits)).text();
        expect(xml).toContain(words);
        expect(xml).not.toContain("<Dial");
      }
      expect(await calls.humanKey(key("7")).text()).toContain(words);
    }
    expect(await calls.humanKey(of({ Digits: "1" }, "human-9")).text()).toContain("Nobody is needed");
  });

  test("1 that the call did not take is asked for again, and believed by nobody", async () => {
    const { calls, escalations } = makePages();
    escalations.put();
    expect(await calls.humanKey(key("1")).text()).toContain("<Gather");
    expect(await calls.humanKey(key("1", 3)).text()).toContain("<Say>Goodbye.</Say><Hangup/>");
    expect(escalations.of("human.answered")).toHaveLength(2);
  });

  test("1 of an owner whose leg is not wanted in the room does not lead there", async () => {
    const { calls, escalations } = makePages();
    escalations.put({ standing: "yours" });
    const xml = await calls.humanKey(key("1")).text();
    expect(xml).toContain("<Say>You have it already. Goodbye.</Say><Hangup/>");
  });
});

describe("a follow-up", () => {
  const followUp = { followUp: true, callerNumber: "+15550177" };

  test("is asked for without a word of joining", async () => {
    const xml = await open(followUp).calls.human(of()).text();
    expect(xml).toContain(
      "A caller asked for somebody and is not on the line any more, it is urgent: chest pain since noon.",
    );
    expect(xml).toContain("Press 1 to take it, 2 to decline.</Say>");
  });

  test("is told twice to whoever takes it, the number digit by digit, and leads into no room", async () => {
    const { calls } = open(followUp);
    const xml = await calls.humanKey(key("1")).text();
    expect(xml.match(/The reason: chest pain since noon\./g)).toHaveLength(2);
    expect(xml.match(/The caller's number: 1, 5, 5, 5, 0, 1, 7, 7\./g)).toHaveLength(2);
    expect(xml).toEndWith("<Hangup/></Response>");
    expect(xml).not.toContain("<Dial");
  });

  test("cannot be consulted about", async () => {
    const { calls, escalations } = open(followUp);
    expect(await calls.humanKey(key("3")).text()).toContain("<Gather");
    expect(escalations.events).toEqual([]);
  });
});

describe("somebody who leaves the room", () => {
  const after = (CallStatus: string, label = "human-1") =>
    of({ CallStatus, DialCallStatus: "answered" }, label);

  test("by hanging up is gone", async () => {
    const { calls, escalations } = makePages();
    for (let n = 0; n < 2; n++) {
      expect(await calls.humanAfterDial(after("completed")).text()).toBe(HANGUP);
    }
    expect(escalations.events).toEqual([
      { type: "participant.left", label: "human-1", callSid: HUMAN_SID, reason: "dial_ended" },
    ]);
  });

  test("by * has handed the caller back, and is asked what to do when it has settled who is there", async () => {
    const { calls, escalations } = makePages();
    const xml = await calls.humanAfterDial(after("in-progress")).text();
    expect(escalations.of("participant.left")).toMatchObject([{ reason: "handed_back" }]);
    expect(xml).toEndWith(
      `<Response><Pause length="1"/><Redirect method="POST">${ORIGIN}/twilio/human-menu?call=${CALL_SID}&amp;label=human-1&amp;round=1</Redirect></Response>`,
    );
    const menu = await calls.humanMenu(of({}, "human-1", 1)).text();
    const url = `${ORIGIN}/twilio/human-menu?call=${CALL_SID}&amp;label=human-1&amp;round=`;
    expect(menu.match(/<Gather/g)).toHaveLength(1);
    expect(menu).toContain(`action="${url}1"`);
    expect(menu).toContain("The assistant is with the caller again.");
    expect(menu).toEndWith(`<Redirect method="POST">${url}2</Redirect></Response>`);
  });

  test("because the caller has hung up has handed nobody back, and is told so", async () => {
    const { calls, escalations } = makePages();
    escalations.callerHere = false;
    await calls.humanAfterDial(after("in-progress")).text();
    expect(escalations.of("participant.left")).toMatchObject([{ reason: "dial_ended" }]);
    for (const fields of [{}, { Digits: "7" }]) {
      const xml = await calls.humanMenu(of(fields)).text();
      expect(xml).toContain("<Say>The caller has hung up. Goodbye.</Say><Hangup/>");
    }
  });

  test("comes back by 1 with the AI, and by 3 without it, as a leg of a new name", async () => {
    for (const [Digits, withoutAi] of [
      ["1", false],
      ["3", true],
    ] as const) {
      const { calls, escalations } = makePages();
      escalations.reacts = (event) => {
        if (event.type === "human.returned") escalations.wanted.add(event.label);
      };
      const xml = await calls.humanMenu(of({ Digits })).text();
      expect(escalations.events).toEqual([
        { type: "human.returned", label: "human-1.2", from: "human-1", callSid: HUMAN_SID, withoutAi },
      ]);
      expect(xml).toContain('participantLabel="human-1.2"');
      expect(xml).toContain("human-after-dial?call=" + `${CALL_SID}&amp;label=human-1.2"`);
      expect(await calls.humanMenu(of({ Digits })).text()).toBe(xml);
      expect(escalations.events).toHaveLength(1);
    }
  });

  test("and is not wanted back hears why, and enters no room", async () => {
    const { calls, escalations } = makePages();
    expect(await calls.humanMenu(of({ Digits: "1" })).text()).toContain("That is not possible any more.");
    escalations.put({ standing: "taken", ownerName: "second nurse" });
    const again = await calls.humanMenu(of({ Digits: "1" }, "human-1.2")).text();
    expect(again).toContain("second nurse has taken it.");
    escalations.callerHere = false;
    const xml = await calls.humanMenu(of({ Digits: "1" }, "human-2")).text();
    expect(xml).toContain("The caller has hung up.");
    expect(xml).not.toContain("<Dial");
  });

  test("is asked three times by silence and wrong keys together", async () => {
    const { calls } = makePages();
    const asked = async (round: number, fields = {}) =>
      await calls.humanMenu(of(fields, "human-1", round)).text();
    for (const round of [1, 2]) expect(await asked(round, { Digits: "7" })).toContain("<Gather");
    expect(await asked(3, { Digits: "7" })).toContain("<Say>Goodbye.</Say><Hangup/>");
    expect(await asked(3)).toContain("<Gather");
    expect(await asked(4)).toContain("<Say>Goodbye.</Say><Hangup/>");
  });

  test("is not asked on when the caller hangs up meanwhile", async () => {
    const { calls, escalations } = makePages();
    expect(await calls.humanMenu(of({}, "human-1", 1)).text()).toContain("<Gather");
    escalations.callerHere = false;
    const next = await calls.humanMenu(of({}, "human-1", 2)).text();
    expect(next).toContain("<Say>The caller has hung up. Goodbye.</Say><Hangup/>");
  });

  test("may come back eight times", async () => {
    let label = "human-1";
    const labels: string[] = [];
    for (let next = nextLabel(label); next !== null; next = nextLabel(label)) {
      label = next;
      labels.push(next);
    }
    expect(nextLabel("")).toBeNull();
    expect(labels).toEqual([2, 3, 4, 5, 6, 7, 8, 9].map((n) => `human-1.${n}`));
    const { calls, escalations } = makePages();
    for (const fields of [{}, { Digits: "1" }]) {
      const xml = await calls.humanMenu(of(fields, "human-1.9")).text();
      expect(xml).toContain("The assistant is with the caller again. Goodbye.");
      expect(xml).not.toContain("<Gather");
    }
    expect(escalations.events).toEqual([]);
  });
});

describe("a request that cannot be read", () => {
  test("is refused by the names of its fields", async () => {
    const { calls, escalations, strays } = makePages();
    const bad = form({ CallSid: "not a sid +15550177", CallStatus: "asleep" }, { call: CALL_SID });
    const hooks = [calls.human, calls.humanKey, calls.humanAfterDial, calls.humanMenu];
    for (const hook of hooks) {
      const answer = hook.call(calls, bad);
      expect(answer.status).toBe(400);
      expect(await answer.text()).not.toContain("15550177");
    }
    expect(strays.counters.malformed).toBe(hooks.length);
    expect(escalations.events).toEqual([]);
  });
});
