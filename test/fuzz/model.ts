/** The model's socket, and its endpoint for texts: every input is some calls whose model is played, and plays badly. */
import { systemClock } from "../../engine/platform/clock.ts";
import { Dice } from "../sim/dice.ts";
import { count, type Edge, type Input } from "./edge.ts";
import { mangleJson, oddJson, oneOf, randomBytes, scrap, shown } from "./mangle.ts";
import type { Played, Script } from "./model-front.ts";
import type { Target } from "./target.ts";

/** Calls at the same time. */
const CALLS = 6;
/** How long one may go on whose model says nothing more. */
const CALL_MS = 700;
/** Sockets of one input: who goes on connecting gets no further script. */
const MAX_SCRIPTS = 24;

type Event = Readonly<Record<string, unknown>>;

/** What is put where only the request that is answered knows what belongs there. */
const REQUEST = "@request@";

const AUDIO = { type: "audio/pcmu" };
const SESSION = {
  id: "sess_1",
  type: "realtime",
  audio: { input: { format: AUDIO }, output: { format: AUDIO } },
};

function toolCall(dice: Dice): { readonly name: string; readonly args: string } {
  const escalate = {
    reason: dice.chance(0.5) ? "chest pain" : scrap(dice),
    urgency: oneOf(dice, ["high", "x"]),
  };
  return dice.pick(
    [3, { name: "escalate", args: oddJson(dice, escalate) }],
    [1, { name: "end_call", args: oddJson(dice, { reason: "done" }) }],
    [1, { name: scrap(dice), args: scrap(dice) }],
  );
}

/** One answer of the model, from its beginning to its end. */
function answer(dice: Dice, nth: number): Event[] {
  const responseId = dice.chance(0.95) ? `resp_${nth}` : "resp_0";
  const itemId = `item_${nth}`;
  const part = { response_id: responseId, item_id: itemId, output_index: 0, content_index: 0 };
  const usage = { input_tokens: 10, output_tokens: 20, input_token_details: { cached_tokens: 1 } };
  const response = { id: responseId, status: "in_progress", metadata: { request: REQUEST } };
  const tool = dice.chance(0.2) ? toolCall(dice) : null;
  const call = {
    id: itemId,
    type: "function_call",
    call_id: `call_${nth}`,
    name: tool?.name,
    arguments: tool?.args,
  };
  const item = tool ? call : { id: itemId, type: "message", status: "in_progress" };
  const bytes = dice.pick([6, 160], [2, 4000], [1, 0], [1, 16_000]);
  const delta = Buffer.alloc(bytes, dice.between(0, 255)).toString("base64");
  const audio = dice.times(dice.between(1, 12), () => ({
    type: "response.output_audio.delta",
    ...part,
    delta,
  }));
  const words = { type: "response.output_audio_transcript.delta", ...part, delta: "hello there " };
  return [
    { type: "response.created", response },
    { type: "response.output_item.added", response_id: responseId, output_index: 0, item },
    ...(tool ? [] : [words, ...audio, words]),
    ...(tool ? [] : [{ type: "response.output_audio.done", ...part }]),
    { type: "response.output_audio_transcript.done", ...part, transcript: "hello there" },
    {
      type: "response.output_item.done",
      response_id: responseId,
      output_index: 0,
      item: { ...item, status: "completed" },
    },
    { type: "response.done", response: { ...response, status: oneOf(dice, STATUSES), usage } },
  ];
}

const STATUSES = ["completed", "completed", "cancelled", "incomplete", "failed", "in_progress", "x"];

/** What the model says of the caller, and of itself. */
function aside(dice: Dice, nth: number): Event[] {
  const spoken = { item_id: `heard_${nth}` };
  const transcription = "conversation.item.input_audio_transcription";
  return dice.pick<Event[]>(
    [
      4,
      [
        { type: "input_audio_buffer.speech_started", audio_start_ms: nth * 100, ...spoken },
        { type: "input_audio_buffer.speech_stopped", audio_end_ms: nth * 100 + 50, ...spoken },
        { type: "input_audio_buffer.committed", ...spoken },
        { type: `${transcription}.completed`, ...spoken, content_index: 0, transcript: scrap(dice) },
      ],
    ],
    [1, [{ type: `${transcription}.failed`, ...spoken, error: { message: scrap(dice) } }]],
    [
      1,
      [
        {
          type: "error",
          error: { type: "invalid_request_error", code: oneOf(dice, CODES), message: scrap(dice) },
        },
      ],
    ],
    [1, [{ type: "session.updated", session: SESSION }]],
    [1, [{ type: "session.created", session: SESSION }]],
    [1, [{ type: scrap(dice) }]],
  );
}

const CODES = [
  "session_expired",
  "invalid_api_key",
  "rate_limit_exceeded",
  "conversation_already_has_active_response",
  "response_cancel_not_active",
  "item_truncate_invalid_item_id",
  "x",
  null,
];

/** Texts as they are sent; a binary message as bytes. */
function spoiled(dice: Dice, event: Event, wild: number): string | Uint8Array {
  if (!dice.chance(wild)) return JSON.stringify(event);
  if (dice.chance(0.04)) return randomBytes(dice);
  if (dice.chance(0.01)) return JSON.stringify({ ...event, delta: "A".repeat(2_000_000) });
  return oddJson(dice, mangleJson(dice, event));
}

