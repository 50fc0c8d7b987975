/**
 * Everybody who has the console's page open. Once a beat each is told what has changed, in one text that all of
 * them share. A viewer who does not keep up is told nothing until what waits for them is read, then everything
 * as it is by then: a slow one costs a number, and holds up nobody.
 */
import type { ChainedEntry } from "../platform/hash-chain.ts";
import { errorText } from "../errors.ts";
import { isCallSid } from "../platform/call-key.ts";
import { redactEntry } from "../platform/redact.ts";
import type { Clock, Log } from "../ports.ts";
import type { DeltaMessage } from "./protocol.ts";
import { Lazy, type LiveSession, type Shown, type Switchboard, type Texts } from "./switchboard.ts";
import type { Views } from "./views.ts";
import { maySeeWords, type Who } from "./who.ts";

export interface ViewerData {
  readonly kind: "viewer";
  readonly who: Who;
  /** Deltas that went by since the last snapshot; `null` before the first. */
  missed: number | null;
  watching: string | null;
  slowSinceMs: number | null;
  /** When anything was sent last. */
  toldAtMs: number;
}

/** A viewer's end of their socket. */
export interface ViewerSocket {
  readonly data: ViewerData;
  send(text: string): number;
  getBufferedAmount(): number;
  close(code: number, reason: string): void;
}

export interface ViewersOptions {
  readonly switchboard: Switchboard;
  /** A live call. */
  readonly call: (callSid: string) => Pick<LiveSession, "heard"> | null;
  readonly views: Views;
  readonly clock: Clock;
  readonly log: Log;
}

export const BEAT_MS = 200;
/** A viewer who is told nothing for so long is told that nothing has happened: silence means that nobody is there. */
export const QUIET_MS = 5000;
/** A beat that has much to do lets others in between, for so long. */
const TURN_MS = 5;
/** Told in one turn. */
const TURN_VIEWERS = 5;
export const MAX_VIEWERS = 100;
/** Bytes that may wait for a viewer: with more they are slow. A quarter of what closes the socket. */
export const MAX_WAITING_BYTES = 128 * 1024;
/** Who has not read for so long is not there any more. */
const SLOW_LIMIT_MS = 60_000;
/** Entries of one call in one beat. */
const MAX_ENTRIES_A_BEAT = 400;
const MAX_MESSAGE_CHARS = 200;

/** A call that somebody watches. */
interface Watched {
  viewers: number;
  entries: string[];
  missed: number;
  /** Entries of the transcript that were told. */
  said: number;
}

export class Viewers {
  readonly #options: ViewersOptions;
  readonly #sockets = new Set<ViewerSocket>();
  readonly #watched = new Map<string, Watched>();
  #timer: unknown = null;
  /** What is left of the beat, and when it began. */
  #beat: Generator<void, void, void> | null = null;
  #beatAtMs = 0;
  readonly #counters = { snapshots: 0, deltas: 0, missed: 0, tooSlow: 0, badMessages: 0 };

  constructor(options: ViewersOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sockets.size;
  }

