import {
  MediaGateway,
  type GatewaySocket,
  type MediaGatewayOptions,
  type MediaSocketData,
  type StreamClosed,
  type StreamStarted,
} from "../../../engine/media/gateway.ts";
import { PacingWheel } from "../../../engine/media/wheel.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { createLog } from "../../../engine/platform/log.ts";

export const CONNECTED = '{"event":"connected","protocol":"Call","version":"1.0.0"}';
export const GRANT = { callSid: "CAours", legKey: "ai" };

export function startText(token: string | null, streamSid = "MZ1", more: object = {}): string {
  return JSON.stringify({
    event: "start",
    sequenceNumber: "1",
    start: {
      accountSid: "AC1",
      streamSid,
      callSid: "CAtheirs",
      tracks: ["inbound"],
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
      customParameters: token === null ? {} : { token },
      ...more,
    },
    streamSid,
  });
}

/** A WebSocket as Bun hands it to the gateway. */
export class FakeSocket implements GatewaySocket {
  readonly data: MediaSocketData;
  readonly sent: string[] = [];
  closed: { code: number; reason: string } | null = null;
  readonly #gateway: MediaGateway;

  constructor(gateway: MediaGateway, address: string | null = null) {
    this.#gateway = gateway;
    this.data = gateway.newSocketData(address);
    gateway.open(this);
  }

  send(text: string): number {
    this.sent.push(text);
    return text.length;
  }

  getBufferedAmount(): number {
    return 0;
  }

  /** As Bun does, the close handler runs within the call. */
  close(code = 1005, reason = ""): void {
    this.closed = { code, reason };
    this.#gateway.close(this, code, reason);
  }

  says(...messages: (string | Uint8Array)[]): this {
    for (const message of messages) this.#gateway.message(this, message);
    return this;
  }
}

export function setUpGateway(overrides: Partial<MediaGatewayOptions> = {}) {
  const clock = new VirtualClock();
  const wheel = new PacingWheel({ clock });
  const started: StreamStarted[] = [];
  const ended: StreamClosed[] = [];
  const lines: string[] = [];
  const gateway = new MediaGateway({
    clock,
    secret: "a-secret-for-tests",
    log: createLog({ level: "info", clock, write: (line) => void lines.push(line) }),
    wheel,
    onStream: (start) => {
      started.push(start);
      return true;
    },
    onStreamClosed: (closed) => void ended.push(closed),
    ...overrides,
  });
  return { clock, wheel, gateway, started, ended, lines };
}

export type SetUp = ReturnType<typeof setUpGateway>;

/** A socket that went through the handshake. */
export function goLive({ gateway }: SetUp, streamSid = "MZ1", grant = GRANT): FakeSocket {
  return new FakeSocket(gateway).says(CONNECTED, startText(gateway.issueToken(grant), streamSid));
}
