export interface StoredSms {
  readonly messageSid: string;
  readonly from: string;
  readonly to: string;
  readonly body: string;
}

interface Inbox {
  readonly messages: StoredSms[];
  /** How many at the end of `messages` have not been handed to a phone yet. */
  unread: number;
}

const MAX_MESSAGES = 100;
const MAX_INBOXES = 1_000;

/**
 * SMS inboxes by number: the last 100 messages each, the 1000 numbers last written to. Older ones are
 * dropped.
 */
export class Inboxes {
  readonly #inboxes = new Map<string, Inbox>();
  readonly #onDropped: (messages: number) => void;

  constructor(onDropped: (messages: number) => void) {
    this.#onDropped = onDropped;
  }

  add(sms: StoredSms): void {
    const inbox = this.#inboxes.get(sms.to) ?? { messages: [], unread: 0 };
    inbox.messages.push(sms);
    inbox.unread++;
    if (inbox.messages.length > MAX_MESSAGES) {
      inbox.messages.shift();
      inbox.unread = Math.min(inbox.unread, MAX_MESSAGES);
      this.#onDropped(1);
    }
    // Written to last: to the end of the map's order.
    this.#inboxes.delete(sms.to);
    this.#inboxes.set(sms.to, inbox);
    for (const [number, oldest] of this.#inboxes) {
      if (this.#inboxes.size <= MAX_INBOXES) break;
      this.#inboxes.delete(number);
      this.#onDropped(oldest.messages.length);
    }
  }

  /** All that is kept of a number's messages, oldest first. */
  messages(number: string): readonly StoredSms[] {
    return this.#inboxes.get(number)?.messages ?? [];
  }

  /** The messages that no phone has been given yet, oldest first; they count as given from now on. */
  takeUnread(number: string): readonly StoredSms[] {
    const inbox = this.#inboxes.get(number);
    if (!inbox || inbox.unread === 0) return [];
    const unread = inbox.messages.slice(-inbox.unread);
    inbox.unread = 0;
    return unread;
  }
}
