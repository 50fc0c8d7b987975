import type { Clock, TranscriptEntry } from "../ports.ts";
import type { FeedMessage, IncidentFacts } from "./live-index.ts";

type Body<M> = M extends FeedMessage ? Omit<M, "callSid" | "at"> : never;

/** What one call tells the live feed. */
export class CallFeed {
  readonly #callSid: string;
  readonly #clock: Clock;
  readonly #feed: (message: FeedMessage) => void;

  constructor(callSid: string, clock: Clock, feed: (message: FeedMessage) => void) {
    this.#callSid = callSid;
    this.#clock = clock;
    this.#feed = feed;
  }

  state(state: string, from: string | null, value: unknown): void {
    this.#tell({ type: "state", state, from, value });
  }

  effect(name: string, outcome: "started" | "done" | "failed"): void {
    this.#tell({ type: "effect", name, outcome });
  }

  incident(incident: IncidentFacts): void {
    this.#tell({ type: "incident", incident });
  }

  transcript({ speaker, label, text, heardText }: TranscriptEntry): void {
    const more = {
      ...(label === undefined ? {} : { label }),
      ...(heardText === undefined ? {} : { heardText }),
    };
    this.#tell({ type: "transcript", speaker, text, ...more });
  }

  #tell(body: Body<FeedMessage>): void {
    const at = new Date(this.#clock.now()).toISOString();
    this.#feed({ ...body, callSid: this.#callSid, at } as FeedMessage);
  }
}
