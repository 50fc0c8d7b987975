/** What tests of audio look at: the bytes a model took and gave, and what was said without the silence. */
import type { TapFrame } from "../../adapters/sandbox/model/server.ts";

export const SILENCE = 0xff;

export interface Tap {
  readonly tap: (frame: TapFrame) => void;
  /** μ-law that the model was sent, in order. */
  received(): Uint8Array;
  /** μ-law that the model sent. */
  sent(): Uint8Array;
  /** The same by its items: one that was broken off ends anywhere, and the next begins a frame of its own. */
  items(): readonly Uint8Array[];
  /** Messages of one type that the model was sent. */
  messages(type: string): readonly Readonly<Record<string, unknown>>[];
}

export function listen(): Tap {
  const incoming: Uint8Array[] = [];
  const outgoing: Uint8Array[] = [];
  const byItem = new Map<string, Uint8Array[]>();
  const others: Record<string, unknown>[] = [];
  const tap = ({ direction, data }: TapFrame): void => {
    const message = JSON.parse(String(data)) as {
      readonly type: string;
      readonly audio?: string;
      readonly delta?: string;
      readonly item_id?: string;
    };
    if (direction === "in" && message.type === "input_audio_buffer.append") {
      incoming.push(Uint8Array.fromBase64(message.audio ?? ""));
    } else if (direction === "in") {
      others.push(message);
    } else if (message.type === "response.output_audio.delta") {
      const { delta = "", item_id = "" } = message;
      const audio = Uint8Array.fromBase64(delta);
      outgoing.push(audio);
      byItem.set(item_id, [...(byItem.get(item_id) ?? []), audio]);
    }
  };
  let sent: Uint8Array = new Uint8Array(0);
  let sentParts = 0;
  return {
    tap,
    received: () => joined(incoming),
    sent: () => {
      if (sentParts !== outgoing.length) sent = joined(outgoing);
      sentParts = outgoing.length;
      return sent;
    },
    items: () => [...byItem.values()].map(joined),
    messages: (type) => others.filter((message) => message["type"] === type),
  };
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** What was said, without the silence around and between. Noise holds no byte of silence. */
export function spoken(audio: Uint8Array): Buffer {
  return Buffer.from(audio.filter((byte) => byte !== SILENCE));
}
