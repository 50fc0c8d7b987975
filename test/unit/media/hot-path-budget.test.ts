/** What a frame may cost besides its bytes: no timer of its own, no event, nothing that stays. */
import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { AudioDeltaReader } from "../../../adapters/openai/audio-delta.ts";
import { Bridge, type BridgeEvents } from "../../../engine/media/bridge.ts";
import { MediaLeg } from "../../../engine/media/leg.ts";
import { PacingWheel } from "../../../engine/media/wheel.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import { SilentModel } from "../../support/fake-ports.ts";
import { speech } from "./leg-setup.ts";

const FRAME_MS = 20;
const FRAME_BYTES = 160;
const DELTA_FRAMES = 5;
/** A slot of the wheel has four phases. */
const PHASES = 4;
/** More texts than one, so that nothing is remembered by its text. */
const PAYLOADS = Array.from({ length: 32 }, (_, i) => speech(FRAME_BYTES, i + 1).toBase64());
const SPEECH = Array.from({ length: 32 }, (_, i) => speech(FRAME_BYTES * DELTA_FRAMES, i + 1).toBase64());

class CountingClock extends VirtualClock {
  armed = 0;

  override setTimeout(fn: () => void, delayMs: number): unknown {
    this.armed++;
    return super.setTimeout(fn, delayMs);
  }
}

/** One call's data plane between a carrier and a model, both of text. */
class Call {
  readonly bridge: Bridge;
  /** What the control plane was told. */
  edges = 0;
  framesOut = 0;
  framesIn = 0;
  toModel = 0;
  readonly #leg: MediaLeg;
  readonly #sid: string;
  readonly #deltas = new AudioDeltaReader();
  #response = 0;
  #marks: string[] = [];

  constructor(index: number, clock: VirtualClock, wheel: PacingWheel) {
    this.#sid = `MZ${index}`;
    this.bridge = new Bridge({ callId: `CA${index}`, clock, log: silentLog, events: this.#events() });
    const session = new SilentModel().open(
      {
        callId: `CA${index}`,
        instructions: "",
        voice: "",
        tools: [],
        history: [],
        turnDetection: { type: "server_vad" },
      },
      this.bridge,
    );
    session.appendAudio = () => void this.toModel++;
    this.bridge.attachSession(session);
    this.bridge.ready();
    const socket = {
      send: (text: string): number => this.#onSent(text),
      bufferedBytes: () => 0,
      close: () => undefined,
    };
    this.#leg = new MediaLeg({ socket, streamSid: this.#sid, clock, wheel, log: silentLog });
    this.bridge.attachLeg(this.#leg);
  }

  /** The caller's next 20 ms, and the marks of what was played meanwhile. */
  hear(): void {
    const n = this.framesIn++;
    this.#leg.onText(
      `{"event":"media","sequenceNumber":"${n + 2}","media":{"track":"inbound","chunk":"${n + 1}","timestamp":"${n * FRAME_MS}","payload":"${PAYLOADS[n % PAYLOADS.length]}"},"streamSid":"${this.#sid}"}`,
    );
    for (const name of this.#marks.splice(0)) {
      this.#leg.onText(
        `{"event":"mark","sequenceNumber":"1","streamSid":"${this.#sid}","mark":{"name":"${name}"}}`,
      );
    }
  }

  beginResponse(): void {
    this.bridge.responseStarted(this.#responseId(1));
  }

  speak(n: number): void {
    const chunk = this.#deltas.cut(
      `{"type":"response.output_audio.delta","event_id":"event_${n}","response_id":"${this.#responseId()}","item_id":"item_${this.#response}","output_index":0,"content_index":0,"delta":"${SPEECH[n % SPEECH.length]}"}`,
    );
    if (chunk) this.bridge.audio(chunk);
  }

  endResponse(): void {
    this.bridge.audioDone({ itemId: `item_${this.#response}` });
    this.bridge.responseDone({ responseId: this.#responseId(), status: "completed", usage: null });
  }

  counters(): Readonly<Record<string, number>> {
    return this.#leg.counters();
  }

  #responseId(step = 0): string {
    this.#response += step;
    return `resp_${this.#response}`;
  }

  #onSent(text: string): number {
    if (text.startsWith('{"event":"media"')) this.framesOut++;
    else if (text.startsWith('{"event":"mark"')) this.#marks.push(JSON.parse(text).mark.name);
    return text.length;
  }

  #events(): BridgeEvents {
    const edge = (): void => void this.edges++;
    return {
      modelReady: edge,
      modelReconnecting: edge,
      modelWarning: edge,
      modelFailed: edge,
      toolCall: edge,
      userSpeech: edge,
      turn: edge,
      bargedIn: edge,
      transcript: edge,
      drained: edge,
      dtmf: edge,
      usage: edge,
      responseDone: edge,
    };
  }
}

