import { z } from "zod";
import type { MediaSocket } from "./socket.ts";
import type { StreamEnd } from "./stream-end.ts";
import type { StreamGrant } from "./stream-tokens.ts";

/** What the gateway keeps in a WebSocket's `data`. */
export interface MediaSocketData {
  readonly kind: "media";
  /** Where the socket comes from; `null`: it is not known. */
  readonly address: string | null;
  connection: MediaConnection | null;
}

/** As much of Bun's `ServerWebSocket` as the gateway uses. */
export interface GatewaySocket {
  readonly data: MediaSocketData;
  send(text: string): number;
  cork?(work: () => void): void;
  getBufferedAmount(): number;
  close(code?: number, reason?: string): void;
}

export type StreamCloseReason = "stop" | "socket" | "replaced" | "error";

/** A stream that showed a valid token. */
export interface LiveStream {
  readonly grant: StreamGrant;
  readonly streamSid: string;
  readonly end: StreamEnd;
  /** Tells whoever took it that it is over. */
  readonly over: (reason: StreamCloseReason, code: number) => void;
}

/** The life of one media socket: `new` → `connected` → `live` → `over`. */
export class MediaConnection implements MediaSocket {
  phase: "new" | "connected" | "live" | "over" = "new";
  badMessages = 0;
  startTimer: unknown = null;
  stream: LiveStream | null = null;
  readonly #ws: GatewaySocket;
  #closeSent = false;

  constructor(ws: GatewaySocket) {
    this.#ws = ws;
  }

  get address(): string | null {
    return this.#ws.data.address;
  }

  /** 0 (dropped) once the connection is over. */
  send(text: string): number {
    return this.phase === "over" ? 0 : this.#ws.send(text);
  }

  cork(work: () => void): void {
    if (this.phase === "over" || !this.#ws.cork) work();
    else this.#ws.cork(work);
  }

  bufferedBytes(): number {
    return this.#ws.getBufferedAmount();
  }

  close(code: number, reason: string): void {
    if (this.#closeSent) return;
    this.#closeSent = true;
    this.#ws.close(code, reason);
  }

  /** The far end closed: there is nothing to close any more. */
  gone(): void {
    this.#closeSent = true;
  }
}

const startMessage = z.object({
  streamSid: z.string().optional(),
  start: z.object({
    streamSid: z.string().optional(),
    callSid: z.string().min(1).max(64),
    customParameters: z.object({ token: z.string().min(1).max(500) }),
    mediaFormat: z
      .object({
        encoding: z.literal("audio/x-mulaw"),
        sampleRate: z.coerce.number().pipe(z.literal(8000)),
        channels: z.coerce.number().pipe(z.literal(1)).optional(),
      })
      .optional(),
  }),
});

/** Goes into JSON text as it is. */
const STREAM_SID = /^[A-Za-z0-9_-]{1,64}$/;

export interface StreamStart {
  readonly streamSid: string;
  readonly streamCallSid: string;
  readonly token: string;
}

/** Reads a `start` message; a string says what is wrong with it. */
export function readStart(body: unknown): StreamStart | string {
  const parsed = startMessage.safeParse(body);
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.join(".") ?? "";
    return path.includes("token") || path.includes("customParameters") ? "token missing" : `bad ${path}`;
  }
  const { start } = parsed.data;
  const streamSid = start.streamSid ?? parsed.data.streamSid ?? "";
  if (!STREAM_SID.test(streamSid)) return "bad start.streamSid";
  if (parsed.data.streamSid !== undefined && parsed.data.streamSid !== streamSid) {
    return "streamSid differs from start.streamSid";
  }
  return { streamSid, streamCallSid: start.callSid, token: start.customParameters.token };
}
