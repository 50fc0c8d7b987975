import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import {
  type Level,
  type Standing,
  goesOn,
  holdsLatency,
  holdsQuality,
  turnRatio,
} from "../../../bench/peers/contest.ts";
import { installPeers } from "../../../bench/peers/install.ts";
import { listPeers, type Peer } from "../../../bench/peers/peers.ts";

// The first run fetches the packages.
setDefaultTimeout(150_000);

const STREAM_SID = "MZ00000000000000000000000000000001";
const ITEM = "item_1";
const SAID = new Uint8Array(160).fill(0x4f).toBase64();
const INTERRUPTING = new Uint8Array(160).fill(0x21).toBase64();
/** 100 ms, as the model sends them. */
const ANSWER = Uint8Array.from({ length: 800 }, (_, i) => i % 251).toBase64();

type Json = Record<string, unknown>;

/** Messages in the order in which they came, to be waited for. */
class Inbox {
  readonly all: Json[] = [];
  readonly #arrived = new EventTarget();

  put(message: Json): void {
    this.all.push(message);
    this.#arrived.dispatchEvent(new Event("message"));
  }

  async first(matches: (message: Json) => boolean): Promise<Json> {
    for (;;) {
      const found = this.all.find(matches);
      if (found !== undefined) return found;
      await once(this.#arrived, "message");
    }
  }
}

/** A speech model that answers once when spoken to, and hears an interruption in one kind of frame. */
function startModel(inbox: Inbox) {
  let headers = new Headers();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, self) => {
      headers = request.headers;
      return self.upgrade(request) ? undefined : new Response(null, { status: 400 });
    },
    websocket: {
      open: (socket) => void socket.send(JSON.stringify({ type: "session.created", ...id(), session: {} })),
      message: (socket, text) => {
        const event = JSON.parse(String(text)) as Json;
        const spoken = inbox.all.some(({ type }) => type === "input_audio_buffer.append");
        inbox.put(event);
        const send = (reply: Json): void => void socket.send(JSON.stringify({ ...id(), ...reply }));
        if (event.type === "session.update") send({ type: "session.updated", session: event.session });
        if (event.type !== "input_audio_buffer.append") return;
        if (event.audio === INTERRUPTING)
          send({ type: "input_audio_buffer.speech_started", audio_start_ms: 20, item_id: "item_2" });
        else if (!spoken) answer(send);
      },
    },
  });
  return { server, headers: () => headers };
}

const id = () => ({ event_id: `event_${crypto.randomUUID()}` });

function answer(send: (event: Json) => void): void {
  const part = { response_id: "resp_1", item_id: ITEM, output_index: 0, content_index: 0 };
  send({ type: "response.created", response: { id: "resp_1", status: "in_progress", output: [] } });
  send({ type: "response.output_audio.delta", ...part, delta: ANSWER });
}

interface Bridged {
  readonly carrier: Inbox;
  readonly model: Inbox;
  readonly authorization: string | null;
  readonly exitCode: number | null;
}