/** A turn of `frames`: the model answers all the while, in bursts of 100 ms, and the caller is heard. */
function turn(calls: readonly Call[], clock: VirtualClock, frames: number): void {
  for (const call of calls) call.beginResponse();
  for (let frame = 0; frame < frames; frame++) {
    for (const call of calls) {
      if (frame % DELTA_FRAMES === 0) call.speak(frame);
      call.hear();
    }
    clock.advance(FRAME_MS);
  }
  for (const call of calls) call.endResponse();
  // Played to its end, so that the next turn begins with an idle leg.
  for (let frame = 0; frame < 30; frame++) {
    for (const call of calls) call.hear();
    clock.advance(FRAME_MS);
  }
}

test("fifty calls that talk for 30 s arm one timer per tick, and tell the control plane nothing per frame", () => {
  const clock = new CountingClock();
  const wheel = new PacingWheel({ clock });
  const calls = Array.from({ length: 50 }, (_, i) => new Call(i, clock, wheel));
  const told = calls.map(({ edges }) => edges);
  const seconds = 30;
  turn(calls, clock, (seconds * 1000) / FRAME_MS);
  const ticks = ((seconds * 1000 + 600) / FRAME_MS) * PHASES;
  for (const [i, call] of calls.entries()) {
    expect(call.framesOut).toBe((seconds * 1000) / FRAME_MS);
    expect(call.toModel).toBe(call.framesIn);
    // The end of the answer and its text: two edges for 3,030 frames.
    expect(call.edges - (told[i] as number)).toBeLessThanOrEqual(2);
    expect(call.counters()).toMatchObject({ inSlowPath: 0, underruns: 0, outDropped: 0 });
  }
  // 75,000 frames out and as many in. A tick arms the next timer; a leg that joins may set it anew, once.
  expect(clock.armed).toBeGreaterThan(ticks / PHASES);
  expect(clock.armed).toBeLessThanOrEqual(ticks + calls.length);
  expect(clock.pendingTimers).toBe(0);
});

test("the number of timers does not depend on the number of calls", () => {
  const armed = [1, 4, 40].map((count) => {
    const clock = new CountingClock();
    const wheel = new PacingWheel({ clock });
    const calls = Array.from({ length: count }, (_, i) => new Call(i, clock, wheel));
    turn(calls, clock, 500);
    return clock.armed - count;
  });
  // One leg is in one phase of the slot; from four on, every phase has one.
  expect(armed[0]).toBeLessThanOrEqual(540);
  expect(armed[2]).toBeLessThanOrEqual((armed[1] as number) + PHASES);
});

test("a hundred thousand frames leave nothing behind", () => {
  const clock = new VirtualClock();
  const wheel = new PacingWheel({ clock });
  const calls = [new Call(1, clock, wheel), new Call(2, clock, wheel)];
  const objects = (): number => {
    Bun.gc(true);
    return heapStats().objectCount;
  };
  // What is remembered of items and marks fills up to its bounds, and the compiler is done.
  for (let n = 0; n < 300; n++) turn(calls, clock, 20);
  turn(calls, clock, 2000);
  const samples = [objects()];
  const before = calls.reduce((sum, { framesIn, framesOut }) => sum + framesIn + framesOut, 0);
  for (let n = 0; n < 6; n++) {
    for (let k = 0; k < 5; k++) turn(calls, clock, 1000);
    samples.push(objects());
  }
  const frames = calls.reduce((sum, { framesIn, framesOut }) => sum + framesIn + framesOut, 0) - before;
  expect(frames).toBeGreaterThan(100_000);
  const steps = samples.slice(1).map((count, i) => count - (samples[i] as number));
  // 20,000 frames apart. The runtime and other tests' rest may add or free some of their own in one step or
  // another, so the middle one counts: something left in every frame, or in every thousandth, is in each.
  expect(steps.toSorted((x, y) => x - y)[steps.length >> 1]).toBeLessThan(20);
  wheel.stop();
});
