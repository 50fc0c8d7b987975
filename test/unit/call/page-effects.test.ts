/** What pages and ladders ask of the carrier and of push receivers. */
import { describe, expect, test } from "bun:test";
import type { PageView } from "../../../engine/call/escalations-view.ts";
import { PageEffects } from "../../../engine/call/page-effects.ts";
import { createPageWording } from "../../../engine/call/page-wording.ts";
import { createUrls } from "../../../engine/call/urls.ts";
import { Claims } from "../../../engine/effects/claims.ts";
import { PushError } from "../../../engine/errors.ts";
import type { CallInfo, Carrier, CreateCall, SendMessage } from "../../../engine/ports.ts";
import type { Incident, PageEffect, PageEffectInputs } from "../../../machines/ladder.types.ts";
import { FAKE_ACCOUNT } from "../../support/fake-ports.ts";
import { KeptPushes } from "../../support/kept-pushes.ts";
import { OddCarrier, ORIGIN } from "./effects-setup.ts";
import { CALL_SID, deploymentOf, settle, START_MS } from "./support.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";

const LEG_SID = "CA00000000000000000000000000000009";
const NURSE = "+15550100";

function view(label: string): PageView {
  return {
    callSid: CALL_SID,
    incident: 1,
    label,
    channel: label.startsWith("sms") ? "sms" : "push",
    contactName: "on-call nurse",
    rungName: "primary",
    agent: "after-hours",
    reason: "chest pain",
    urgency: "high",
    standing: "open",
    ownerName: null,
    followUp: false,
    rings: true,
    came: false,
    unmet: false,
    callerNumber: null,
  };
}

function make(known: (label: string) => PageView | null = view) {
  const carrier = new OddCarrier();
  const pushes = new KeptPushes();
  const texted: string[] = [];
  const incidents: Pick<Incident, "outcome">[] = [];
  const clock = new VirtualClock(START_MS);
  const effects = new PageEffects({
    carrier,
    pushes,
    claims: new Claims(),
    clock,
    urls: createUrls(ORIGIN),
    wording: createPageWording(deploymentOf().escalation),
    number: FAKE_ACCOUNT.number,
    ackUrl: (callSid, label) => `${ORIGIN}/ack/${callSid}-${label}`,
    escalations: {
      page: (_callSid, label) => known(label),
      code: () => "K7",
      knownCode: (_callSid, incident) => (incident === 1 ? "K7" : null),
      incidents: () => incidents,
      texted: (to, { label }) => void texted.push(`${to} ${label}`),
    },
  });
  const ended = new AbortController();
  const facts = { callSid: CALL_SID, ringTimeoutMs: 25_500, from: "+15550177" };
  const run = <N extends PageEffect["name"]>(name: N, input: PageEffectInputs[N]) => {
    const id = `${CALL_SID}/ladder-1/1/${name}`;
    return effects.run({ type: "effect", id, name, input } as unknown as PageEffect, facts, ended.signal);
  };
  return { carrier, clock, pushes, texted, incidents, effects, ended, run };
}

