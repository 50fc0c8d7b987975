/** The live feed: what is running when a viewer connects, then each change. Bounded by the socket's limit. */
import type { FeedMessage, LiveIndex } from "../call/live-index.ts";

export interface FeedSocketData {
  readonly kind: "feed";
}

export interface FeedSocket {
  send(text: string): number;
  subscribe(topic: string): void;
}

const TOPIC = "feed";

export class Feed {
  readonly #index: LiveIndex;
  #publish: ((topic: string, text: string) => number) | null = null;
  viewers = 0;
  readonly counters = { messages: 0 };

  constructor(index: LiveIndex) {
    this.#index = index;
  }

  /** Given the server's `publish` once it listens. */
  connect(publish: (topic: string, text: string) => number): void {
    this.#publish = publish;
  }

  tell(message: FeedMessage): void {
    if (this.viewers === 0 || !this.#publish) return;
    this.counters.messages++;
    this.#publish(TOPIC, JSON.stringify(message));
  }

  open(socket: FeedSocket): void {
    this.viewers++;
    const { calls } = this.#index.getSnapshot().context;
    // Subscribed before the snapshot is sent, in one turn of the loop: no change is lost between the two.
    socket.subscribe(TOPIC);
    socket.send(JSON.stringify({ type: "snapshot", calls: Object.values(calls) }));
  }

  close(): void {
    this.viewers--;
  }
}
