/** Ten seconds of speech in one burst, interrupted at three: what the model is told is what was heard. */
import { describe, expect, test } from "bun:test";
import { begin, ended, stateOf } from "../support/steps.ts";
import { joined, listen, spoken } from "../support/tap.ts";
import { CALLER, noise, NUMBER } from "../support/world.ts";

/** 40 ms of noise a character: ten seconds. */
const TEN_SECONDS = "x".repeat(250);
const BYTES_PER_MS = 8;
const MAX_ERROR_MS = 60;

describe("barge-in", () => {
  for (const lossRate of [0, 0.33]) {
    test(`tells the model the position the carrier reached, with ${lossRate * 100} % of marks lost`, async () => {
      const tap = listen();
      const heard: Uint8Array[] = [];
      const world = await begin({ tap: tap.tap, deployment: { agent: { greeting: TEN_SECONDS } } });
      world.carrier.faults.set({ marks: { lossRate } });
      const { phone } = await world.phone(CALLER, { onFrame: (frame) => void heard.push(frame.slice()) });
      const callSid = await phone.dial(NUMBER);
      await world.until("streaming", () => stateOf(world, callSid) === "streaming");
      heard.length = 0;
      const greeting = Buffer.from(noise(TEN_SECONDS, 10_000));
      const heardMs = (): number => spoken(joined(heard)).length / BYTES_PER_MS;
      await world.until("three seconds were heard", () => heardMs() >= 3000);
      // All ten seconds were generated long ago.
      expect(tap.sent().length).toBe(greeting.length);
      void phone.speak(noise("stop", 600));
      const truncate = await world.until(
        "the model is told",
        () => tap.messages("conversation.item.truncate")[0],
      );
      await world.until("the caller's words have been said", () => !phone.speaking);
      const truthMs = heardMs();
      expect(Math.abs(Number(truncate["audio_end_ms"]) - truthMs)).toBeLessThanOrEqual(MAX_ERROR_MS);
      // What was heard is the beginning of the greeting, and nothing of it came after the cut.
      expect(greeting.subarray(0, truthMs * BYTES_PER_MS).equals(spoken(joined(heard)))).toBe(true);
      phone.hangUp();
      const row = await ended(world, callSid);
      expect(row.metrics["bargeIns"]).toBe(1);
      const [agent] = row.protected.transcript;
      expect(agent).toMatchObject({ speaker: "agent", generatedMs: 10_000 });
      expect(agent?.heardText?.length ?? 0).toBeLessThan(TEN_SECONDS.length / 2);
    });
  }
});
