/**
 * The live feed for programs: what is running when one connects, then each change by itself. Bounded by the socket's
 * limit. The console's page has one of its own that leaves out what nobody can read in time: engine/console/viewers.ts.
 */
import type { FeedMessage, LiveIndex } from "../call/live-index.ts";
import type { Views } from "../console/views.ts";
import { maySeeWords, type Who } from "../console/who.ts";
import { REDACTED } from "../platform/redact.ts";

export interface FeedSocketData {
  readonly kind: "feed";
  readonly who: Who;
}

export interface FeedSocket {
  readonly data: Pick<FeedSocketData, "who">;
  send(text: string): number;
  subscribe(topic: string): void;
}

const TOPIC = "feed";
/** Of those who may not see what is said. */
const REDACTED_TOPIC = "feed-redacted";

export class Feed {
  readonly #index: LiveIndex;
  readonly #views: Pick<Views, "note">;
  #publish: ((topic: string, text: string) => number) | null = null;
  viewers = 0;
  #redacted = 0;
  readonly counters = { messages: 0 };

  constructor(index: LiveIndex, views: Pick<Views, "note">) {
    this.#index = index;
    this.#views = views;
  }

  /** Given the server's `publish` once it listens. */
  connect(publish: (topic: string, text: string) => number): void {
    this.#publish = publish;
  }

  tell(message: FeedMessage): void {
    if (this.viewers === 0 || !this.#publish) return;
    this.counters.messages++;
    this.#publish(TOPIC, JSON.stringify(message));
    if (this.#redacted > 0) this.#publish(REDACTED_TOPIC, JSON.stringify(withoutWords(message)));
  }

  open(socket: FeedSocket): void {
    this.viewers++;
    this.#views.note(socket.data.who, "feed");
    const { calls } = this.#index.getSnapshot().context;
    const topic = maySeeWords(socket.data.who) ? TOPIC : REDACTED_TOPIC;
    if (topic === REDACTED_TOPIC) this.#redacted++;
    // Subscribed before the snapshot is sent, in one turn of the loop: no change is lost between the two.
    socket.subscribe(topic);
    socket.send(JSON.stringify({ type: "snapshot", calls: Object.values(calls) }));
  }

  close({ data }: Pick<FeedSocket, "data">): void {
    this.viewers--;
    if (!maySeeWords(data.who)) this.#redacted--;
  }
}

function withoutWords(message: FeedMessage): FeedMessage {
  if (message.type !== "transcript") return message;
  const { heardText: _words, ...rest } = message;
  return { ...rest, text: REDACTED };
}
