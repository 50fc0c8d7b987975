/** The port of pushes: types only. Its error is `PushError` in engine/errors.ts. */
import type { Urgency } from "../machines/events.ts";

/** What a contact's URL gets, as one `POST` of JSON. */
export interface PushBody {
  /** The same whenever this push is repeated, also by an engine that has come back; of no other. */
  readonly id: string;
  readonly title: string;
  readonly body: string;
  readonly callSid: string;
  readonly urgency: Urgency;
  /** Where whoever takes it acknowledges: by GET for people, by POST for programs. */
  readonly ackUrl: string;
}

export interface PushSender {
  /**
   * Resolves once the receiver has answered 2xx. Rejects with `PushError`; repeating what may succeed later is
   * the adapter's. `signal` ends it wherever it is: nothing is sent any more.
   */
  send(push: { readonly url: string; readonly body: PushBody }, signal?: AbortSignal): Promise<void>;
  /** Pushes since start, by what became of them; for metrics. */
  counters(): Readonly<Record<string, number>>;
  /** Ends what is under way. */
  close(): void;
}
