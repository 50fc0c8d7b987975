import { describe, expect, test } from "bun:test";
import { QuietWatch } from "../../../engine/call/quiet-watch.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";

function watched() {
  const clock = new VirtualClock();
  const told: number[] = [];
  const speech = { pendingMs: 0 };
  const startMs = clock.now();
  const watch = new QuietWatch({
    clock,
    afterMs: 1000,
    pendingMs: () => speech.pendingMs,
    onQuiet: () => told.push(clock.now() - startMs),
  });
  return { clock, told, speech, watch };
}

describe("the watch for silence", () => {
  test("tells once of a silence, and again of the next", () => {
    const { clock, told, watch } = watched();
    watch.stir();
    clock.advance(5000);
    expect(told).toEqual([1000]);
    watch.stir();
    clock.advance(5000);
    expect(told).toEqual([1000, 6000]);
  });

  test("counts from the end of what the AI has said, however long before that it was known", () => {
    const { clock, told, speech, watch } = watched();
    speech.pendingMs = 3000;
    watch.stir();
    clock.advance(2000);
    speech.pendingMs = 4000;
    clock.advance(2000);
    expect(told).toEqual([]);
    clock.advance(4000);
    speech.pendingMs = 0;
    clock.advance(1000);
    expect(told).toEqual([9000]);
  });

  test("says nothing while the caller speaks, however long, nor after its end", () => {
    const { clock, told, watch } = watched();
    watch.callerSpeaks(true);
    watch.stir();
    clock.advance(60_000);
    expect(told).toEqual([]);
    watch.callerSpeaks(false);
    clock.advance(999);
    watch.stop();
    clock.advance(60_000);
    expect(told).toEqual([]);
  });
});
