import { errorText } from "../errors.ts";
import type { Log } from "../ports.ts";
import { forkedLabel, forkKeyOf } from "./fork-key.ts";
import { ForkStream } from "./fork-stream.ts";
import type { MediaGatewayOptions } from "./gateway-options.ts";
import { LegTotals } from "./leg-totals.ts";
import { MediaLeg } from "./leg.ts";
import {
  MediaConnection,
  readStart,
  type GatewaySocket,
  type LiveStream,
  type MediaSocketData,
  type StreamCloseReason,
  type StreamStart,
} from "./media-connection.ts";
import { parseStreamMessage } from "./media-text.ts";
import { StreamTokens, type StreamGrant } from "./stream-tokens.ts";

export type {
  ForkClosed,
  ForkStarted,
  MediaGatewayOptions,
  StreamClosed,
  StreamStarted,
} from "./gateway-options.ts";
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
/** Forks of one call at once: its caller's, and those of people. One more is closed with 1008. */
const MAX_FORKS_PER_CALL = 8;

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
  /** Of these the forks, by call. */
  readonly #forks = new Map<string, Set<MediaConnection>>();
  readonly #counters = {
    opened: 0,
    streams: 0,
    forks: 0,
    forksLost: 0,
    forksTurnedAway: 0,
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

  /** The same for a fork of a leg's audio, which only listens. */
  issueForkToken(callSid: string, label: string): string {
    return this.#tokens.issue({ callSid, legKey: forkKeyOf(label) });
  }

  /** By leg, the last token that was used: for an engine that is to go on with the call. */
  usedTokens(callSid: string): Readonly<Record<string, number>> {
    return this.#tokens.used(callSid);
  }

  resumeTokens(callSid: string, used: Readonly<Record<string, number>>): void {
    this.#tokens.resume(callSid, used);
  }

  /** The call is over: so are the forks of legs that live on. */
  forget(callSid: string): void {
    this.#tokens.forget(callSid);
    for (const connection of this.#forks.get(callSid) ?? []) {
      this.#guard(connection, () => this.#end(connection, "stop", 1000, "call ended"));
    }
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
    const ends = [...this.#live.values()].map(({ stream }) => stream?.end);
    return this.#totals.with(ends.filter((end) => end instanceof MediaLeg));
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
        if (usable) connection.stream.end.onText(data);
        else connection.stream.end.onUnusable();
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
    if (connection?.stream) this.#guard(connection, () => connection.stream?.end.onWritable());
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
    const label = forkedLabel(grant.legKey);
    if (label !== null && (this.#forks.get(grant.callSid)?.size ?? 0) >= MAX_FORKS_PER_CALL) {
      this.#counters.forksTurnedAway++;
      this.#refuse(connection, "too many forks of this call");
      return;
    }
    this.#endWaiting(connection);
    connection.phase = "live";
    this.#live.set(key, connection);
    if (label === null) this.#startLeg(connection, grant, start);
    else this.#startFork(connection, grant, start, label);
  }

  #startLeg(connection: MediaConnection, grant: StreamGrant, start: StreamStart): void {
    const { streamSid, streamCallSid } = start;
    const leg = this.#newLeg(connection, streamSid);
    const over: LiveStream["over"] = (reason, code) =>
      this.#options.onStreamClosed({ ...grant, streamSid, reason, code });
    const stream = { grant, streamSid, end: leg, over };
    connection.stream = stream;
    this.#counters.streams++;
    if (!this.#options.onStream({ ...grant, streamSid, streamCallSid, leg })) this.#undo(connection, stream);
  }

  #startFork(
    connection: MediaConnection,
    grant: StreamGrant,
    { streamSid }: StreamStart,
    label: string,
  ): void {
    const options = this.#options;
    const of = { callSid: grant.callSid, label };
    const fork = new ForkStream({ streamSid, clock: options.clock, owner: this.#ownerOf(connection) });
    const over: LiveStream["over"] = (reason) => {
      if (reason === "socket" || reason === "error") this.#counters.forksLost++;
      options.onForkClosed?.({ ...of, streamSid, reason });
    };
    const stream = { grant, streamSid, end: fork, over };
    connection.stream = stream;
    this.#forks.getOrInsertComputed(of.callSid, () => new Set()).add(connection);
    this.#counters.forks++;
    if (options.onFork?.({ ...of, fork }) !== true) this.#undo(connection, stream);
  }

  /** Refused: for the call this stream never was. */
  #undo(connection: MediaConnection, stream: LiveStream): void {
    connection.stream = null;
    this.#leave(connection, stream);
    stream.end.dispose();
    this.#refuse(connection, "stream refused");
  }

  #leave(connection: MediaConnection, { grant }: LiveStream): void {
    const key = legKeyOf(grant);
    if (this.#live.get(key) === connection) this.#live.delete(key);
    const forks = this.#forks.get(grant.callSid);
    if (forks?.delete(connection) === true && forks.size === 0) this.#forks.delete(grant.callSid);
  }

  #ownerOf(connection: MediaConnection) {
    return {
      stopped: () => this.#end(connection, "stop", 1000, "stop"),
      badMessage: () => this.#countBad(connection),
    };
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
      owner: { ...this.#ownerOf(connection), failed: (error) => this.#fail(connection, error) },
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
    this.#leave(connection, stream);
    // The user still needs the leg to see what was heard, so its socket closes after this.
    try {
      stream.over(reason, code);
    } catch (error) {
      this.#counters.handlerErrors++;
      this.#log.error("media.handler_failed", { error: errorText(error) });
    }
    stream.end.dispose();
    if (stream.end instanceof MediaLeg) this.#totals.end(stream.end);
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
