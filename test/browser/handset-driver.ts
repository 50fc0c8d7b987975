/** One handset of the phones' page, as a person uses it and hears it. */
import { expect } from "bun:test";
import type { BrowserContext, Locator, Page } from "playwright-core";
import { ULAW_SILENCE } from "../../engine/media/g711.ts";
import { pause, systemClock } from "../../engine/platform/clock.ts";
import { resample } from "../../adapters/sandbox/phone/resample.ts";
import { FRAME_BYTES } from "../../adapters/sandbox/types.ts";
import { joined } from "../support/tap.ts";
import { until } from "../support/until.ts";
import { openWatched } from "./chromium.ts";
import { find } from "./likeness.ts";
import type { SandboxEngine } from "./sandbox-engine.ts";

/** A guard against waiting for ever; nothing is timed by it. */
export const GUARD_MS = 60_000;

type Role = "caller" | "on-call";

/** What a person does with it, and sees of it. */
export interface Handset {
  readonly page: Page;
  readonly section: Locator;
  /** A button of the phone itself, or a key. */
  press(name: string | RegExp): Promise<void>;
  say(text: string): Promise<void>;
  /** Waits until it is in this state. */
  phase(phase: "idle" | "dialing" | "incoming" | "in-call"): Promise<void>;
  logged(text: string | RegExp): Promise<void>;
}

export interface HandsetDriver extends Handset {
  /** What the page must not have done, so far. */
  readonly wrongs: readonly string[];
  /** μ-law that has come over the page's sockets, silence and all. */
  received(): Uint8Array;
  /** What has gone to the loudspeaker, at 8 kHz. */
  loudspeaker(): Promise<Float32Array>;
}

/** Runs in the page before its scripts: keeps what the worklet gives to the loudspeaker. */
function keepSound(): void {
  const kept: Float32Array[] = [];
  const page = globalThis as unknown as Record<string, unknown>;
  page["keptSound"] = kept;
  const { AudioNode, AudioWorkletNode } = globalThis as unknown as Record<string, any>;
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (this: any, target: any, ...rest: any[]) {
    if (this instanceof AudioWorkletNode && target === this.context.destination) {
      page["keptRate"] = this.context.sampleRate;
      // The largest there is: it runs among the page's other scripts, and loses what it comes too late for.
      const recorder = this.context.createScriptProcessor(16_384, 1, 1);
      recorder.onaudioprocess = (event: any) => {
        kept.push(Float32Array.from(event.inputBuffer.getChannelData(0) as Float32Array));
      };
      connect.call(this, recorder);
      connect.call(recorder, this.context.destination);
    }
    return connect.call(this, target, ...rest);
  };
}

/** In the page: what was kept since the last time as base64 of floats, and its rate. */
function takeSound(): { readonly rate: number; readonly base64: string } {
  const page = globalThis as unknown as Record<string, any>;
  const pieces = (page["keptSound"] as Float32Array[]).splice(0);
  const samples = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let end = 0;
  for (const piece of pieces) {
    samples.set(piece, end);
    end += piece.length;
  }
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return { rate: page["keptRate"] ?? 48_000, base64: btoa(text) };
}

/** The handset of a page that has one of this role, or both. */
export async function handsetOn(page: Page, role: Role): Promise<Handset> {
  page.setDefaultTimeout(GUARD_MS);
  const section = page.locator(`[data-role=${role}]`);
  await section.waitFor();
  // Messages have buttons of their own.
  const buttons = section.locator(".owner, .buttons, .keypad");
  return {
    page,
    section,
    press: async (name) => await buttons.getByRole("button", { name, exact: true }).click(),
    say: async (text) => {
      await section.getByLabel("Say by typing").fill(text);
      await section.getByRole("button", { name: "Say", exact: true }).click();
    },
    phase: async (phase) => await section.locator(`[data-phase=${phase}]`).waitFor(),
    logged: async (text) => await section.getByRole("log").getByText(text).first().waitFor(),
  };
}

/** A page of its own; `number` chooses a person beforehand. */
export async function openHandset(
  context: BrowserContext,
  engine: SandboxEngine,
  role: Role,
  number?: string,
): Promise<HandsetDriver> {
  await context.addInitScript(keepSound);
  const frames: Uint8Array[] = [];
  const played: Uint8Array[] = [];
  context.once("page", (page) => {
    page.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => {
        if (typeof payload !== "string") frames.push(new Uint8Array(payload));
      });
    });
  });
  const origins = [engine.phonesOrigin, engine.origin];
  const query = number === undefined ? "" : `?number=${encodeURIComponent(number)}`;
  const { page, wrongs } = await openWatched(context, `${engine.phonesUrl}/${role}${query}`, origins);
  return {
    ...(await handsetOn(page, role)),
    wrongs,
    received: () => joined(frames),
    loudspeaker: async () => {
      const { rate, base64 } = await page.evaluate(takeSound);
      played.push(Uint8Array.fromBase64(base64));
      return resample(new Float32Array(joined(played).buffer), rate, 8000);
    },
  };
}