  get counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, ...this.#options.switchboard.counters, ...this.#options.views.counters };
  }

  /** What a new viewer's socket carries; `null`: there are as many as may be. */
  admit(who: Who): ViewerData | null {
    if (this.#sockets.size >= MAX_VIEWERS) return null;
    return { kind: "viewer", who, missed: null, watching: null, slowSinceMs: null, toldAtMs: 0 };
  }

  open(socket: ViewerSocket): void {
    this.#sockets.add(socket);
    this.#options.views.note(socket.data.who, "board");
    this.#timer ??= this.#options.clock.setTimeout(this.#turn, 0);
  }

  message(socket: ViewerSocket, data: string | Uint8Array): void {
    const callSid = watchOf(data);
    if (callSid === undefined) {
      this.#counters.badMessages++;
      return;
    }
    this.#unwatch(socket.data.watching);
    socket.data.watching = callSid;
    if (callSid !== null) {
      this.#options.views.note(socket.data.who, "live", callSid);
      const watched = this.#watched.get(callSid);
      if (watched) watched.viewers++;
      else {
        const said = this.#options.call(callSid)?.heard.said.length ?? 0;
        this.#watched.set(callSid, { viewers: 1, entries: [], missed: 0, said });
      }
    }
    this.#send(socket, JSON.stringify({ type: "watching", callSid }));
  }

  close(socket: ViewerSocket): void {
    if (!this.#sockets.delete(socket)) return;
    this.#unwatch(socket.data.watching);
    if (this.#sockets.size === 0) this.#rest();
  }

  /** An entry was written to a call's log. For all but the few calls that are watched this is one look-up. */
  entry(entry: ChainedEntry): void {
    const watched = this.#watched.get(entry.callSid);
    if (!watched) return;
    if (watched.entries.length < MAX_ENTRIES_A_BEAT) watched.entries.push(JSON.stringify(entry));
    else watched.missed++;
  }

  stop(): void {
    this.#rest();
    this.#sockets.clear();
  }

  #rest(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
    this.#beat = null;
    this.#watched.clear();
    this.#options.switchboard.clear();
  }

  #unwatch(callSid: string | null): void {
    const watched = callSid === null ? undefined : this.#watched.get(callSid);
    if (callSid === null || !watched) return;
    watched.viewers--;
    if (watched.viewers <= 0) this.#watched.delete(callSid);
  }

  readonly #turn = (): void => {
    const { clock, log } = this.#options;
    if (!this.#beat) {
      this.#beatAtMs = clock.monotonicMs();
      this.#beat = this.#tellAll();
    }
    try {
      if (this.#beat.next().done) this.#beat = null;
    } catch (error) {
      this.#beat = null;
      log.error("console.beat_failed", { error: errorText(error) });
    }
    // Whoever was sent away may have been the last.
    if (this.#sockets.size === 0) return;
    const restMs = this.#beat ? TURN_MS : this.#beatAtMs + BEAT_MS - clock.monotonicMs();
    this.#timer = clock.setTimeout(this.#turn, Math.max(TURN_MS, restMs));
  };

  /** In turns: what is seen changes between beats, and not while it is told. */
  *#tellAll(): Generator<void, void, void> {
    const { switchboard, clock } = this.#options;
    const delta = yield* switchboard.look(clock.now());
    const nowMs = clock.now();
    const snapshots: Partial<Record<Shown, string>> = {};
    const calls = this.#takeCalls();
    let told = 0;
    for (const socket of this.#sockets) {
      if (told++ >= TURN_VIEWERS) {
        told = 1;
        yield;
        if (!this.#sockets.has(socket)) continue;
      }
      if (!this.#keepsUp(socket, delta !== null || calls.has(socket.data.watching ?? ""), nowMs)) continue;
      const shown = shownTo(socket.data.who);
      const { missed } = socket.data;
      if (missed === null || missed > 0) {
        // One text for all who come in the same beat and know of the same: a restart brings all at once.
        const text =
          missed === null
            ? (snapshots[shown] ??= switchboard.snapshot(nowMs, shown, 0))
            : switchboard.snapshot(nowMs, shown, missed);
        socket.data.missed = 0;
        this.#counters.snapshots++;
        this.#send(socket, text);
      } else if (delta) {
        this.#counters.deltas++;
        this.#send(socket, delta[shown]);
      }
      const call = calls.get(socket.data.watching ?? "");
      if (call) this.#send(socket, call[shown]);
      if (nowMs - socket.data.toldAtMs >= QUIET_MS) this.#send(socket, nothing(nowMs));
    }
  }

  /** False: there is still too much on the way to them. */
  #keepsUp(socket: ViewerSocket, hasNews: boolean, nowMs: number): boolean {
    const { data } = socket;
    if (socket.getBufferedAmount() <= MAX_WAITING_BYTES) {
      data.slowSinceMs = null;
      return true;
    }
    data.slowSinceMs ??= nowMs;
    if (nowMs - data.slowSinceMs > SLOW_LIMIT_MS) {
      this.#counters.tooSlow++;
      socket.close(1013, "too slow");
    } else if (hasNews) {
      this.#counters.missed++;
      data.missed = (data.missed ?? 0) + 1;
    }
    return false;
  }

  /** What has happened in the calls that are watched. */
  #takeCalls(): ReadonlyMap<string, Texts> {
    const texts = new Map<string, Texts>();
    for (const [callSid, watched] of this.#watched) {
      const said = this.#options.call(callSid)?.heard.said ?? [];
      const { entries, missed, said: from } = watched;
      if (entries.length === 0 && said.length <= from) continue;
      watched.entries = [];
      watched.missed = 0;
      watched.said = Math.max(from, said.length);
      const fresh = said.slice(from);
      const text = (shown: Shown): string =>
        `{"type":"call","callSid":"${callSid}","entries":[${entries.join(",")}],"missed":${missed},` +
        `"from":${from},"said":${JSON.stringify(shown === "all" ? fresh : fresh.map(redactEntry))}}`;
      texts.set(callSid, new Lazy(text));
    }
    return texts;
  }

  #send(socket: ViewerSocket, text: string): void {
    socket.data.toldAtMs = this.#options.clock.now();
    // 0: the socket is full, or closed. What was lost is made up for.
    if (socket.send(text) === 0) socket.data.missed = (socket.data.missed ?? 0) + 1;
  }
}

function nothing(nowMs: number): string {
  const delta: DeltaMessage = { type: "delta", nowMs, calls: [], gone: [], incidents: [], closed: [] };
  return JSON.stringify(delta);
}

function shownTo(who: Who): Shown {
  return maySeeWords(who) ? "all" : "redacted";
}

/** `undefined`: it is nothing that a viewer may send. */
function watchOf(data: string | Uint8Array): string | null | undefined {
  if (typeof data !== "string" || data.length > MAX_MESSAGE_CHARS) return undefined;
  try {
    const { watch } = JSON.parse(data) as { readonly watch?: unknown };
    if (watch === null) return null;
    return typeof watch === "string" && isCallSid(watch) ? watch : undefined;
  } catch {
    return undefined;
  }
}
