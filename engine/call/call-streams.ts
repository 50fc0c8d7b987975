/** The media streams of one call's AI legs: each is joined to the call's voice while it runs. */
import type { MediaLeg } from "../media/leg.ts";
import type { StreamDown, StreamUp } from "./call-legs.ts";
import type { Voice } from "./voice.ts";

export class CallStreams {
  readonly #voice: Pick<Voice, "attachLeg" | "detachLeg">;
  readonly #legs = new Map<string, MediaLeg>();

  constructor(voice: Pick<Voice, "attachLeg" | "detachLeg">) {
    this.#voice = voice;
  }

  up({ streamSid, leg }: StreamUp): void {
    this.#legs.set(streamSid, leg);
    this.#voice.attachLeg(leg);
  }

  down({ streamSid }: StreamDown): void {
    const leg = this.#legs.get(streamSid);
    this.#legs.delete(streamSid);
    if (leg) this.#voice.detachLeg(leg);
  }

  closeAll(): void {
    for (const leg of this.#legs.values()) leg.close(1000, "call ended");
    this.#legs.clear();
  }
}
