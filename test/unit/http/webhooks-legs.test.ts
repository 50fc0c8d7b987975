/** Who is let into the room, and what everybody else hears. */
import { describe, expect, test } from "bun:test";
import { gone, streaming } from "../call/calls-setup.ts";
import { CALL_SID, settle } from "../call/support.ts";
import { afterStreamForm, form, HANGUP, makeWebhooks, ORIGIN, voiceForm } from "./webhooks-setup.ts";

const OTHER_SID = "CA00000000000000000000000000000002";

describe("a caller", () => {
  test("is put into a conference that begins with them and ends with them", async () => {
    const { webhooks, supervisor } = makeWebhooks();
    const answer = webhooks.voice(voiceForm());
    expect(answer.headers.get("content-type")).toBe("text/xml; charset=utf-8");
    const xml = await answer.text();
    expect(xml).toContain(`<Dial action="${ORIGIN}/twilio/after-dial?call=${CALL_SID}" method="POST">`);
    for (const attribute of [
      'startConferenceOnEnter="true"',
      'endConferenceOnExit="true"',
      'beep="false"',
      'participantLabel="caller"',
      'jitterBufferSize="small"',
      'region="us1"',
      `statusCallback="${ORIGIN}/twilio/conference?call=${CALL_SID}#rc=3&amp;rp=all"`,
      'statusCallbackEvent="start end join leave mute hold modify"',
    ]) {
      expect(xml).toContain(attribute);
    }
    expect(xml).toContain(`>af-${CALL_SID}</Conference>`);
    expect(supervisor.get(CALL_SID)?.state).toBe("arriving");
  });

  test("is mixed in the deployment's region, which TwiML does not know by the name of us2", async () => {
    const of = async (region: "us2" | "ie1") =>
      await makeWebhooks({ deployment: { region } }).webhooks.voice(voiceForm()).text();
    expect(await of("ie1")).toContain('region="ie1"');
    expect(await of("us2")).not.toContain("region=");
  });

  test("is forked only when the deployment says so, with a token that is good for that", async () => {
    const of = async (speakers: "mixed" | "forked") => {
      const { webhooks, gateway } = makeWebhooks({ deployment: { speakers } });
      return { xml: await webhooks.voice(voiceForm()).text(), issued: gateway.counters()["tokensIssued"] };
    };
    expect((await of("mixed")).xml).not.toContain("<Start>");
    const { xml, issued } = await of("forked");
    expect(xml).toMatch(
      /<Response><Start><Stream name="caller" url="wss:\/\/voice\.example\/twilio\/media" track="inbound_track" statusCallback="[^"]*stream-status[^"]*label=caller[^"]*" statusCallbackMethod="POST"><Parameter name="token" value="[\w.-]+"\/><\/Stream><\/Start><Dial /,
    );
    expect(issued).toBe(1);
  });

  test("is recorded with the conference only when the deployment says so", async () => {
    const of = async (recording: "none" | "conference" | "leg") =>
      await makeWebhooks({ deployment: { recording } }).webhooks.voice(voiceForm()).text();
    expect(await of("conference")).toContain('record="record-from-start"');
    expect(await of("none")).not.toContain("record=");
    expect(await of("leg")).not.toContain("record=");
  });

  test("beyond the limit, or while the engine drains, hears the apology and nothing begins", async () => {
    const deployment = { limits: { maxLiveCalls: 1 }, agent: { apology: "Sorry." } };
    const { webhooks, supervisor, lines } = makeWebhooks({ deployment });
    webhooks.voice(voiceForm());
    const full = await webhooks.voice(voiceForm(OTHER_SID)).text();
    expect(full).toContain("<Response><Say>Sorry.</Say><Hangup/></Response>");
    void supervisor.drain();
    expect(await webhooks.voice(voiceForm(OTHER_SID)).text()).toBe(full);
    expect(supervisor.size).toBe(1);
    const refused = lines.filter((line) => line.event === "call.refused");
    expect(refused.map((line) => line["reason"])).toEqual(["full", "draining"]);
  });

  test("beyond the limit is put through to the fallback number, and hears the apology if nobody answers", async () => {
    const agent = { apology: "Sorry." };
    const overload = { fallbackNumber: "+15550199" };
    const { webhooks, lines } = makeWebhooks({
      deployment: { limits: { maxLiveCalls: 1 }, agent, overload },
    });
    webhooks.voice(voiceForm());
    const action = `${ORIGIN}/twilio/after-fallback?call=${OTHER_SID}`;
    expect(await webhooks.voice(voiceForm(OTHER_SID)).text()).toContain(
      `<Response><Dial action="${action}" method="POST" timeout="30">+15550199</Dial></Response>`,
    );
    const after = async (status: string) => {
      const fields = { CallSid: OTHER_SID, CallStatus: "in-progress", DialCallStatus: status };
      return await webhooks.afterFallback(form(fields, { call: OTHER_SID })).text();
    };
    expect(await after("completed")).toBe(HANGUP);
    for (const status of ["busy", "no-answer", "failed", "canceled"]) {
      expect(await after(status)).toContain("<Say>Sorry.</Say><Hangup/>");
    }
    expect(lines.filter((line) => line.event === "call.refused")).toMatchObject([
      { callSid: OTHER_SID, reason: "full", fallback: true },
    ]);
    expect(lines.filter((line) => line.event === "call.fallback_failed")).toHaveLength(4);
  });

  test("whose call is over is hung up, and not begun a second time", async () => {
    const { webhooks, supervisor } = makeWebhooks();
    webhooks.voice(voiceForm());
    supervisor.deliver(CALL_SID, { type: "caller.gone", reason: "dial_ended" });
    await settle();
    expect(await webhooks.voice(voiceForm()).text()).toBe(HANGUP);
    expect(supervisor.size).toBe(0);
  });
});

