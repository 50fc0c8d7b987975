import type { ModelAudio } from "../ports.ts";
import { G711Frame } from "./g711-frame.ts";
import { createResampler } from "./resampler.ts";

/** 24 kHz by 8 kHz. */
const RATIO = 3;
const FRAME_SAMPLES = 160;
/** The largest payload of a media message that is let in. */
const MAX_MESSAGE_BYTES = 64 * 1024;
/** One second of the model's speech is worked on at a time, whatever a piece of it brings. */
const BLOCK_SAMPLES = 24_000;
const NO_CARRY = -1;

// Working memory of all calls together: nothing in it outlives one call of a method below.
const caller = new G711Frame(MAX_MESSAGE_BYTES);
const callerCodes = Buffer.from(caller.codes.buffer);
const callerFrame = caller.pcm.subarray(0, FRAME_SAMPLES);
const raised = new Int16Array(FRAME_SAMPLES * RATIO);
const raisedBytes = new Uint8Array(raised.buffer);
/** A block and, before it, the odd byte that the piece before left over. */
const block = new Int16Array(BLOCK_SAMPLES + 1);
const blockBytes = new Uint8Array(block.buffer);
const blockAfterCarry = blockBytes.subarray(1);
const speech = new G711Frame(BLOCK_SAMPLES / RATIO + 1);

/**
 * Stands between a call in μ-law and a model that speaks PCM16 at 24 kHz: everything on the carrier's side of
 * it, the ledger and all that is held back included, goes on counting μ-law. One per model session.
 */
export class ModelTranscoder {
  readonly #deliver: (chunk: ModelAudio) => void;
  readonly #up = createResampler({ fromHz: 8000, toHz: 24_000 });
  readonly #down = createResampler({ fromHz: 24_000, toHz: 8000 });
  /** Whose speech the filter holds, without its audio. */
  #item: ModelAudio | null = null;
  #carry = NO_CARRY;
  /** Samples of the item, at 24 kHz, that the model sent. */
  #received = 0;
  /** Samples of the item, at 8 kHz, that were passed on. */
  #delivered = 0;
  /** What the filter puts out before the item's first sample. */
  #lead = 0;

  /** `deliver` takes the model's speech, in μ-law. */
  constructor(deliver: (chunk: ModelAudio) => void) {
    this.#deliver = deliver;
  }

  /**
   * Hot path. Checked base64 of the caller's μ-law, at most 64 KiB, as base64 of three times as many samples.
   * The filter's state goes on from one message to the next.
   */
  toModel(base64: string): string {
    const bytes = callerCodes.write(base64, 0, "base64");
    caller.decodeUlaw(bytes);
    if (bytes === FRAME_SAMPLES) {
      this.#up.process(callerFrame, raised);
      return raisedBytes.toBase64();
    }
    let text = "";
    for (let at = 0; at < bytes; at += FRAME_SAMPLES) {
      const made = this.#up.process(caller.pcm.subarray(at, Math.min(bytes, at + FRAME_SAMPLES)), raised);
      // Six bytes for each byte: no part needs padding, so their texts can be joined.
      text += raisedBytes.subarray(0, made * 2).toBase64();
    }
    return text;
  }

  /**
   * A piece of the model's speech, of any length: half a sample at its end waits for the next piece of the item.
   * What is delivered ends a filter's delay before what was received, until the item's end is known. `false`
   * when it is not base64.
   */
  fromModel(chunk: ModelAudio): boolean {
    const item = this.#item;
    if (item?.itemId !== chunk.itemId || item.contentIndex !== chunk.contentIndex) this.#begin(chunk);
    const { base64 } = chunk;
    for (let at = 0; at < base64.length;) {
      const carried = this.#carry === NO_CARRY ? 0 : 1;
      const decoded = decode(
        at === 0 ? base64 : base64.slice(at),
        carried === 0 ? blockBytes : blockAfterCarry,
      );
      if (!decoded) return false;
      if (carried === 1) blockBytes[0] = this.#carry;
      at += decoded.read;
      this.#takeBlock(carried + decoded.written);
    }
    return true;
  }

  /** No more audio will come for this item: delivers what the filter still holds of it. */
  endItem(itemId: string): void {
    if (this.#item?.itemId === itemId) this.#end();
  }

  endResponse(responseId: string): void {
    if (this.#item?.responseId === responseId) this.#end();
  }

  /** The item's rest will not be heard. */
  cut(): void {
    this.#item = null;
  }

  #begin(chunk: ModelAudio): void {
    this.#end();
    this.#item = { ...chunk, base64: "" };
    this.#down.reset();
    this.#carry = NO_CARRY;
    this.#received = 0;
    this.#delivered = 0;
    this.#lead = this.#down.delaySamples;
  }

  #end(): void {
    if (this.#item === null) return;
    this.#pass(this.#down.flush(speech.pcm));
    this.#item = null;
  }

  #takeBlock(bytes: number): void {
    const samples = bytes >> 1;
    this.#carry = (bytes & 1) === 1 ? (blockBytes[bytes - 1] as number) : NO_CARRY;
    this.#received += samples;
    this.#pass(this.#down.process(block.subarray(0, samples), speech.pcm));
  }

  /** Delivers what the filter made, but never more of an item than the model sent of it. */
  #pass(made: number): void {
    const item = this.#item;
    const skipped = Math.min(this.#lead, made);
    this.#lead -= skipped;
    const count = Math.min(made - skipped, Math.floor(this.#received / RATIO) - this.#delivered);
    if (item === null || count <= 0) return;
    this.#delivered += count;
    speech.encodeUlaw(made);
    const base64 = speech.codes.subarray(skipped, skipped + count).toBase64();
    this.#deliver({ ...item, base64 });
  }
}

/** As much of `base64` as fits; `null` when that is not base64. */
function decode(
  base64: string,
  into: Uint8Array,
): { readonly read: number; readonly written: number } | null {
  try {
    return into.setFromBase64(base64);
  } catch {
    return null;
  }
}
