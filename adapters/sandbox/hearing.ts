import { ULAW_SILENCE } from "../../engine/media/g711.ts";
import { isAudible } from "./carrier/media/levels.ts";
import { FRAME_BYTES, type Hearing } from "./types.ts";

/** About half an hour of speech. */
const MAX_FRAMES = 100_000;
/** A frame that is part of more texts than this tells nothing; further ones are left out. */
const MAX_OWNERS = 16;
const NOTHING: readonly string[] = [];

interface Utterance {
  readonly text: string;
  readonly frames: readonly number[];
  /** The owners of a frame that is part of this utterance alone; shared by nearly all its frames. */
  readonly alone: Owners;
  usedAt: number;
}

interface Owners {
  readonly utterances: readonly Utterance[];
  readonly texts: readonly string[];
}

/** The other code of a sample of zero: G.711 has two, and whoever decodes and encodes again makes one of them. */
const MINUS_ZERO = 0x7f;

/** A 53-bit hash of 160 bytes (two independent 32-bit multiplicative lanes); `null` for silence. */
function hashFrame(frame: Uint8Array): number | null {
  if (!isAudible(frame)) return null;
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let i = 0; i < FRAME_BYTES; i++) {
    const code = frame[i] === MINUS_ZERO ? ULAW_SILENCE : (frame[i] as number);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x5bd1e995);
    b ^= b >>> 15;
  }
  return (a >>> 0) * 0x20_0000 + ((b >>> 0) & 0x1f_ffff);
}

class FrameHearing implements Hearing {
  readonly #maxFrames: number;
  readonly #byFrame = new Map<number, Owners>();
  readonly #utterances = new Map<string, Utterance>();
  readonly #frame = new Uint8Array(FRAME_BYTES);
  #uses = 0;

  constructor(maxFrames: number) {
    this.#maxFrames = maxFrames;
  }

  note(text: string, ulaw: Uint8Array): void {
    if (text === "") return;
    const hashes = new Set<number>();
    const frame = this.#frame;
    for (let at = 0; at < ulaw.length && hashes.size < this.#maxFrames; at += FRAME_BYTES) {
      const part = ulaw.subarray(at, at + FRAME_BYTES);
      frame.set(part);
      frame.fill(ULAW_SILENCE, part.length);
      const hash = hashFrame(frame);
      if (hash !== null) hashes.add(hash);
    }
    if (hashes.size === 0) return;
    const frames = [...hashes];
    const key = `${frames[0]}:${frames.at(-1)}:${frames.length}:${text}`;
    const known = this.#utterances.get(key);
    if (known) {
      known.usedAt = ++this.#uses;
      return;
    }
    this.#remember(key, text, frames);
  }

  lookup(frame: Uint8Array): readonly string[] {
    const hash = frame.length === FRAME_BYTES ? hashFrame(frame) : null;
    const owners = hash === null ? undefined : this.#byFrame.get(hash);
    if (!owners) return NOTHING;
    const usedAt = ++this.#uses;
    for (const utterance of owners.utterances) utterance.usedAt = usedAt;
    return owners.texts;
  }

  #remember(key: string, text: string, frames: readonly number[]): void {
    const utterances: Utterance[] = [];
    const utterance: Utterance = {
      text,
      frames,
      alone: { utterances, texts: [text] },
      usedAt: ++this.#uses,
    };
    utterances.push(utterance);
    this.#utterances.set(key, utterance);
    for (const hash of frames) {
      const owners = this.#byFrame.get(hash);
      if (!owners) this.#byFrame.set(hash, utterance.alone);
      else if (owners.utterances.length < MAX_OWNERS) {
        this.#byFrame.set(hash, ownedBy([...owners.utterances, utterance]));
      }
    }
    while (this.#byFrame.size > this.#maxFrames) this.#forgetOldest();
  }

  /** Forgets the utterance that was longest neither noted nor heard. */
  #forgetOldest(): void {
    let oldest: Utterance | null = null;
    let oldestKey = "";
    for (const [key, utterance] of this.#utterances) {
      if (oldest && utterance.usedAt >= oldest.usedAt) continue;
      oldest = utterance;
      oldestKey = key;
    }
    if (!oldest) return;
    this.#utterances.delete(oldestKey);
    for (const hash of oldest.frames) this.#disown(hash, oldest);
  }

  #disown(hash: number, utterance: Utterance): void {
    const rest = this.#byFrame.get(hash)?.utterances.filter((owner) => owner !== utterance) ?? [];
    if (rest.length === 0) this.#byFrame.delete(hash);
    else this.#byFrame.set(hash, ownedBy(rest));
  }
}

function ownedBy(utterances: readonly Utterance[]): Owners {
  const first = utterances[0] as Utterance;
  if (utterances.length === 1) return first.alone;
  return { utterances, texts: [...new Set(utterances.map((utterance) => utterance.text))] };
}

/**
 * Hearing by content: a frame is known by its bytes alone, wherever it turns up. Keeps at most `maxFrames`
 * different frames (100 000 by default, about half an hour of speech) and forgets the utterances that were
 * longest not in use.
 */
export function createHearing(options: { readonly maxFrames?: number } = {}): Hearing {
  return new FrameHearing(options.maxFrames ?? MAX_FRAMES);
}
