import type { SessionConfig } from "./session-config.ts";
import type { Item } from "./wire.ts";

/** What a session looks like from outside, for tests and for `GET /sandbox/sessions`. */
export interface SessionSnapshot {
  readonly id: string;
  readonly openedAtMs: number;
  readonly expiresAtMs: number;
  readonly persona: string;
  readonly config: SessionConfig;
  /** Oldest first. `text`: what the model makes of it; `heldMs`: audio output it holds, `null` for none. */
  readonly items: readonly { readonly item: Item; readonly text: string; readonly heldMs: number | null }[];
  readonly activeResponseId: string | null;
  readonly outOfBandResponses: number;
  /** Milliseconds of audio appended since the session began. */
  readonly bufferMs: number;
  readonly timers: number;
  readonly counters: Readonly<Record<string, number>>;
}
