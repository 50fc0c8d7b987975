/** Endpoints and frames for the tests of the media side. */
import { FRAME_BYTES, type AudioEndpoint } from "../../../../adapters/sandbox/types.ts";
import { SILENT_FRAME } from "../../../../adapters/sandbox/carrier/media/tones.ts";

/** A frame of one code word. 0x80 + n is positive, low n is loud. */
export function frameOf(code: number): Uint8Array {
  return new Uint8Array(FRAME_BYTES).fill(code);
}

/** `frames` frames of noise that no other seed makes. */
export function noise(seed: number, frames = 1, extraBytes = 0): Uint8Array {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  return Uint8Array.from({ length: frames * FRAME_BYTES + extraBytes }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

/** Says what it is given and keeps what it hears. */
export class TestEndpoint implements AudioEndpoint {
  saying: Uint8Array | null = null;
  readonly heard: Uint8Array[] = [];
  reads = 0;

  read(out: Uint8Array): boolean {
    this.reads++;
    if (!this.saying) return false;
    out.set(this.saying);
    return true;
  }

  write(frame: Uint8Array): void {
    this.heard.push(frame.slice());
  }

  get last(): Uint8Array {
    return this.heard.at(-1) ?? SILENT_FRAME;
  }
}

export function isSilent(frame: Uint8Array): boolean {
  return frame.every((code) => code === 0xff);
}
