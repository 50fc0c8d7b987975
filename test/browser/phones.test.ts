/** The browser phones in a real browser, without a microphone: a whole escalation in two tabs. */
import { afterAll, describe, expect, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import { createSpeech } from "../../adapters/sandbox/speech/speech.ts";
import { silentLog } from "../../engine/platform/log.ts";
import { until } from "../support/until.ts";
import { ulawToFloat } from "../unit/sandbox/phone/signals.ts";
import { skipsBrowser } from "./chromium.ts";
import {
  beOnCall,
  call,
  GUARD_MS,
  type HandsetDriver,
  openHandset,
  shareReceived,
  untilCall,
  untilHeard,
  untilReceived,
  untilSpokenTo,
} from "./handset-driver.ts";
import { rms, shareHeard } from "./likeness.ts";
import { type SandboxEngine, startSandboxEngine } from "./sandbox-engine.ts";
import { share } from "./setup.ts";

const GREETING = "Hello, this is the after-hours line.";
const ASKS = "I need a nurse, please.";
/** What the sandbox's coach whispers to somebody who hears of pain. */
const WHISPER = "Ask where it hurts, and since when.";

/**
 * Of a clip, by its bytes or its waveform: nothing else comes near it, and a machine that is busy with other things
 * leaves out some frames.
 */
const ENOUGH = 0.5;

const speech = createSpeech({ log: silentLog });

const deployment = (phonesOrigin: string) => ({
  agent: { greeting: GREETING },
  escalation: {
    rungs: [
      {
        name: "primary",
        contacts: [
          {
            name: "Nurse Ada",
            voice: "+15550100",
            sms: "+15550100",
            push: `${phonesOrigin}/sandbox/push/ada`,
          },
        ],
      },
      { name: "secondary", contacts: [{ name: "Dr. Lee", voice: "+15550101" }] },
    ],
  },
});

const shared = share({ deployment });
afterAll(() => speech.close());

/** Runs with tabs that share nothing with those of another test. */
async function inTabs(run: (context: BrowserContext) => Promise<void>): Promise<void> {
  const context = await shared.browser.newContext();
  context.setDefaultTimeout(GUARD_MS);
  try {
    await run(context);
  } finally {
    await context.close();
    await untilCall(shared.engine, "the call is over", ({ state }) => state === "ended");
  }
}

async function greeted(context: BrowserContext): Promise<HandsetDriver> {
  const caller = await call(context, shared.engine);
  // What has come is not yet played: whoever speaks now has the rest of it dropped.
  await untilHeard(caller, ulawToFloat(await speech.say(GREETING)), ENOUGH);
  return caller;
}

/** The tab that a button of a message opens, once it shows a text. */
async function answerOf(onCall: HandsetDriver, button: string, text: string): Promise<Page> {
  const opening = onCall.page.waitForEvent("popup");
  await onCall.section.getByRole("listitem").first().getByRole("button", { name: button }).click();
  const page = await opening;
  await page.getByText(text).waitFor();
  return page;
}

/** Runs in the page before its scripts: there is no sound until `letSound` is called. */
function holdSound(): void {
  const page = globalThis as unknown as Record<string, any>;
  const { prototype } = page["AudioWorklet"];
  const { addModule } = prototype;
  const held = new Promise<void>((resolve) => {
    page["letSound"] = resolve;
  });
  prototype.addModule = async function (this: unknown, ...given: unknown[]) {
    await held;
    return addModule.apply(this, given);
  };
}

describe.skipIf(skipsBrowser)("the browser phones", () => {
  test("play a whole escalation in two tabs: only the on-call handset hears the whisper", async () => {
    await inTabs(async (context) => {
      const onCall = await beOnCall(context, shared.engine);
      const caller = await greeted(context);
      await caller.logged("The microphone is not allowed.");
      await caller.say(ASKS);
      await onCall.phase("incoming");
      expect(
        (await untilCall(shared.engine, "escalating", ({ state }) => state === "escalating")).state,
      ).toBe("escalating");
      await onCall.press("Answer");
      await onCall.phase("in-call");
      await untilSpokenTo(onCall);
      await onCall.press("1");
      await untilCall(shared.engine, "coaching", ({ state }) => state === "coaching");
      await caller.section.getByRole("button", { name: "My chest hurts." }).waitFor();
      await caller.say("My chest hurts.");
      const whisper = await speech.say(WHISPER);
      await untilReceived(onCall, whisper, 0.05);
      const heardBefore = (await caller.loudspeaker()).length;
      await untilReceived(onCall, whisper, ENOUGH);
      expect(shareReceived(whisper, caller.received())).toBe(0);
      await untilHeard(onCall, ulawToFloat(whisper), ENOUGH);
      // The caller's own page has played as much of it, had there been any.
      const atCaller = await until(
        "the caller's loudspeaker goes on",
        async () => {
          const sound = await caller.loudspeaker();
          return sound.length > heardBefore + 4000 && sound;
        },
        50,
        GUARD_MS,
      );
      expect(shareHeard(ulawToFloat(await speech.say(GREETING)), atCaller)).toBeGreaterThan(ENOUGH);
      expect(rms(atCaller.subarray(heardBefore))).toBeLessThan(0.001);
      const { transcript } = await untilCall(shared.engine, "the whisper is in the row", (row) =>
        row.transcript.some(({ speaker }) => speaker === "coach"),
      );
      expect(transcript.filter(({ speaker }) => speaker !== "agent").map(({ text }) => text)).toEqual([
        ASKS,
        "My chest hurts.",
        WHISPER,
      ]);
      await caller.press("Hang up");
      await caller.phase("idle");
      expect([...caller.wrongs, ...onCall.wrongs]).toEqual([]);
    });
  });

  test("take an incident by the link of a text, and are rung for it", async () => {
    await inTabs(async (context) => {
      const onCall = await beOnCall(context, shared.engine);
      const caller = await call(context, shared.engine);
      await caller.say(ASKS);
      await onCall.phase("incoming");
      await onCall.section.getByText("Text from").first().waitFor();
      const link = onCall.section.getByRole("link", { name: "Open the link" }).first();
      const opened = onCall.page.waitForEvent("popup");
      await link.click();
      await (await opened).getByRole("button", { name: "I take it" }).waitFor();
      await onCall.press("Decline");
      await answerOf(onCall, "I take it", "You have it.");
      await onCall.phase("incoming");
      await onCall.press("Answer");
      await untilSpokenTo(onCall);
      await onCall.press("1");
      await untilCall(shared.engine, "coaching", ({ state }) => state === "coaching");
      expect(onCall.wrongs).toEqual([]);
    });
  });

  test("leave a call to voicemail, which takes nothing, and get pushes", async () => {
    await inTabs(async (context) => {
      const onCall = await beOnCall(context, shared.engine);
      await onCall.section.getByLabel("Voicemail").check();
      const caller = await call(context, shared.engine);
      await caller.say(ASKS);
      await onCall.phase("incoming");
      await onCall.logged("Voicemail has answered.");
      const { state } = await untilCall(shared.engine, "a voicemail was reached", ({ escalations }) =>
        (escalations[0]?.pages ?? []).some(({ result }) => result === "voicemail"),
      );
      expect(state).toBe("escalating");
      const push = onCall.section.locator("li.push").first();
      await push.waitFor();
      const opening = onCall.page.waitForEvent("popup");
      await push.getByRole("button", { name: "Decline" }).click();
      await (await opening).getByText("Thank you.").waitFor();
    });
  });

  test("place no call that was put down before it was dialled", async () => {
    await inTabs(async (context) => {
      // Who has no sound yet does not dial.
      await context.addInitScript(holdSound);
      const caller = await openHandset(context, shared.engine, "caller");
      const placed = async (): Promise<number> =>
        (await shared.engine.api<unknown[]>("calls?limit=500")).length;
      const before = await placed();
      await caller.press(/^Call/);
      await caller.phase("dialing");
      await caller.press("Hang up");
      await caller.phase("idle");
      await caller.press(/^Call/);
      await caller.phase("dialing");
      await caller.page.evaluate("letSound()");
      await caller.phase("in-call");
      expect(await placed()).toBe(before + 1);
      expect(caller.wrongs).toEqual([]);
    });
  });

  test("are connected again by themselves when the sandbox was away", async () => {
    const context = await shared.browser.newContext();
    const engines = [await startSandboxEngine()];
    try {
      const [own] = engines as [SandboxEngine];
      const caller = await call(context, own);
      await own.kill();
      await caller.section.getByRole("alert").getByText("Trying again").waitFor();
      await caller.phase("idle");
      engines.push(await startSandboxEngine({ port: Number(new URL(own.origin).port) }));
      await caller.section.getByText("connected", { exact: true }).waitFor();
      await caller.press(/^Call/);
      await caller.phase("in-call");
    } finally {
      for (const each of engines) await each.kill();
      await context.close();
    }
  });

  test("are refused to pages of other sites and under other names than loopback", async () => {
    const get = async (headers: Record<string, string>) =>
      (await fetch(shared.engine.phonesUrl, { headers })).status;
    expect(await get({})).toBe(200);
    expect(await get({ host: "phones.example" })).toBe(403);
    expect(await get({ origin: "https://evil.example" })).toBe(403);
    const { status } = await fetch(`${shared.engine.origin}/phones`);
    expect(status).toBe(404);
  });
});
