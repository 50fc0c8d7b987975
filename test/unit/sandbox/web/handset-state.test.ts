import { describe, expect, test } from "bun:test";
import {
  createHandsetStore,
  MAX_INBOX,
  MAX_LINES,
  smsItem,
} from "../../../../adapters/sandbox/web/page/handset-state.ts";
import type { PhoneNotice } from "../../../../adapters/sandbox/phone/phone-messages.ts";

function handset() {
  const store = createHandsetStore("on-call", "+15550100");
  const state = () => store.getSnapshot().context;
  const told = (notice: PhoneNotice) => store.trigger.notice({ notice, atMs: 1 });
  return { store, state, told, texts: () => state().lines.map(({ text }) => text) };
}

describe("a handset's state", () => {
  test("follows a call that rings, is answered and ends, with a line for each step", () => {
    const { store, state, told, texts } = handset();
    store.trigger.link({ link: "open", atMs: 1 });
    told({ type: "incoming", callSid: "CA1", from: "+15550123" });
    expect(state()).toMatchObject({ phase: "incoming", peer: "+15550123" });
    told({ type: "answered", callSid: "CA1" });
    expect(state().phase).toBe("in-call");
    told({ type: "ended", callSid: "CA1", reason: "hangup" });
    expect(state().phase).toBe("idle");
    expect(texts()).toEqual([
      "Connected.",
      "Incoming call from +15550123.",
      "Answered: you are on the line.",
      "Call over: hangup.",
    ]);
  });

  test("rings no more when the caller gives up", () => {
    const { state, told } = handset();
    told({ type: "incoming", callSid: "CA1", from: "+15550123" });
    told({ type: "cancelled", callSid: "CA1" });
    expect(state().phase).toBe("idle");
  });

  test("takes an error for the answer while it dials, and for a remark in a call", () => {
    const { store, state, told } = handset();
    store.trigger.began({ phase: "dialing", peer: "+15550123", atMs: 1, text: "Calling…" });
    told({ type: "error", message: "no such number" });
    expect(state()).toMatchObject({ phase: "idle", problem: "no such number" });
    told({ type: "incoming", callSid: "CA1", from: "+15550123" });
    expect(state().problem).toBeNull();
    told({ type: "answered", callSid: "CA1" });
    told({ type: "error", message: "too fast" });
    expect(state()).toMatchObject({ phase: "in-call", problem: "too fast" });
  });

  test("says that the microphone was refused, and has it on once it is given", () => {
    const { store, state } = handset();
    store.trigger.microphone({ microphone: "refused", atMs: 1, text: "Not allowed. Type." });
    expect(state()).toMatchObject({ microphone: "refused", problem: "Not allowed. Type." });
    store.trigger.microphone({ microphone: "on", atMs: 1, text: "On." });
    expect(state()).toMatchObject({ microphone: "on", problem: null });
  });

  test("has no call left when the connection is lost, and says so until it is back", () => {
    const { store, state, told } = handset();
    store.trigger.link({ link: "open", atMs: 1 });
    told({ type: "answered", callSid: "CA1" });
    store.trigger.link({ link: "lost", atMs: 2 });
    expect(state()).toMatchObject({ phase: "idle", link: "lost" });
    expect(state().problem).toContain("Trying again");
    store.trigger.link({ link: "open", atMs: 3 });
    expect(state().problem).toBeNull();
  });

  test("keeps a message once, whether it was fetched or told, with the link in it", () => {
    const { store, state, told } = handset();
    const body = "a caller needs you. Reply 1 to take, or http://127.0.0.1:8080/ack/a-b_c.~1";
    const sms = { messageSid: "SM1", from: "+15550123", to: "+15550100", body };
    store.trigger.pushed({ items: [smsItem(sms)], atMs: 1 });
    told({ type: "sms", ...sms });
    expect(state().inbox).toEqual([
      {
        id: "SM1",
        kind: "sms",
        title: "Text from +15550123",
        body,
        ackUrl: "http://127.0.0.1:8080/ack/a-b_c.~1",
      },
    ]);
    told({ type: "sms", ...sms, messageSid: "SM2", body: "handled" });
    expect(state().inbox.at(-1)?.ackUrl).toBeNull();
  });

  test("belongs to another person without the messages of the one before", () => {
    const { store, state, told } = handset();
    told({ type: "sms", messageSid: "SM1", from: "+15550123", to: "+15550100", body: "hello" });
    store.trigger.owner({ number: "+15550101", person: null });
    expect(state()).toMatchObject({ number: "+15550101", inbox: [] });
  });

  test("keeps the newest messages and lines only", () => {
    const { state, told, texts } = handset();
    for (let i = 0; i < MAX_LINES + 10; i++) {
      told({ type: "sms", messageSid: `SM${i}`, from: `+1555010${i}`, to: "+15550100", body: "hello" });
    }
    expect(state().inbox).toHaveLength(MAX_INBOX);
    expect(state().inbox.at(-1)?.id).toBe(`SM${MAX_LINES + 9}`);
    expect(texts()).toHaveLength(MAX_LINES);
    expect(new Set(state().lines.map(({ id }) => id)).size).toBe(MAX_LINES);
  });
});