describe("a page by phone", () => {
  const page = { label: "human-1", incident: 1, to: NURSE };

  test("rings as long as the ladder says, with machine detection, and names its call", async () => {
    const { carrier, run } = make();
    const answer = await run("page.call", page);
    const [, request] = carrier.requests[0] as [string, CreateCall];
    expect(request).toMatchObject({
      to: NURSE,
      from: FAKE_ACCOUNT.number,
      url: `${ORIGIN}/twilio/human?call=${CALL_SID}&label=human-1`,
      timeoutS: 26,
      machineDetection: "Enable",
      statusCallbackEvents: ["initiated", "ringing", "answered", "completed"],
    });
    expect(answer).toMatchObject({
      type: "effect.done",
      label: "human-1",
      callSid: expect.stringMatching(/^CA/),
    });
  });

  test("whose outcome cannot be found out may be ringing: its call sid is not known", async () => {
    const { carrier, clock, run } = make();
    carrier.failNext("createCall", { status: 502, retryable: true, ambiguous: true });
    carrier.failNext("findCalls", { status: 502, retryable: true });
    carrier.failNext("findCalls", { status: 502, retryable: true });
    const answer = run("page.call", page);
    for (const ms of [500, 1500]) {
      await settle();
      clock.advance(ms);
    }
    expect(await answer).toMatchObject({ type: "effect.done", callSid: null });
    expect(carrier.requests.map(([name]) => name)).toEqual(["createCall", "findCalls", "findCalls"]);
  });

  test("that the carrier refuses has failed, with its code", async () => {
    const { carrier, run } = make();
    carrier.failNext("createCall", { status: 400, code: 21_211 });
    expect(await run("page.call", page)).toMatchObject({ type: "effect.failed", status: 400, code: 21_211 });
  });

  test("hands the carrier a signal that its withdrawal and the end of the call abort", async () => {
    for (const end of ["withdraw", "call"] as const) {
      const { carrier, effects, ended, run } = make();
      let signal: AbortSignal | undefined;
      const asked = (_input: CreateCall, given?: AbortSignal): Promise<CallInfo> => {
        signal = given;
        return new Promise(() => undefined);
      };
      Object.assign(carrier, { createCall: asked });
      void run("page.call", page);
      await settle();
      expect(signal?.aborted).toBe(false);
      if (end === "withdraw") expect(run("page.withdraw", { label: "human-1" })).toBeNull();
      else ended.abort();
      expect(signal?.aborted).toBe(true);
      // Of a page that is not under way there is nothing to withdraw.
      effects.withdraw(CALL_SID, "human-7");
    }
  });

  test("is hung up whatever state it is in", async () => {
    const { carrier, run } = make();
    const input = { label: "human-1", callSid: LEG_SID };
    carrier.failNext("updateCall", { status: 400, code: 21_220 });
    expect(await run("page.hangUp", input)).toMatchObject({ type: "effect.done", label: "human-1" });
    expect(await run("page.hangUp", input)).toMatchObject({ type: "effect.done" });
    expect(carrier.requests.at(-1)).toEqual(["updateCall", LEG_SID, { status: "completed" }]);
    carrier.failNext("updateCall", { status: 500 });
    expect(await run("page.hangUp", input)).toMatchObject({ type: "effect.failed", status: 500 });
  });

  test("that is not needed is told who has it, and hung up; without words if need be", async () => {
    const { carrier, run } = make();
    const input = { label: "human-1", callSid: LEG_SID, why: "handled", by: "Dr. Lee" } as const;
    expect(await run("page.tell", input)).toMatchObject({ type: "effect.done" });
    const [, sid, { twiml }] = carrier.requests[0] as [string, string, { twiml: string }];
    expect(sid).toBe(LEG_SID);
    expect(twiml).toContain("Dr. Lee has taken it");
    expect(twiml).toContain("<Hangup/>");
    carrier.failNext("updateCall", { status: 500 });
    expect(await run("page.tell", input)).toMatchObject({ type: "effect.done" });
    expect(carrier.requests.at(-1)).toEqual(["updateCall", LEG_SID, { status: "completed" }]);
  });
});

