import { errorText } from "../errors.ts";
import type { Clock, Log } from "../ports.ts";
import { LegTotals } from "./leg-totals.ts";
import { MediaLeg, type LegPacing } from "./leg.ts";
import {
  MediaConnection,
  readStart,
  type GatewaySocket,
  type MediaSocketData,
  type StreamCloseReason,
} from "./media-connection.ts";
import type { MediaMetrics } from "./media-metrics.ts";
import { parseStreamMessage } from "./media-text.ts";
import { StreamTokens, type StreamGrant } from "./stream-tokens.ts";
import type { PacingWheel } from "./wheel.ts";

export type { GatewaySocket, MediaSocketData, StreamCloseReason } from "./media-connection.ts";

/** WebSocket close codes (RFC 6455). */
const POLICY = 1008;
const INTERNAL = 1011;
const GOING_AWAY = 1001;
const TRY_LATER = 1013;
/** Longer messages are refused; Twilio's are about 400 characters. */
const MAX_MESSAGE_CHARS = 64 * 1024;
const MAX_BAD_MESSAGES = 50;
const DAY_MS = 86_400_000;

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
}

/**
 * The WebSocket endpoint of Media Streams. Lets in only sockets with a single-use token, gives each stream
 * its {@link MediaLeg}, and keeps every fault within its own socket.
 */
