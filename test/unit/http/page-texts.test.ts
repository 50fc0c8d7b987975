/** Texts from people on call: which page they answer, and what is said in return. */
import { describe, expect, test } from "bun:test";
import type { UnstampedCallEvent } from "../../../machines/events.ts";
import { CALL_SID } from "../call/support.ts";
import { makePages, NUMBER } from "./pages-setup.ts";
import { form } from "./webhooks-setup.ts";

const OTHER_SID = "CA00000000000000000000000000000002";
const NOTHING = '<?xml version="1.0" encoding="UTF-8"?><Response/>';
const sid = (n: number): string => `SM${String(n).padStart(32, "0")}`;
const sms = (Body: string, n = 1, From = NUMBER) => form({ MessageSid: sid(n), From, To: "+15550123", Body });

/** Somebody who was paged by text, for K7 first and then for M3. */
function paged(incidents: 1 | 2 = 1) {
  const pages = makePages();
  const { escalations } = pages;
  const older = { callSid: CALL_SID, label: "sms-2", channel: "sms" } as const;
  const newer = { callSid: OTHER_SID, label: "sms-5", channel: "sms", incident: 2 } as const;
  escalations.put(older);
  const texted = [{ of: `${CALL_SID}/sms-2`, code: "K7" }];
  if (incidents === 2) {
    escalations.put(newer);
    texted.unshift({ of: `${OTHER_SID}/sms-5`, code: "M3" });
  }
  escalations.texted.set(NUMBER, texted);
  escalations.reacts = (event: UnstampedCallEvent) => {
    if (event.type !== "page.acknowledged") return;
    escalations.put({ ...(event.label === "sms-2" ? older : newer), standing: "yours" });
  };
  const say = async (body: string, n?: number) => await pages.texts.sms(sms(body, n)).text();
  return { ...pages, say, older, newer };
}

