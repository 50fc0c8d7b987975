/**
 * What the engine can know of what was heard, from its own media sockets: what it has sent, and what marks
 * have confirmed of it. A mark that comes back because of a `clear` confirms nothing.
 */

const PAYLOAD = /"payload":"([^"]*)"/;
const MARK_NAME = /"name":"([^"]*)"/;

class Stream {
  sentBytes = 0;
  confirmedBytes = 0;
  /** What was sent before the last `clear`, and what of it was confirmed. */
  #clearedAt = 0;
  #confirmedBefore = 0;
  readonly #marks = new Map<string, number>();

  sent(text: string): void {
    if (text.startsWith('{"event":"media"')) {
      const base64 = PAYLOAD.exec(text)?.[1] ?? "";
      this.sentBytes += Math.floor((base64.replace(/=+$/, "").length * 3) / 4);
    } else if (text.startsWith('{"event":"mark"')) {
      this.#marks.set(MARK_NAME.exec(text)?.[1] ?? "", this.sentBytes);
    } else if (text.startsWith('{"event":"clear"')) {
      this.#marks.clear();
      this.#confirmedBefore = this.confirmedBytes;
      this.#clearedAt = this.sentBytes;
    }
  }

  received(text: string): void {
    if (!text.startsWith('{"event":"mark"')) return;
    const atBytes = this.#marks.get(MARK_NAME.exec(text)?.[1] ?? "");
    if (atBytes === undefined) return;
    const confirmed = this.#confirmedBefore + atBytes - this.#clearedAt;
    this.confirmedBytes = Math.max(this.confirmedBytes, confirmed);
  }
}

/** All media sockets of a world. */
export class MediaBooks {
  readonly #streams = new Map<object, Stream>();

  sent(socket: object, text: string): void {
    this.#of(socket).sent(text);
  }

  received(socket: object, text: string): void {
    this.#of(socket).received(text);
  }

  get sentMs(): number {
    return this.#sum((stream) => stream.sentBytes);
  }

  get confirmedMs(): number {
    return this.#sum((stream) => stream.confirmedBytes);
  }

  #of(socket: object): Stream {
    let stream = this.#streams.get(socket);
    if (!stream) this.#streams.set(socket, (stream = new Stream()));
    return stream;
  }

  #sum(bytesOf: (stream: Stream) => number): number {
    return [...this.#streams.values()].reduce((sum, stream) => sum + bytesOf(stream), 0) / 8;
  }
}
