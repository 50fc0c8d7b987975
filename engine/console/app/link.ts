/** The page's end of the feed: it comes back by itself, ever more slowly, and at once when the page is looked at. */
import type { CallMessage, FeedText } from "../protocol.ts";
import { ApiError, askJson, clock, store } from "./page.ts";
import type { Session } from "./store.ts";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
const REFUSED: ReadonlySet<number> = new Set([401, 403]);
const SESSION_TIMEOUT_MS = 10_000;
/**
 * The engine says something every five seconds at least. A network that is lost tells nobody, and the page would go on
 * to show as live what was so by then. Not less: a snapshot of very many calls takes its time on a slow line.
 */
const SILENT_MS = 20_000;

/** What is told of the call that is watched; `began`: whatever came before is to be asked for. */
export type CallListener = (message: CallMessage | { readonly type: "began" }) => void;

class FeedLink {
  #socket: WebSocket | null = null;
  /** Counts the tries: one that another has overtaken comes to nothing. */
  #tries = 0;
  #retryMs = FIRST_RETRY_MS;
  #timer: unknown = null;
  #silence: unknown = null;
  #watching: string | null = null;
  #listener: CallListener | null = null;

  start(): void {
    void this.#connect();
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && !this.#socket) this.#again(0);
    });
    addEventListener("online", () => this.#again(0));
  }

  /** Tells of this call until what is returned is called. */
  watch(callSid: string, listener: CallListener): () => void {
    this.#watching = callSid;
    this.#listener = listener;
    this.#sendWatch();
    return () => {
      if (this.#listener !== listener) return;
      this.#watching = null;
      this.#listener = null;
      this.#sendWatch();
    };
  }

  /** After somebody has signed in, or out. */
  restart(): void {
    this.#socket?.close();
    this.#socket = null;
    this.#retryMs = FIRST_RETRY_MS;
    this.#again(0);
  }

  async #connect(): Promise<void> {
    this.#timer = null;
    const turn = ++this.#tries;
    try {
      const session = await askJson<Session>("/api/session", SESSION_TIMEOUT_MS);
      if (turn !== this.#tries) return;
      store.trigger.signedIn({ session });
    } catch (error) {
      if (turn !== this.#tries) return;
      // Who is not let in is not let in the next time either: they sign in first.
      if (!(error instanceof ApiError && REFUSED.has(error.status))) this.#lost(0);
      else if (error.status !== 401) store.trigger.refused({ why: error.message });
      return;
    }
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/switchboard`);
    this.#socket = socket;
    this.#hear(socket);
    socket.addEventListener("open", () => this.#sendWatch());
    socket.addEventListener("message", ({ data }) => {
      if (this.#socket !== socket) return;
      this.#hear(socket);
      this.#take(JSON.parse(String(data)) as FeedText);
    });
    socket.addEventListener("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#lost(0);
    });
  }

  /** Something has come, or is about to. */
  #hear(socket: WebSocket): void {
    clock.clearTimeout(this.#silence);
    this.#silence = clock.setTimeout(() => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      socket.close();
      this.#lost(SILENT_MS);
    }, SILENT_MS);
  }

  #take(message: FeedText): void {
    switch (message.type) {
      case "snapshot":
        this.#retryMs = FIRST_RETRY_MS;
        // After one that makes up for what was missed, the call that is watched has holes as well.
        if (message.missed > 0) this.#listener?.({ type: "began" });
        return store.trigger.snapshot({ message, atMs: clock.now() });
      case "delta":
        return store.trigger.delta({ message });
      case "watching":
        if (message.callSid === this.#watching) this.#listener?.({ type: "began" });
        return;
      case "call":
        if (message.callSid === this.#watching) this.#listener?.(message);
    }
  }

  /** `agoMs`: since when nothing has come. */
  #lost(agoMs: number): void {
    store.trigger.lost({ atMs: clock.now() - agoMs });
    this.#again(this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
  }

  #again(afterMs: number): void {
    clock.clearTimeout(this.#timer);
    if (this.#socket) return;
    this.#timer = clock.setTimeout(() => void this.#connect(), afterMs);
  }

  #sendWatch(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ watch: this.#watching }));
    }
  }
}

export const link = new FeedLink();