const message = (text: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><Response><Message>${text}</Message></Response>`;

describe("a text that answers", () => {
  test("acknowledges by 1, ack, yes or take, however it is written", async () => {
    for (const body of [
      "1",
      "ack",
      " YES ",
      "Take",
      "yes.",
      "1!",
      "1 k7",
      "Yes, K7",
      "1 (K7)",
      "take-k7\n",
      "1\uFE0F\u20E3",
      "\uFF11",
    ]) {
      const { say, escalations } = paged();
      expect(await say(body)).toBe(message("You have it (K7). Your phone rings now: press 1 to join."));
      expect(escalations.events).toEqual([{ type: "page.acknowledged", label: "sms-2" }]);
    }
  });

  test("declines by 2, no or decline", async () => {
    for (const body of ["2", "No", "decline", "2 K7"]) {
      const { say, escalations } = paged();
      expect(await say(body)).toBe(message("Thank you. Others are asked (K7)."));
      expect(escalations.events).toEqual([{ type: "page.declined", label: "sms-2" }]);
    }
  });

  test("does not give back what they have, and says how that is done", async () => {
    const { say, escalations, older } = paged();
    escalations.put({ ...older, standing: "yours" });
    expect(await say("2")).toBe(
      message("You have it (K7). It can be given back by phone only: press 2 when yours rings."),
    );
    expect(escalations.events).toEqual([]);
    // Nothing will ring any more for whoever is in the room, or calls back.
    for (const more of [{ came: true }, { followUp: true, rings: false }]) {
      escalations.put({ ...older, ...more, standing: "yours" });
      expect(await say("2")).toBe(message("You have it (K7). It cannot be given back by text."));
    }
  });

  test("from whoever has come already does not tell them that their phone rings, nor to call back", async () => {
    const { say, escalations, older } = paged();
    escalations.put({ ...older, standing: "yours", came: true });
    expect(await say("1")).toBe(message("You have it (K7). You came by phone."));
    escalations.put({ ...older, standing: "yours", came: true, followUp: true, callerNumber: "+15550177" });
    expect(await say("1", 2)).toBe(message("You have it (K7). You came by phone."));
  });

  test("counts once and gets the same reply when Twilio asks again", async () => {
    const { say, escalations } = paged();
    expect(await say("1")).toBe(await say("1"));
    await say("1", 2);
    expect(escalations.events).toHaveLength(1);
  });

  test("is not one to another incident when Twilio asks again", async () => {
    const { say, escalations } = paged(2);
    const reply = await say("1");
    expect(await say("1")).toBe(reply);
    expect(escalations.of("page.acknowledged")).toEqual([{ label: "sms-5" }]);
  });

  test("may have its code right behind the digit", async () => {
    const { say, escalations } = paged(2);
    expect(await say("1K7")).toContain("You have it (K7).");
    expect(await say("2m3", 2)).toBe(message("Thank you. Others are asked (M3)."));
    expect(escalations.events).toHaveLength(2);
  });

  test("without a code is about the newest that is open, and the reply names the other", async () => {
    const { say, escalations } = paged(2);
    expect(await say("1")).toBe(
      message("You have it (M3). Your phone rings now: press 1 to join. Also open: reply 1 K7."),
    );
    expect(escalations.of("page.acknowledged")).toEqual([{ label: "sms-5" }]);
    expect(await say("1", 2)).toBe(message("You have it (K7). Your phone rings now: press 1 to join."));
  });

  test("with a code is about that one, whichever is newer", async () => {
    const { say, escalations } = paged(2);
    expect(await say("1 k7")).toContain("You have it (K7).");
    expect(escalations.of("page.acknowledged")).toEqual([{ label: "sms-2" }]);
  });

  test("too late is answered politely with who has it, or that it is over", async () => {
    const { say, escalations, older } = paged();
    escalations.put({ ...older, standing: "taken", ownerName: "second <nurse>" });
    expect(await say("1")).toBe(message("Thank you. second &lt;nurse&gt; has it already (K7)."));
    escalations.put({ ...older, standing: "over" });
    expect(await say("1", 2)).toBe(message("Thank you. It is over (K7): nobody is needed any more."));
    escalations.put({ ...older, standing: "over", unmet: true });
    const ending = "The call is ending (K7). To call the caller back, reply 1 once more in a minute.";
    expect(await say("1", 3)).toBe(message(`Thank you. ${ending}`));
    escalations.put({ ...older, standing: "over", unmet: true, followUp: true });
    const anew = "The caller is not on the line any more (K7). If you are to call back, you are asked anew.";
    expect(await say("1", 4)).toBe(message(`Thank you. ${anew}`));
    expect(escalations.events).toEqual([]);
  });

  test("that the call did not take is not confirmed", async () => {
    const { say, escalations } = paged();
    escalations.reacts = () => undefined;
    expect(await say("1")).toBe(message("That did not work (K7). Please reply 1 once more."));
  });

  test("says what to do where no phone rings, and no number that the deployment does not tell by text", async () => {
    const { say, escalations, older } = paged();
    escalations.reacts = () => escalations.put({ ...older, standing: "yours", rings: false });
    expect(await say("1")).toContain("You have no phone here to join by");
    const gone = { ...older, followUp: true, callerNumber: "+15550177" } as const;
    escalations.put(gone);
    escalations.reacts = () => escalations.put({ ...gone, standing: "yours" });
    const reply = await say("1", 2);
    expect(reply).toContain("The caller has left");
    expect(reply).not.toContain("15550177");
  });
});

describe("any other text", () => {
  test("from somebody who was not paged gets no reply, and neither its words nor its sender are noted", async () => {
    const { texts, lines, escalations } = makePages();
    for (const body of ["my chest hurts", "1", "help"]) {
      expect(await texts.sms(sms(body, 1, "+15550177")).text()).toBe(NOTHING);
    }
    expect(escalations.events).toEqual([]);
    expect(lines.filter((line) => line.event === "sms.unmatched")).toHaveLength(3);
    expect(JSON.stringify(lines)).not.toMatch(/chest|15550177/);
  });

  test("from somebody with an open page gets one line of help, once a page", async () => {
    const { say, escalations } = paged(2);
    const help = message("Reply 1 to take it or 2 to decline. Name which: 1 M3 or 1 K7.");
    expect(await say("who is it?")).toBe(help);
    // The same request again, and then another text.
    expect(await say("who is it?")).toBe(help);
    expect(await say("hello?", 2)).toBe(NOTHING);
    expect(escalations.events).toEqual([]);
  });

  test("is told one code of what a call was and what follows it, the newer", async () => {
    const { say, escalations, older, newer } = paged(2);
    escalations.put({ ...older, callSid: OTHER_SID, incident: 2 });
    escalations.texted.set(NUMBER, [
      { of: `${OTHER_SID}/${newer.label}`, code: "M3" },
      { of: `${OTHER_SID}/${older.label}`, code: "K7" },
    ]);
    expect(await say("who is it?")).toBe(message("Reply 1 to take it or 2 to decline."));
    await say("1 K7", 2);
    expect(escalations.of("page.acknowledged")).toEqual([{ label: older.label }]);
  });

  test("that names something we do not know answers nothing", async () => {
    const { say, escalations } = paged();
    const help = message("Reply 1 to take it or 2 to decline.");
    // Each time: they believe that they have taken it.
    expect([await say("1 Z9"), await say("yes z8", 3)]).toEqual([help, help]);
    expect(await say("toString", 2)).toBe(help);
    expect(await say("toString", 4)).toBe(NOTHING);
    expect(escalations.events).toEqual([]);
  });

  test("gets no help once nothing is open", async () => {
    const { say, escalations, older } = paged();
    escalations.put({ ...older, standing: "taken", ownerName: "second nurse" });
    expect(await say("who is it?")).toBe(NOTHING);
  });

  test("that Twilio answers itself is left to Twilio", async () => {
    const { say } = paged();
    for (const word of ["STOP", "stopall", "Unsubscribe", "cancel", "end", "quit", "START", "help", "Info"]) {
      expect(await say(word)).toBe(NOTHING);
    }
    expect(await say("who is it?")).toContain("<Message>");
  });
});

describe("the status of a text of ours", () => {
  const status = (MessageStatus: string, more: Record<string, string> = {}) =>
    form(
      { MessageSid: sid(9), MessageStatus, To: NUMBER, From: "+15550123", ...more },
      { call: CALL_SID, label: "sms-2" },
    );

  test("is a fact of the call only when it did not arrive, once", () => {
    const { texts, escalations, lines } = makePages();
    for (const each of ["queued", "sent", "delivered"])
      expect(texts.messageStatus(status(each)).status).toBe(204);
    expect(escalations.events).toEqual([]);
    for (const each of ["undelivered", "failed"]) {
      expect(texts.messageStatus(status(each, { ErrorCode: "30005" })).status).toBe(204);
    }
    expect(escalations.events).toEqual([{ type: "page.undelivered", label: "sms-2" }]);
    const noted = lines.filter((line) => line.event === "sms.undelivered");
    expect(noted[0]).toMatchObject({ callSid: CALL_SID, label: "sms-2", code: 30_005 });
    expect(JSON.stringify(noted)).not.toContain(NUMBER.slice(1));
  });

  test("of a call that is over is counted and changes nothing", () => {
    const { texts, escalations, strays } = makePages();
    escalations.live = false;
    expect(texts.messageStatus(status("failed")).status).toBe(204);
    expect(strays.counters.unknownCall).toBe(1);
  });

  test("that cannot be read is refused, as is a text", () => {
    const { texts, strays } = makePages();
    expect(texts.messageStatus(form({})).status).toBe(400);
    expect(texts.sms(form({ MessageSid: "not a sid" })).status).toBe(400);
    expect(strays.counters.malformed).toBe(2);
  });
});