/** One call through a peer: the caller speaks, is answered, interrupts; then the peer is told to end. */
async function bridge({ command }: Peer): Promise<Bridged> {
  const model = new Inbox();
  const carrier = new Inbox();
  const { server, headers } = startModel(model);
  const child = Bun.spawn([...(command ?? [])], {
    env: {
      PATH: process.env.PATH,
      PORT: "0",
      MODEL_URL: `ws://127.0.0.1:${server.port}/v1/realtime?model=x`,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 60_000,
  });
  let socket: WebSocket | null = null;
  try {
    const port = await readyPort(child.stdout);
    socket = new WebSocket(`ws://127.0.0.1:${port}/media`);
    socket.onmessage = ({ data }) => carrier.put(JSON.parse(String(data)) as Json);
    await once(socket, "open");
    await talk(socket, carrier, model);
  } finally {
    socket?.close();
    child.kill("SIGTERM");
    await child.exited;
    await server.stop(true);
  }
  return { carrier, model, authorization: headers().get("authorization"), exitCode: child.exitCode };
}

async function talk(socket: WebSocket, carrier: Inbox, model: Inbox): Promise<void> {
  const send = (message: Json): void => socket.send(JSON.stringify(message));
  let frames = 0;
  const speak = (payload: string): void => {
    const timestamp = String(20 * frames++);
    const media = { track: "inbound", chunk: String(frames), timestamp, payload };
    send({ event: "media", sequenceNumber: String(frames + 1), streamSid: STREAM_SID, media });
  };
  send({ event: "connected", protocol: "Call", version: "1.0.0" });
  const mediaFormat = { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 };
  const start = {
    accountSid: "AC1",
    callSid: "CA1",
    streamSid: STREAM_SID,
    tracks: ["inbound"],
    mediaFormat,
  };
  send({ event: "start", sequenceNumber: "1", streamSid: STREAM_SID, start });
  await model.first(({ type }) => type === "session.update");
  speak(SAID);
  await carrier.first(({ event }) => event === "media");
  speak(SAID);
  speak(INTERRUPTING);
  await carrier.first(({ event }) => event === "clear");
  send({ event: "stop", sequenceNumber: "9", streamSid: STREAM_SID, stop: { callSid: "CA1" } });
}

async function readyPort(stdout: ReadableStream<Uint8Array>): Promise<number> {
  let said = "";
  for await (const bytes of stdout) {
    said += new TextDecoder().decode(bytes);
    const port = /^ready (\d+)\n/.exec(said)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error(`the peer never got ready: ${said}`);
}

describe("a call through what Tandem is measured against", () => {
  const peers = listPeers().filter(({ command }) => command !== null);
  const calls = new Map<string, Promise<Bridged>>();

  beforeAll(async () => {
    await installPeers();
    for (const peer of peers) {
      const call = bridge(peer);
      // Of each its own test tells.
      call.catch(() => undefined);
      calls.set(peer.name, call);
    }
  });

  afterAll(() => Promise.allSettled(calls.values()));

  for (const { name, floor } of peers) {
    test(`${name}: audio passes both ways unchanged, and speech silences the carrier`, async () => {
      const { carrier, model, authorization } = (await calls.get(name)) as Bridged;
      expect(authorization).toStartWith("Bearer ");
      const heard = model.all.filter(({ type }) => type === "input_audio_buffer.append");
      expect(heard.map(({ audio }) => audio)).toEqual([SAID, SAID, INTERRUPTING]);
      const played = carrier.all.filter(({ event }) => event === "media");
      expect(played).toMatchObject([{ streamSid: STREAM_SID, media: { payload: ANSWER } }]);
      expect(carrier.all.at(-1)).toMatchObject({ event: "clear", streamSid: STREAM_SID });
      const truncated = model.all.filter(({ type }) => type === "conversation.item.truncate");
      if (floor) expect(truncated).toEqual([]);
      else expect(truncated).toMatchObject([{ item_id: ITEM, content_index: 0 }]);
    });

    test(`${name}: the session is μ-law both ways`, async () => {
      const { model } = (await calls.get(name)) as Bridged;
      const audio = model.all.flatMap(
        ({ session }) => (session as { audio?: Json } | undefined)?.audio ?? [],
      );
      const format = { type: "audio/pcmu" };
      expect(audio).toMatchObject([{ input: { format }, output: { format } }]);
    });

    test(`${name}: it ends when told to`, async () => {
      const { exitCode } = (await calls.get(name)) as Bridged;
      expect(exitCode).toBe(0);
    });
  }
});

describe("the quality bar", () => {
  const level = (calls: number, p99: number, failedShare = 0): Level => {
    const latencyMs = { count: 1, p50: p99, p99, p999: p99, max: p99, buckets: [] };
    const window = { latencyMs } as unknown as Level["window"];
    return { calls, failedShare, window } as Level;
  };
  const one = level(1, 1);

  test("added latency is held up to 20 ms at p99 and with less than 0.5 % failed", () => {
    expect(holdsLatency(level(100, 20))).toBe(true);
    expect(holdsLatency(level(100, 20.1))).toBe(false);
    expect(holdsLatency(level(200, 1, 1 / 200))).toBe(false);
  });

  test("a turn may take a quarter longer than with one call, the model's thinking included", () => {
    expect(turnRatio(level(100, 51.25), one)).toBe(1.25);
    expect(holdsQuality(level(100, 51.25), one)).toBe(true);
    expect(holdsQuality(level(100, 51.3), one)).toBe(false);
    expect(holdsQuality(level(100, 1, 0.005), one)).toBe(false);
  });

  test("all climb to the numbers that are compared, and further only who still holds either", () => {
    const standing = (...levels: Level[]) => ({ levels }) as unknown as Standing;
    const plan = { comparedCalls: 200 };
    expect(goesOn(standing(one, level(100, 900)), 200, plan)).toBe(true);
    expect(goesOn(standing(one, level(200, 900)), 300, plan)).toBe(false);
    expect(goesOn(standing(one, level(200, 30)), 300, plan)).toBe(true);
  });
});
