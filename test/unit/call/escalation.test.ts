/** A call that calls people: what its ladders ask for is done, noted, told and kept. */
import { describe, expect, test } from "bun:test";
import { PushError } from "../../../engine/errors.ts";
import { accepts, CALLER, joins, legSid, makeCalls } from "./calls-setup.ts";
import {
  NURSE,
  DOCTOR,
  HOOK,
  WINDOW_MS,
  LADDER,
  paging,
  inVain,
  wait,
  called,
  texts,
  hungUp,
  log,
  incidentEntries,
} from "./ladder-setup.ts";
import { CALL_SID, settle } from "./support.ts";

describe("a rung", () => {
  test("is paged by all channels of its contacts at once", async () => {
    const calls = makeCalls({ deployment: LADDER });
    await paging(calls);
    expect(called(calls)).toEqual([NURSE]);
    expect(texts(calls).map((text) => text.to)).toEqual([NURSE]);
    expect(calls.pushes.sent.map((push) => push.url)).toEqual([HOOK]);
  });

  test("that does not answer in its window is hung up, and the next one is paged", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await paging(calls);
    await wait(calls, WINDOW_MS);
    expect(hungUp(calls)).toContain(legSid(calls));
    expect(texts(calls).at(-1)?.to).toBe(DOCTOR);
    expect(session.row().escalation).toMatchObject({
      outcome: null,
      rungsReached: ["primary", "secondary"],
    });
  });
});

describe("the log of a call", () => {
  test("has the effects and results of its ladders and pages, and no number, URL or reason", async () => {
    const calls = makeCalls({ deployment: LADDER });
    calls.pushes.failNext(new PushError("the push receiver answered 410", { status: 410, retryable: false }));
    const { session } = await inVain(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    const effects = log(calls).filter(({ kind, name }) => kind === "effect" && /^(page|ladder)\./.test(name));
    expect(new Set(effects.map(({ name }) => name))).toEqual(
      new Set(["page.call", "page.sms", "page.push", "page.hangUp", "ladder.tellPaged", "ladder.tellCaller"]),
    );
    const ids = effects.map(({ data }) => data["id"]);
    expect(new Set(ids).size).toBe(ids.length);
    const results = log(calls).filter(({ kind }) => kind === "result");
    for (const id of ids) expect(results.map(({ data }) => data["id"])).toContain(id);
    expect(results.find(({ data }) => data["name"] === "page.push")).toMatchObject({
      name: "effect.failed",
      data: { status: 410 },
    });
    for (const text of [JSON.stringify(log(calls)), JSON.stringify(calls.lines)]) {
      for (const personal of [NURSE, DOCTOR, CALLER, HOOK, "chest pain"])
        expect(text).not.toContain(personal);
    }
  });

  test("has each change of an incident, with the pages that changed", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await paging(calls);
    await accepts(calls, session);
    const entries = incidentEntries(calls);
    expect(entries.every(({ kind }) => kind === "state")).toBe(true);
    expect(entries[0]?.data).toMatchObject({ number: 1, phase: "paging", walk: 1, rung: 0, owner: null });
    expect(entries.map(({ data }) => data["phase"])).toContain("joining");
    expect(entries.at(-1)?.data["owner"]).toEqual({ contact: "nurse", rung: "primary", channel: "voice" });
    const results = entries.flatMap(({ data }) =>
      (data["pages"] as { label: string; result: unknown }[]).map((page) => [page.label, page.result]),
    );
    expect(results).toContainEqual(["human-1", null]);
    expect(results).toContainEqual(["human-1", "acknowledged"]);
    const told = calls.feed.flatMap((message) => (message.type === "incident" ? [message.incident] : []));
    expect(told).toEqual(entries.map(({ data }) => data) as never);
  });
});

describe("an owner", () => {
  test("is in the row with the way there, and counts in the metrics", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await paging(calls);
    await wait(calls, 10_000);
    await joins(calls, session);
    expect(session.state).toBe("coaching");
    expect(session.row()).toMatchObject({
      escalated: true,
      escalation: {
        by: "ai",
        urgency: "high",
        outcome: "owned",
        timeToAckMs: 10_000,
        owner: { contact: "nurse", rung: "primary", channel: "voice" },
        pages: [
          { label: "human-1", channel: "voice", result: "acknowledged" },
          { label: "sms-2", channel: "sms", result: "cancelled" },
          { label: "push-3", channel: "push", result: "cancelled" },
        ],
      },
    });
    const { escalationMetrics } = calls;
    expect(escalationMetrics.acks).toEqual({ primary: 1 });
    expect(escalationMetrics.outcomes).toEqual({
      owned: 1,
      exhausted: 0,
      caller_left: 0,
      call_lost: 0,
      called_off: 0,
    });
    expect(escalationMetrics.pages).toContainEqual({ channel: "voice", result: "acknowledged", count: 1 });
    expect(escalationMetrics.timeToAck).toMatchObject({ count: 1, sumMs: 10_000 });
  });

  test("by text is rung, and a code tells their incident", async () => {
    const calls = makeCalls({ deployment: LADDER });
    await paging(calls);
    const [page] = calls.escalations.pagesTo(NURSE);
    expect(page).toMatchObject({ callSid: CALL_SID, label: "sms-2", incident: 1, standing: "open" });
    expect(texts(calls)[0]?.body).toContain(page?.code ?? "no code");
    calls.escalations.deliver(CALL_SID, { type: "page.acknowledged", label: "sms-2" });
    await settle();
    expect(calls.escalations.page(CALL_SID, "sms-2")).toMatchObject({ standing: "yours", rings: true });
    // Their phone rings already.
    expect(called(calls)).toEqual([NURSE]);
  });
});

test("an owner whose phone rings already for a later rung may join by that ring", async () => {
  const [primary, secondary] = LADDER.escalation?.rungs ?? [];
  if (!primary || !secondary) throw new Error("there are two rungs");
  const backup = { name: "secondary", contacts: [...primary.contacts, ...secondary.contacts] };
  const calls = makeCalls({ deployment: { escalation: { ...LADDER.escalation, rungs: [primary, backup] } } });
  await paging(calls);
  await wait(calls, WINDOW_MS);
  expect(called(calls)).toEqual([NURSE, NURSE]);
  // The answer to the first rung's text comes while the phone rings for the second.
  calls.escalations.deliver(CALL_SID, { type: "page.acknowledged", label: "sms-2" });
  await settle();
  expect(called(calls)).toHaveLength(2);
  expect(calls.escalations.page(CALL_SID, "human-4")).toMatchObject({ standing: "yours", incident: 1 });
});

describe("a page that nobody wants any more", () => {
  test("is not sent again, whatever was on its way", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const signals: (AbortSignal | undefined)[] = [];
    Object.assign(calls.pushes, {
      send: (_push: unknown, signal?: AbortSignal) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
    });
    const { session } = await paging(calls);
    expect(signals[0]?.aborted).toBe(false);
    await accepts(calls, session);
    expect(signals[0]?.aborted).toBe(true);
  });

  test("is hung up when its call fails, and when its making is answered after the end", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const answers: ((info: { callSid: string; status: "queued" }) => void)[] = [];
    const ready = calls.carrier.createCall.bind(calls.carrier);
    Object.assign(calls.carrier, { createCall: () => new Promise((resolve) => answers.push(resolve)) });
    const { session } = await paging(calls);
    session.abandon();
    answers[0]?.({ callSid: "CA77", status: "queued" });
    await settle();
    expect(hungUp(calls)).toEqual(["CA77"]);
    Object.assign(calls.carrier, { createCall: ready });
  });
});
