/** The ladder over real sockets: who is called when, who gets it, and what is left of it in the row. */
import { afterEach, describe, expect, test } from "bun:test";
import type { Phone } from "../../adapters/sandbox/phone/phone.ts";
import type { PushBody } from "../../engine/push-port.ts";
import { begin, call, ended, stateOf, untilCoaching } from "../support/steps.ts";
import { listen, SILENCE } from "../support/tap.ts";
import { noise, NUMBER, ON_CALL, type TestPhone, type World } from "../support/world.ts";

const SECOND = "+15550101";
const THIRD = "+15550102";

const receivers: { stop(force: boolean): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(receivers.splice(0).map((server) => server.stop(true)));
});

/** A phone that is on and gets the calls and texts to its number. */
async function onCall(
  world: World,
  number: string,
  options: Parameters<World["phone"]>[1] = {},
): Promise<TestPhone> {
  const phone = await world.phone(number, options);
  phone.phone.register();
  return phone;
}

/** The caller asks for a person, and the AI calls the tool for it. */
async function askForHelp(phone: Phone): Promise<void> {
  expect(await phone.speak(noise("help", 600), "I need a nurse, please.")).toBe("said");
}

describe("an escalation", () => {
  test("goes to the second who accepts when the first ignores it, is coached, and comes back to the AI", async () => {
    const tap = listen();
    const world = await begin({
      tap: tap.tap,
      deployment: {
        escalation: {
          ackTimeoutMs: 1000,
          rungs: [
            { name: "primary", contacts: [{ name: "nurse", voice: ON_CALL }] },
            { name: "secondary", contacts: [{ name: "Dr. Lee", voice: SECOND }] },
          ],
        },
      },
    });
    const heard = { byCaller: 0, bySecond: 0 };
    let coachFrom = Number.POSITIVE_INFINITY;
    let coachTo = Number.POSITIVE_INFINITY;
    const first = await onCall(world, ON_CALL);
    // Noise repeats nowhere: a frame that is found among the coach's bytes was said by the coach.
    const isWhisper = (frame: Uint8Array): boolean => {
      const at = frame.includes(SILENCE) ? -1 : Buffer.from(tap.sent()).indexOf(frame, coachFrom);
      return at >= 0 && at < coachTo;
    };
    const second = await onCall(world, SECOND, {
      onFrame: (frame) => void (heard.bySecond += Number(isWhisper(frame))),
    });
    const { phone, callSid } = await call(world, {
      onFrame: (frame) => void (heard.byCaller += Number(isWhisper(frame))),
    });
    await askForHelp(phone);
    await world.until("the first is rung", () => first.phone.state === "incoming");
    expect(stateOf(world, callSid)).toBe("escalating");
    await world.until("the second is rung", () => second.phone.state === "incoming");
    await world.until("the first rings no more", () => first.phone.state === "idle");
    second.phone.answer();
    await world.until("the briefing is heard", () => second.phone.ear.heardSpeech);
    second.phone.press("1");
    await untilCoaching(world, callSid);
    coachFrom = tap.sent().length;
    await second.phone.speak(noise("pain", 600), "My chest hurts.");
    await world.until("a second of the whisper is heard", () => heard.bySecond >= 50);
    second.phone.hangUp();
    await world.until("the AI is back", () => stateOf(world, callSid) === "streaming");
    coachTo = tap.sent().length;
    await world.until("the AI speaks again", () => tap.sent().length > coachTo + 8000);
    expect(heard.byCaller).toBe(0);
    phone.hangUp();
    const row = await ended(world, callSid);
    expect(row).toMatchObject({
      endReason: "caller_hung_up",
      escalated: true,
      handover: "coached",
      escalation: {
        number: 1,
        by: "ai",
        outcome: "owned",
        owner: { contact: "Dr. Lee", rung: "secondary", channel: "voice" },
        rungsReached: ["primary", "secondary"],
        pages: [
          { label: "human-1", rung: "primary", contact: "nurse", channel: "voice", result: "timed-out" },
          { label: "human-2", rung: "secondary", channel: "voice", result: "acknowledged" },
        ],
      },
    });
    expect(row.escalations).toHaveLength(1);
    expect(row.protected.escalationReason).toContain("nurse");
    const log = await world.log(callSid);
    const phases = log.filter(({ name }) => name === "incident").map(({ data }) => data["phase"]);
    expect(phases).toEqual(expect.arrayContaining(["paging", "joining", "owned"]));
    expect(world.warnings).toEqual([]);
  });

  test("is answered once by all channels at once: who answers by text is rung, and the others are told", async () => {
    const pushes: PushBody[] = [];
    const receiver = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        pushes.push((await request.json()) as PushBody);
        return new Response(null, { status: 204 });
      },
    });
    receivers.push(receiver);
    const push = `http://127.0.0.1:${receiver.port}/hook`;
    const contacts = [
      { name: "nurse", voice: ON_CALL, sms: ON_CALL },
      { name: "Dr. Lee", voice: SECOND, sms: SECOND },
      { name: "Dr. May", voice: THIRD, push },
    ];
    const deployment = { escalation: { ackTimeoutMs: 60_000, rungs: [{ name: "primary", contacts }] } };
    const world = await begin({ deployment });
    const nurse = await onCall(world, ON_CALL);
    const lee = await onCall(world, SECOND);
    const may = await onCall(world, THIRD);
    const textsOf = ({ events }: TestPhone): string[] =>
      events.flatMap((event) => (event.type === "sms" ? [event.body] : []));
    const { phone, callSid } = await call(world);
    await askForHelp(phone);
    await world.until("all phones ring", () =>
      [nurse, lee, may].every((each) => each.phone.state === "incoming"),
    );
    await world.until("the texts and the push are there", () => pushes.length > 0 && textsOf(lee).length > 0);
    const live = await fetch(`${world.engine.origin}/api/calls/${callSid}`);
    expect(await live.json()).toMatchObject({ escalation: { outcome: null, owner: null } });
    lee.phone.sendSms(NUMBER, "1");
    await world.until("the others ring no more", () =>
      [nurse, may].every((each) => each.phone.state === "idle"),
    );
    await world.until("the nurse is told", () => textsOf(nurse).some((text) => text.includes("Dr. Lee")));
    expect(lee.phone.state).toBe("incoming");
    // The link of a push is of the same incident, and somebody has it.
    const late = await fetch(pushes[0]?.ackUrl ?? "", { method: "POST" });
    expect([late.status, await late.text()]).toEqual([409, expect.stringContaining("Dr. Lee")]);
    lee.phone.answer();
    await world.until("the briefing is heard", () => lee.phone.ear.heardSpeech);
    lee.phone.press("1");
    await untilCoaching(world, callSid);
    phone.hangUp();
    const { escalation } = await ended(world, callSid);
    expect(escalation).toMatchObject({
      outcome: "owned",
      owner: { contact: "Dr. Lee", channel: "sms" },
    });
    const results = escalation?.pages.map(
      ({ contact, channel, result }) => `${contact} ${channel} ${result}`,
    );
    expect(results?.toSorted()).toEqual([
      "Dr. Lee sms acknowledged",
      "Dr. Lee voice acknowledged",
      "Dr. May push cancelled",
      "Dr. May voice cancelled",
      "nurse sms cancelled",
      "nurse voice cancelled",
    ]);
    // Twice nobody was told anything.
    expect(textsOf(nurse)).toHaveLength(2);
    const metrics = await (await fetch(`${world.engine.origin}/metrics`)).text();
    for (const line of [
      'tandem_pages_total{channel="voice",result="cancelled"} 2',
      'tandem_incidents_total{outcome="owned"} 1',
      'tandem_acks_total{rung="primary"} 1',
      "tandem_time_to_ack_seconds_count 1",
      'tandem_pushes_total{counter="sent"} 1',
      "tandem_follow_ups_open 0",
    ]) {
      expect(metrics.split("\n")).toContain(line);
    }
    expect(world.warnings).toEqual([]);
  });

  test("whose caller hangs up while somebody rings ends every page, and nobody joins an empty room", async () => {
    const world = await begin({
      deployment: {
        escalation: { rungs: [{ name: "primary", contacts: [{ name: "nurse", voice: ON_CALL }] }] },
      },
    });
    const nurse = await onCall(world, ON_CALL);
    const { phone, callSid } = await call(world);
    await askForHelp(phone);
    await world.until("the phone rings", () => nurse.phone.state === "incoming");
    nurse.phone.answer();
    await world.until("the briefing is heard", () => nurse.phone.ear.heardSpeech);
    phone.hangUp();
    const row = await ended(world, callSid);
    expect(nurse.phone.state).toBe("idle");
    expect(row).toMatchObject({
      handover: null,
      escalation: { outcome: "caller_left", owner: null, pages: [{ result: "cancelled" }] },
    });
    expect(world.warnings).toEqual([]);
  });
});