export class MediaGateway {
  readonly #options: MediaGatewayOptions;
  readonly #log: Log;
  readonly #startTimeoutMs: number;
  readonly #maxWaiting: number;
  readonly #maxWaitingPerAddress: number;
  readonly #tokens: StreamTokens;
  readonly #waiting = new Set<MediaConnection>();
  /** Live streams by call and leg. */
  readonly #live = new Map<string, MediaConnection>();
  readonly #totals = new LegTotals();
  readonly #counters = {
    opened: 0,
    streams: 0,
    refused: 0,
    startTimeouts: 0,
    turnedAway: 0,
    turnedAwayByAddress: 0,
    badMessages: 0,
    unknownEvents: 0,
    replaced: 0,
    handlerErrors: 0,
  };
  #stopped = false;

  constructor(options: MediaGatewayOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#startTimeoutMs = options.startTimeoutMs ?? 5_000;
    this.#maxWaiting = options.maxWaiting ?? 1_024;
    // The signature of an upgrade is always the same: whoever has seen one may open sockets, and not all there are.
    // Half of them, since behind a proxy every call has the same address, and after a restart they come at once.
    this.#maxWaitingPerAddress = options.maxWaitingPerAddress ?? 512;
    this.#tokens = new StreamTokens({
      clock: options.clock,
      secret: options.secret,
      ttlMs: options.tokenTtlMs ?? DAY_MS,
    });
  }

  /** Number of streams that are running. */
  get live(): number {
    return this.#live.size;
  }

  /** A token for `<Parameter name="token">`: good for one stream of this leg, once, until it expires. */
  issueToken(grant: StreamGrant): string {
    return this.#tokens.issue(grant);
  }

  /** By leg, the last token that was used: for an engine that is to go on with the call. */
  usedTokens(callSid: string): Readonly<Record<string, number>> {
    return this.#tokens.used(callSid);
  }

  resumeTokens(callSid: string, used: Readonly<Record<string, number>>): void {
    this.#tokens.resume(callSid, used);
  }

  /** The call is over. */
  forget(callSid: string): void {
    this.#tokens.forget(callSid);
  }

  /** `address`: where the upgrade came from. */
  newSocketData(address: string | null = null): MediaSocketData {
    return { kind: "media", address, connection: null };
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.#counters,
      ...this.#tokens.counters,
      waiting: this.#waiting.size,
      live: this.#live.size,
      tokens: this.#tokens.size,
    };
  }

  /** What all streams counted: see `MediaLeg.counters`. */
  lineCounters(): Readonly<Record<string, number>> {
    return this.#totals.with([...this.#live.values()].flatMap(({ stream }) => (stream ? [stream.leg] : [])));
  }

  // ------------------------------------------------------------------ handlers for Bun.serve

  open(ws: GatewaySocket): void {
    const connection = new MediaConnection(ws);
    ws.data.connection = connection;
    this.#guard(connection, () => {
      this.#counters.opened++;
      const byAddress = this.#isFullFor(ws.data.address);
      if (this.#stopped || this.#waiting.size >= this.#maxWaiting || byAddress) {
        this.#counters.turnedAway++;
        if (byAddress) this.#counters.turnedAwayByAddress++;
        connection.phase = "over";
        connection.close(TRY_LATER, "try again later");
        return;
      }
      this.#waiting.add(connection);
      connection.startTimer = this.#options.clock.setTimeout(() => {
        connection.startTimer = null;
        this.#counters.startTimeouts++;
        this.#guard(connection, () => this.#refuse(connection, "no start message"));
      }, this.#startTimeoutMs);
    });
  }

  /** Hot path. */
  message(ws: GatewaySocket, data: string | Uint8Array): void {
    const { connection } = ws.data;
    if (!connection || connection.phase === "over") return;
    try {
      const usable = typeof data === "string" && data.length <= MAX_MESSAGE_CHARS;
      if (connection.stream) {
        if (usable) connection.stream.leg.onText(data);
        else connection.stream.leg.onUnusable();
      } else if (usable) {
        this.#beforeStart(connection, data);
      } else {
        this.#refuse(connection, "not a text message of acceptable length");
      }
    } catch (error) {
      this.#fail(connection, error);
    }
  }

  close(ws: GatewaySocket, code: number, reason: string): void {
    const { connection } = ws.data;
    if (!connection) return;
    connection.gone();
    this.#guard(connection, () => {
      this.#log.debug("media.socket_closed", { code, reason });
      this.#end(connection, "socket", code, "");
    });
  }

  drain(ws: GatewaySocket): void {
    const { connection } = ws.data;
    if (connection?.stream) this.#guard(connection, () => connection.stream?.leg.onWritable());
  }

  /** Closes every socket; later sockets are turned away. */
  stop(): void {
    this.#stopped = true;
    for (const connection of [...this.#waiting, ...this.#live.values()]) {
      this.#guard(connection, () => this.#end(connection, "socket", GOING_AWAY, "going away"));
    }
  }

  // ------------------------------------------------------------------ life of a connection

  #isFullFor(address: string | null): boolean {
    if (address === null || this.#waiting.size < this.#maxWaitingPerAddress) return false;
    let same = 0;
    for (const waiting of this.#waiting) if (waiting.address === address) same++;
    return same >= this.#maxWaitingPerAddress;
  }

  #beforeStart(connection: MediaConnection, text: string): void {
    const message = parseStreamMessage(text);
    if (!message) {
      this.#refuse(connection, "not a Media Streams message");
    } else if (message.event === "connected" && connection.phase === "new") {
      connection.phase = "connected";
    } else if (message.event === "start" && connection.phase === "connected") {
      this.#start(connection, message.body);
    } else if (message.event === "unknown") {
      this.#counters.unknownEvents++;
      this.#countBad(connection);
    } else {
      this.#refuse(connection, `unexpected ${message.event}`);
    }
  }

  #start(connection: MediaConnection, body: unknown): void {
    const start = readStart(body);
    if (typeof start === "string") {
      this.#refuse(connection, start);
      return;
    }
    const pass = this.#tokens.check(start.token);
    if (!pass) {
      this.#refuse(connection, "token refused");
      return;
    }
    this.#tokens.use(pass);
    const grant = { callSid: pass.callSid, legKey: pass.legKey };
    const key = legKeyOf(grant);
    const before = this.#live.get(key);
    if (before) {
      this.#counters.replaced++;
      this.#guard(before, () => this.#end(before, "replaced", 1000, "replaced"));
    }
    const leg = this.#newLeg(connection, start.streamSid);
    this.#endWaiting(connection);
    connection.phase = "live";
    connection.stream = { grant, streamSid: start.streamSid, leg };
    this.#live.set(key, connection);
    this.#counters.streams++;
    const { streamSid, streamCallSid } = start;
    if (this.#options.onStream({ ...grant, streamSid, streamCallSid, leg })) return;
    // Refused: for the call this stream never was.
    connection.stream = null;
    if (this.#live.get(key) === connection) this.#live.delete(key);
    leg.dispose();
    this.#refuse(connection, "stream refused");
  }

  #newLeg(connection: MediaConnection, streamSid: string): MediaLeg {
    return new MediaLeg({
      socket: connection,
      streamSid,
      clock: this.#options.clock,
      wheel: this.#options.wheel,
      log: this.#log,
      ...(this.#options.metrics && { metrics: this.#options.metrics }),
      ...this.#options.pacing,
      owner: {
        stopped: () => this.#end(connection, "stop", 1000, "stop"),
        badMessage: () => this.#countBad(connection),
        failed: (error) => this.#fail(connection, error),
      },
    });
  }

  #countBad(connection: MediaConnection): void {
    this.#counters.badMessages++;
    connection.badMessages++;
    if (connection.badMessages < MAX_BAD_MESSAGES) return;
    if (connection.stream) this.#end(connection, "error", POLICY, "too many bad messages");
    else this.#refuse(connection, "too many bad messages");
  }

  /** Closes a socket that never became a stream. */
  #refuse(connection: MediaConnection, why: string): void {
    this.#counters.refused++;
    this.#log.warn("media.stream_refused", { why });
    this.#endWaiting(connection);
    connection.phase = "over";
    connection.close(POLICY, why);
  }

  /** Ends the connection, whatever its phase; the first reason counts. */
  #end(connection: MediaConnection, reason: StreamCloseReason, code: number, text: string): void {
    this.#endWaiting(connection);
    const { stream } = connection;
    connection.stream = null;
    connection.phase = "over";
    if (!stream) {
      connection.close(code, text);
      return;
    }
    const key = legKeyOf(stream.grant);
    if (this.#live.get(key) === connection) this.#live.delete(key);
    // The user still needs the leg to see what was heard, so its socket closes after this.
    try {
      this.#options.onStreamClosed({ ...stream.grant, streamSid: stream.streamSid, reason, code });
    } catch (error) {
      this.#counters.handlerErrors++;
      this.#log.error("media.handler_failed", { error: errorText(error) });
    }
    stream.leg.dispose();
    this.#totals.end(stream.leg);
    connection.close(code, text);
  }

  #endWaiting(connection: MediaConnection): void {
    this.#waiting.delete(connection);
    if (connection.startTimer !== null) this.#options.clock.clearTimeout(connection.startTimer);
    connection.startTimer = null;
  }

  /** A handler threw: this socket ends, everything else goes on. */
  #fail(connection: MediaConnection, error: unknown): void {
    this.#counters.handlerErrors++;
    this.#log.error("media.handler_failed", { error: errorText(error) });
    try {
      this.#end(connection, "error", INTERNAL, "internal error");
    } catch (inner) {
      this.#log.error("media.close_failed", { error: errorText(inner) });
    }
  }

  #guard(connection: MediaConnection, handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#fail(connection, error);
    }
  }
}

function legKeyOf(grant: StreamGrant): string {
  return `${grant.callSid} ${grant.legKey}`;
}