/** A caller who is on the line with the AI. */
export async function call(context: BrowserContext, engine: SandboxEngine): Promise<HandsetDriver> {
  const caller = await openHandset(context, engine, "caller");
  await caller.press(/^Call/);
  await caller.phase("in-call");
  return caller;
}

/** The first of the ladder, or who has this number; their handset is on. */
export async function beOnCall(
  context: BrowserContext,
  engine: SandboxEngine,
  number?: string,
): Promise<HandsetDriver> {
  const onCall = await openHandset(context, engine, "on-call", number);
  await onCall.press("Be on call");
  await onCall.logged("This is the phone of");
  return onCall;
}

/** The newest call, as the engine's API has it. */
export async function newestCall(engine: SandboxEngine): Promise<CallJson> {
  const [row] = await engine.api<CallJson[]>("calls?limit=1");
  if (!row) throw new Error("the engine has no call");
  return row;
}

export interface CallJson {
  readonly callSid: string;
  readonly state: string;
  readonly transcript: readonly { readonly speaker: "caller" | "agent" | "coach"; readonly text: string }[];
  readonly escalations: readonly {
    readonly pages: readonly { readonly channel: string; readonly result: string | null }[];
  }[];
}

/** Asks the engine until its newest call is as wanted. */
export async function untilCall(
  engine: SandboxEngine,
  what: string,
  check: (row: CallJson) => boolean,
): Promise<CallJson> {
  const deadlineMs = systemClock.monotonicMs() + GUARD_MS;
  for (;;) {
    const row = await newestCall(engine);
    if (check(row)) return row;
    if (systemClock.monotonicMs() > deadlineMs)
      throw new Error(`did not happen: ${what}; ${JSON.stringify(row)}`);
    await pause(systemClock, 20);
  }
}

/** Waits until so much of a clip has come. */
export async function untilReceived(handset: HandsetDriver, clip: Uint8Array, share: number): Promise<void> {
  const isThere = () => shareReceived(clip, handset.received()) >= share;
  await until("the clip comes", isThere, 50, GUARD_MS);
}

/** A second at 8 kHz: a clip may have slipped by so much from its beginning to its end. */
const SLACK = 8000;

/** Waits until the loudspeaker has played so much of a clip (8 kHz, -1..1), each time that it is said counted by itself. */
export async function untilHeard(handset: HandsetDriver, clip: Float32Array, wanted: number): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + GUARD_MS;
  let from = 0;
  for (;;) {
    const heard = (await handset.loudspeaker()).subarray(from);
    const { share, place } = find(clip, heard);
    if (share >= wanted) return;
    // What is behind it will not become more; it may have been broken off, and be said again.
    if (!place) from += Math.max(0, heard.length - clip.length - SLACK);
    else if (heard.length > place.beginsAt + clip.length + SLACK) from += place.endsAt;
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`only ${share} of the clip was heard`);
    await pause(systemClock, 200);
  }
}

/** Waits until somebody has spoken at the other end, on the first call that it has taken. */
export async function untilSpokenTo(handset: HandsetDriver): Promise<void> {
  await until("somebody speaks", () => audible(handset.received()).length >= 10, 50, GUARD_MS);
}

/** Frames of the clip, other than silence, that are among what was received, as a share of all. */
export function shareReceived(clip: Uint8Array, received: Uint8Array): number {
  const said = audible(clip);
  const heard = new Set(audible(received));
  expect(said.length).toBeGreaterThan(0);
  return said.filter((frame) => heard.has(frame)).length / said.length;
}

/** Whole frames as texts, without silent ones. */
export function audible(ulaw: Uint8Array): readonly string[] {
  const frames: string[] = [];
  for (let at = 0; at + FRAME_BYTES <= ulaw.length; at += FRAME_BYTES) {
    // G.711 has two codes of zero, and whoever decodes and encodes again makes one of them.
    const frame = ulaw.slice(at, at + FRAME_BYTES).map((code) => (code === 0x7f ? ULAW_SILENCE : code));
    if (frame.some((code) => code !== ULAW_SILENCE)) frames.push(frame.toBase64());
  }
  return frames;
}