describe("the AI's leg", () => {
  test("is given a stream with a token by the key it brings", async () => {
    const calls = makeWebhooks();
    await streaming(calls);
    const session = calls.legKeys.issue(CALL_SID, "ai-1");
    const xml = await calls.webhooks
      .aiLeg(form({ CallSid: OTHER_SID, CallStatus: "ringing", session }))
      .text();
    expect(xml).toContain('<Connect><Stream url="wss://voice.example/twilio/media"');
    const tokens = xml.match(/<Parameter name="token" value="[\w-]{16,}"\/>/g) ?? [];
    expect(new Set(tokens).size).toBe(20);
    expect(xml.match(/<Pause length="1"\/><Connect>/g)).toHaveLength(18);
    const back = `${ORIGIN}/twilio/after-stream?call=${CALL_SID}&amp;label=ai-1`;
    expect(xml).toEndWith(`</Connect><Redirect method="POST">${back}</Redirect></Response>`);
  });

  test("whose key nobody issued, or whose leg is not wanted, is hung up without a token", async () => {
    const calls = makeWebhooks();
    await gone(calls);
    const legs = [{ session: "guessed" }, { session: calls.legKeys.issue(CALL_SID, "ai-1") }, {}];
    for (const leg of legs) {
      const fields: Record<string, string> = { CallSid: OTHER_SID, CallStatus: "ringing", ...leg };
      expect(await calls.webhooks.aiLeg(form(fields)).text()).toBe(HANGUP);
    }
    expect(calls.gateway.counters()["tokensIssued"]).toBe(0);
    expect(calls.strays.counters.unknownCall).toBe(2);
  });

  test("gets five documents at most, and the next leg starts afresh", async () => {
    const calls = makeWebhooks();
    const { session, stream } = await streaming(calls);
    const back = async (label?: string) => await calls.webhooks.afterStream(afterStreamForm(label)).text();
    for (let n = 0; n < 5; n++) expect(await back()).toContain("<Connect");
    expect(await back()).toBe(HANGUP);
    expect(calls.lines.find((line) => line.event === "stream.too_many")).toMatchObject({ label: "ai-1" });
    expect(calls.gateway.counters()["tokensIssued"]).toBe(5 * 20);
    stream.close();
    session.deliver({ type: "participant.left", label: "ai-1", callSid: OTHER_SID, reason: "left" });
    await settle();
    expect(await back("ai-1")).toBe(HANGUP);
    expect(await back("ai-2")).toContain("<Connect");
  });

  test("is counted for its own call alone, and until that is forgotten", async () => {
    const calls = makeWebhooks();
    await streaming(calls);
    const back = async () => await calls.webhooks.afterStream(afterStreamForm()).text();
    for (let n = 0; n < 6; n++) await back();
    calls.webhooks.forget(OTHER_SID);
    expect(await back()).toBe(HANGUP);
    calls.webhooks.forget(CALL_SID);
    expect(await back()).toContain("<Connect");
  });

  test("is hung up after its document when its call is over or was never there", async () => {
    const calls = makeWebhooks();
    expect(await calls.webhooks.afterStream(afterStreamForm()).text()).toBe(HANGUP);
    const { session } = await streaming(calls);
    session.deliver({ type: "op.hangup" });
    await settle();
    expect(await calls.webhooks.afterStream(afterStreamForm()).text()).toBe(HANGUP);
  });
});
