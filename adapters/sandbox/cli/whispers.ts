/** Whose ear heard the coach: by the frames of what it said, as a voice synthesises them anew. */
import { createHearing } from "../hearing.ts";
import type { Speaker } from "../../../engine/ports.ts";
import { FRAME_BYTES, type Hearing, type Speech } from "../types.ts";

/** Something that was said in the call, and by whom. */
export interface SaidLine {
  readonly speaker: Speaker;
  readonly text: string;
}

export class Whispers {
  readonly #hearing: Hearing;
  readonly #coachTexts: ReadonlySet<string>;

  private constructor(hearing: Hearing, coachTexts: ReadonlySet<string>) {
    this.#hearing = hearing;
    this.#coachTexts = coachTexts;
  }

  /** Synthesises what the AI said: a frame that is part of something that it said aloud, too, is no whisper. */
  static async of(lines: readonly SaidLine[], speech: Speech): Promise<Whispers> {
    const hearing = createHearing();
    for (const { text } of lines) {
      if (text !== "") hearing.note(text, await speech.say(text));
    }
    const aloud = new Set(lines.flatMap(({ speaker, text }) => (speaker === "coach" ? [] : [text])));
    const coach = lines.flatMap(({ speaker, text }) =>
      speaker === "coach" && !aloud.has(text) ? [text] : [],
    );
    return new Whispers(hearing, new Set(coach));
  }

  /** How many whole frames of `heard` (μ-law, from its start) nobody but the coach has said. */
  framesIn(heard: Uint8Array): number {
    let frames = 0;
    for (let at = 0; at + FRAME_BYTES <= heard.length; at += FRAME_BYTES) {
      const texts = this.#hearing.lookup(heard.subarray(at, at + FRAME_BYTES));
      if (texts.length > 0 && texts.every((text) => this.#coachTexts.has(text))) frames++;
    }
    return frames;
  }
}