interface Session {
  readonly created: string | Uint8Array;
  readonly updated: string | Uint8Array;
  readonly events: readonly (string | Uint8Array)[];
  readonly end: "close" | "terminate" | "stay" | "odd";
}

function sessionOf(dice: Dice): Session {
  const wild = dice.pick([2, 0], [5, 0.08], [2, 0.5]);
  const events = dice
    .times(dice.between(0, 30), () => 0)
    .flatMap((_, i) => (dice.chance(0.6) ? answer(dice, i) : aside(dice, i)));
  if (dice.chance(0.2)) events.sort(() => (dice.chance(0.5) ? 1 : -1));
  if (dice.chance(0.1)) events.push(...events.slice(0, 20));
  return {
    created: spoiled(dice, { type: "session.created", session: SESSION }, wild / 4),
    updated: spoiled(dice, { type: "session.updated", session: SESSION }, wild / 4),
    events: events.map((event) => spoiled(dice, event, wild)),
    end: dice.pick([3, "stay"], [2, "close"], [1, "terminate"], [1, "odd"]),
  };
}

/** Plays a session; `done` is told once all of it has been said. */
function scriptOf(session: Session, done: () => void): Script {
  let configured = false;
  let request = "e1";
  const fill = (message: string | Uint8Array) =>
    typeof message === "string" ? message.replaceAll(REQUEST, request) : message;
  const play = async (socket: Played): Promise<void> => {
    for (const message of session.events) {
      socket.send(fill(message));
      // The engine's answers, and what it asks for, come in between.
      await Promise.resolve();
    }
    if (session.end === "close") socket.close(1000);
    if (session.end === "odd") socket.close(4999, "x".repeat(100));
    if (session.end === "terminate") socket.terminate();
    done();
  };
  return {
    opened: (socket) => socket.send(session.created),
    text: (text, socket) => {
      request = /"type":"response.create","event_id":"([^"]*)"/.exec(text)?.[1] ?? request;
      if (configured || !text.includes('"session.update"')) return;
      configured = true;
      socket.send(session.updated);
      void play(socket);
    },
  };
}

const FINDINGS = { sentiment: { value: "neutral", confidence: 0.5, spans: [] }, intent: { value: "x" } };

/** How a transcript is read: rightly never, and in most ways wrongly. */
function readingOf(dice: Dice): { readonly status: number; readonly body: string } {
  const text = oddJson(dice, mangleJson(dice, FINDINGS));
  const output = [
    { type: "message", role: "assistant", content: [{ type: "output_text", text, annotations: [] }] },
  ];
  const body = { id: "resp_1", object: "response", status: "completed", model: "x", output, usage: null };
  return {
    status: dice.pick([12, 200], [1, 429], [1, 500], [1, 401], [1, 204]),
    body: oddJson(dice, dice.chance(0.5) ? mangleJson(dice, body) : body),
  };
}

interface Plan {
  /** Of each session: drawn once the engine opens it, since it may be long. */
  readonly seeds: readonly number[];
  readonly readings: readonly { readonly status: number; readonly body: string }[];
}

export function createModelEdge(): Edge {
  const depth: Record<string, number> = { sessions: 0, events: 0, readings: 0 };
  return {
    name: "model",
    depth,
    warmUpInputs: 20,
    together: 1,
    expected: ["openai.failed", "model.failed"],
    draw: (dice): Input => {
      const plan: Plan = {
        seeds: dice.times(MAX_SCRIPTS, () => dice.between(0, 2 ** 31)),
        readings: dice.times(2 * CALLS, () => readingOf(dice)),
      };
      return {
        shown: () => shown([...plan.seeds, ...sessionOf(new Dice(plan.seeds[0] ?? 0)).events.map(String)]),
        send: (target) => callsWith(plan, target, depth),
      };
    },
    settle: async ({ front }) => {
      front.script = null;
      front.answer = null;
    },
  };
}

async function callsWith(plan: Plan, target: Target, depth: Record<string, number>): Promise<void> {
  const { front } = target;
  const ended = Promise.withResolvers<void>();
  let scripts = 0;
  let played = 0;
  front.script = () => {
    const session = sessionOf(new Dice(plan.seeds[scripts++ % plan.seeds.length] ?? 0));
    count(depth, "sessions");
    return scriptOf(session, () => {
      count(depth, "events", session.events.length);
      if (++played >= MAX_SCRIPTS) ended.resolve();
    });
  };
  let readings = 0;
  front.answer = () => {
    const reading = plan.readings[readings++ % plan.readings.length] ?? { status: 500, body: "" };
    count(depth, "readings");
    const headers = { "content-type": "application/json" };
    return new Response(reading.status === 204 ? null : reading.body, { status: reading.status, headers });
  };
  const callers = await Promise.all(Array.from({ length: CALLS }, (_, i) => target.dial(20 + i)));
  const timer = systemClock.setTimeout(ended.resolve, CALL_MS);
  await ended.promise;
  systemClock.clearTimeout(timer);
  await Promise.all(callers.map((caller) => caller.hangUp()));
}