describe("a page by text", () => {
  const page = { label: "sms-2", incident: 1, to: NURSE };

  test("has the code and the link, and is known before it is sent", async () => {
    const { carrier, texted, run } = make();
    const answer = run("page.sms", page);
    const [message] = await carrier.next("sendMessage");
    expect(texted).toEqual([`${NURSE} sms-2`]);
    expect(await answer).toMatchObject({ type: "effect.done", label: "sms-2" });
    expect(message).toMatchObject({
      to: NURSE,
      from: FAKE_ACCOUNT.number,
      statusCallback: `${ORIGIN}/twilio/message-status?call=${CALL_SID}&label=sms-2#rc=3&rp=all`,
    });
    expect(message.body).toContain("K7");
    // What the caller said is no one's on a lock screen, by default.
    expect(message.body).not.toContain("chest pain");
  });

  test("that is withdrawn in time is not sent", async () => {
    const { carrier, effects, run } = make();
    const answer = run("page.sms", page);
    effects.withdraw(CALL_SID, "sms-2");
    expect(await answer).toMatchObject({ type: "effect.failed" });
    expect(carrier.requests).toEqual([]);
  });

  test("that is withdrawn while the carrier wants it later is not sent again", async () => {
    const { carrier, effects, run } = make();
    const signals: (AbortSignal | undefined)[] = [];
    const busy = Promise.withResolvers<{ messageSid: string; status: string }>();
    carrier.sendMessage = (...[, signal]: Parameters<Carrier["sendMessage"]>) => {
      signals.push(signal);
      return busy.promise;
    };
    const answer = run("page.sms", page);
    await settle();
    expect(signals.map((signal) => signal?.aborted)).toEqual([false]);
    effects.withdraw(CALL_SID, "sms-2");
    expect(signals.map((signal) => signal?.aborted)).toEqual([true]);
    busy.resolve({ messageSid: "SM1", status: "queued" });
    await answer;
  });

  test("of a page that its incident does not know is not sent", async () => {
    const { carrier, run } = make(() => null);
    expect(await run("page.sms", page)).toMatchObject({ type: "effect.failed" });
    expect(carrier.requests).toEqual([]);
  });
});

describe("a page by push", () => {
  const page = { label: "push-3", incident: 1, to: "https://push.example/hook" };

  test("has the five fields", async () => {
    const { pushes, run } = make();
    expect(await run("page.push", page)).toMatchObject({ type: "effect.done", label: "push-3" });
    const { url, body } = pushes.sent[0] ?? { url: "", body: null };
    expect(url).toBe("https://push.example/hook");
    expect(body).toMatchObject({
      callSid: CALL_SID,
      urgency: "high",
      ackUrl: `${ORIGIN}/ack/${CALL_SID}-push-3`,
    });
    expect(body?.title).toContain("after-hours");
  });

  test("that its receiver refuses has failed, with the status", async () => {
    const { pushes, run } = make();
    pushes.failNext(new PushError("the push receiver answered 410", { status: 410, retryable: false }));
    expect(await run("page.push", page)).toMatchObject({ type: "effect.failed", status: 410, code: 0 });
  });
});

describe("words of a ladder", () => {
  const bodyOf = (carrier: OddCarrier): SendMessage => (carrier.requests[0] as [string, SendMessage])[1];

  test("tell somebody who was paged by text who has it", async () => {
    const { carrier, texted, run } = make();
    const told = { to: NURSE, why: "handled", by: "Dr. Lee" } as const;
    expect(await run("ladder.tellPaged", told)).toMatchObject({ type: "effect.done", label: null });
    const body = "TANDEM: handled by Dr. Lee (K7). You need not do anything.";
    expect(bodyOf(carrier)).toMatchObject({ to: NURSE, body });
    expect(bodyOf(carrier).statusCallback).toBeUndefined();
    // It is not a page: a reply to it is about nothing.
    expect(texted).toEqual([]);
  });

  test("do not say that nobody is needed of somebody who has to be called back", async () => {
    for (const outcome of ["caller_left", "exhausted"] as const) {
      const { carrier, incidents, run } = make();
      incidents.push({ outcome: "exhausted" }, { outcome });
      await run("ladder.tellPaged", { to: NURSE, why: "caller_left", by: null });
      const { body } = bodyOf(carrier);
      expect(body).toContain(
        outcome === "exhausted" ? "Reply 1 K7 to take it." : "Nobody is needed any more.",
      );
    }
  });

  test("tell the caller what happens next", async () => {
    const { carrier, run } = make();
    expect(await run("ladder.tellCaller", {})).toMatchObject({ type: "effect.done" });
    expect(bodyOf(carrier)).toMatchObject({ to: "+15550177", body: expect.stringContaining("go on trying") });
  });
});
