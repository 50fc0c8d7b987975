/** What the gateway of media streams is given, and what it tells. Types only. */
import type { Clock, Log } from "../ports.ts";
import type { ForkStream } from "./fork-stream.ts";
import type { LegPacing, MediaLeg } from "./leg.ts";
import type { StreamCloseReason } from "./media-connection.ts";
import type { MediaMetrics } from "./media-metrics.ts";
import type { PacingWheel } from "./wheel.ts";

export interface StreamStarted {
  /** Our call, from the token; never what the socket says. */
  readonly callSid: string;
  readonly legKey: string;
  readonly streamSid: string;
  /** The call sid the carrier names in `start`; may differ from the participant's. */
  readonly streamCallSid: string;
  readonly leg: MediaLeg;
}

export interface StreamClosed {
  readonly callSid: string;
  readonly legKey: string;
  readonly streamSid: string;
  readonly reason: StreamCloseReason;
  /** WebSocket close code; 1000 after `stop`. */
  readonly code: number;
}

/** The audio of one leg alone has begun to come. */
export interface ForkStarted {
  readonly callSid: string;
  /** Of the leg, from the token. */
  readonly label: string;
  readonly fork: ForkStream;
}

export interface ForkClosed {
  readonly callSid: string;
  readonly label: string;
  readonly streamSid: string;
  readonly reason: StreamCloseReason;
}

export interface MediaGatewayOptions {
  readonly clock: Clock;
  /** What the tokens of streams are signed with. */
  readonly secret: string;
  readonly log: Log;
  readonly wheel: PacingWheel;
  readonly metrics?: MediaMetrics;
  /** How the legs hand speech to the carrier. */
  readonly pacing?: LegPacing;
  readonly startTimeoutMs?: number;
  /** How long a token is good: as long as a leg may last, which comes back by one. Default: a day. */
  readonly tokenTtlMs?: number;
  /** Sockets that have not started at most, in all and of one address; more are closed with 1013. */
  readonly maxWaiting?: number;
  readonly maxWaitingPerAddress?: number;
  /** A stream with a valid token began. `false` refuses it: 1008, and `onStreamClosed` is not called. */
  onStream(start: StreamStarted): boolean;
  /** Exactly once for each stream that began. */
  onStreamClosed(closed: StreamClosed): void;
  /** The same for forks; all are refused when it is left out. */
  onFork?(start: ForkStarted): boolean;
  onForkClosed?(closed: ForkClosed): void;
}
