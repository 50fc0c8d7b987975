/**
 * The engine's ports without a world behind them: a carrier that answers at once, a model that never speaks
 * and a store in memory. For unit tests and benchmarks of the engine itself.
 */
import { deploymentSchema } from "../../engine/config/deployment.ts";
import { startEngine, type Engine, type EngineOptions } from "../../engine/engine.ts";
import { CarrierError } from "../../engine/errors.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import { silentLog } from "../../engine/platform/log.ts";
import type {
  CallInfo,
  CallPatch,
  CallStatus,
  Carrier,
  Clock,
  CreateCall,
  CreateParticipant,
  FoundCall,
  FoundMessage,
  HeardItem,
  HistoryItem,
  ModelCapabilities,
  ModelSession,
  ModelSessionConfig,
  ModelSink,
  ParticipantInfo,
  ParticipantPatch,
  ParticipantRef,
  SendMessage,
  Sought,
  SpeechModel,
} from "../../engine/ports.ts";
import { KeptPushes } from "./kept-pushes.ts";
import { MemoryRecordings } from "./fake-recordings.ts";
import { MemoryStore } from "./memory-store.ts";

export { MemoryStore } from "./memory-store.ts";

/** What is kept for a test to look at; the oldest goes first. */
const MAX_KEPT = 2_000;

function keep<T>(list: T[], value: T): void {
  list.push(value);
  if (list.length > MAX_KEPT) list.shift();
}

// ---------------------------------------------------------------- carrier

type Operation = Exclude<keyof Carrier, "counters" | "close">;
type Ends = Pick<Sought, "to" | "from">;
type Input<O extends Operation> = Parameters<Carrier[O]>;

/**
 * Answers every request in the same turn of the loop. Participants exist from their creation until they are
 * removed; any call it is asked about is in progress until it was ended.
 */
export class InstantCarrier implements Carrier {
  /** Requests as `[operation, ...arguments]`, oldest first. */
  readonly requests: (readonly [Operation, ...unknown[]])[] = [];
  readonly #ids = seededIds(0xca);
  readonly #rooms = new Map<string, string>();
  readonly #participants = new Map<string, ParticipantInfo>();
  readonly #status = new Map<string, CallStatus>();
  readonly #calls: (FoundCall & Ends)[] = [];
  readonly #messages: (FoundMessage & Ends)[] = [];
  readonly #clock: Clock;
  readonly #failures = new Map<Operation, CarrierError[]>();
  readonly #waiting: { readonly operation: Operation; readonly resolve: (input: never) => void }[] = [];

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Everybody who was put into a conference and is not out of it. */
  get participants(): readonly ParticipantInfo[] {
    return [...this.#participants.values()];
  }

  /** The next request of this kind that is made from now on. */
  next<O extends Operation>(operation: O): Promise<Input<O>> {
    return new Promise((resolve) => void this.#waiting.push({ operation, resolve }));
  }

  /** The next request of this kind fails. Several queue up. */
  failNext(operation: Operation, init: Partial<CarrierError> = {}): void {
    const { status = 500, code = 0, retryable = false, ambiguous = false, message = "made to fail" } = init;
    const error = new CarrierError(message, { status, code, retryable, ambiguous, operation });
    this.#failures.set(operation, [...(this.#failures.get(operation) ?? []), error]);
  }

  async createParticipant(input: CreateParticipant): Promise<ParticipantInfo> {
    this.#take("createParticipant", input);
    const info: ParticipantInfo = {
      callSid: this.#ids.sid("CA"),
      conferenceSid: this.roomSid(input.conference),
      label: input.label,
      muted: input.muted ?? false,
      hold: false,
      coaching: input.coaching ?? false,
      callSidToCoach: input.callSidToCoach ?? null,
      status: "queued",
    };
    this.#participants.set(info.callSid, info);
    this.#list(info.callSid, input);
    return info;
  }

  async updateParticipant(ref: ParticipantRef, patch: ParticipantPatch): Promise<ParticipantInfo> {
    this.#take("updateParticipant", ref, patch);
    const before = this.#find(ref);
    if (!before) throw notFound("updateParticipant");
    const { muted = before.muted, hold = before.hold, coaching = before.coaching } = patch;
    const callSidToCoach = coaching ? (patch.callSidToCoach ?? before.callSidToCoach) : null;
    const after = { ...before, muted, hold, coaching, callSidToCoach };
    this.#participants.set(after.callSid, after);
    return after;
  }

  async removeParticipant(ref: ParticipantRef): Promise<"removed" | "gone"> {
    this.#take("removeParticipant", ref);
    const found = this.#find(ref);
    if (!found) return "gone";
    this.#end(found.callSid, "completed");
    return "removed";
  }

  async fetchParticipant(ref: ParticipantRef): Promise<ParticipantInfo | null> {
    this.#take("fetchParticipant", ref);
    return this.#find(ref) ?? null;
  }

  async listParticipants(conferenceSid: string): Promise<readonly ParticipantInfo[]> {
    this.#take("listParticipants", conferenceSid);
    return this.#inRoom(conferenceSid);
  }

  async findConference(friendlyName: string): Promise<string | null> {
    this.#take("findConference", friendlyName);
    return this.#rooms.get(friendlyName) ?? null;
  }

  async endConference(conferenceSid: string): Promise<"ended" | "gone"> {
    this.#take("endConference", conferenceSid);
    const inside = this.#inRoom(conferenceSid);
    for (const { callSid } of inside) this.#end(callSid, "completed");
    for (const [name, sid] of this.#rooms) if (sid === conferenceSid) this.#rooms.delete(name);
    return inside.length > 0 ? "ended" : "gone";
  }

  async createCall(input: CreateCall): Promise<CallInfo> {
    this.#take("createCall", input);
    return this.#list(this.#ids.sid("CA"), input);
  }

  async updateCall(callSid: string, patch: CallPatch): Promise<CallInfo | null> {
    this.#take("updateCall", callSid, patch);
    if (patch.status !== undefined) this.#end(callSid, patch.status);
    return this.#infoOf(callSid);
  }

  async fetchCall(callSid: string): Promise<CallInfo | null> {
    this.#take("fetchCall", callSid);
    return this.#infoOf(callSid);
  }

  async sendMessage(input: SendMessage): Promise<{ readonly messageSid: string; readonly status: string }> {
    this.#take("sendMessage", input);
    const { to, from, body } = input;
    const createdMs = this.#clock.now();
    const sent = { messageSid: this.#ids.sid("SM"), status: "queued", body, createdMs };
    keep(this.#messages, { ...sent, to, from });
    return sent;
  }

  async findCalls(sought: Sought): Promise<readonly FoundCall[]> {
    this.#take("findCalls", sought);
    return matching(this.#calls, sought).map((call) => ({ ...call, ...this.#infoOf(call.callSid) }));
  }

  async findMessages(sought: Sought): Promise<readonly FoundMessage[]> {
    this.#take("findMessages", sought);
    return matching(this.#messages, sought);
  }

  #list(callSid: string, { to, from }: Ends): CallInfo {
    const call = { callSid, status: "queued", createdMs: this.#clock.now(), to, from } as const;
    keep(this.#calls, call);
    return { callSid, status: "queued" };
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }

  async close(): Promise<void> {}

  #take(operation: Operation, ...input: unknown[]): void {
    keep(this.requests, [operation, ...input]);
    const at = this.#waiting.findIndex((each) => each.operation === operation);
    if (at >= 0) this.#waiting.splice(at, 1)[0]?.resolve(input as never);
    const error = this.#failures.get(operation)?.shift();
    if (error) throw error;
  }

  /** A conference is named by its sid or its name; a name makes one. */
  roomSid(conference: string): string {
    if (/^CF[0-9a-f]{32}$/.test(conference)) return conference;
    const sid = this.#rooms.get(conference) ?? this.#ids.sid("CF");
    this.#rooms.set(conference, sid);
    return sid;
  }

  #inRoom(conferenceSid: string): ParticipantInfo[] {
    return [...this.#participants.values()].filter((each) => each.conferenceSid === conferenceSid);
  }

  #find({ conferenceSid, participant }: ParticipantRef): ParticipantInfo | undefined {
    return this.#inRoom(conferenceSid).find(
      ({ callSid, label }) => callSid === participant || label === participant,
    );
  }

  #end(callSid: string, status: CallStatus): void {
    this.#participants.delete(callSid);
    this.#status.set(callSid, status);
    if (this.#status.size > MAX_KEPT) this.#status.delete(this.#status.keys().next().value as string);
  }

  #infoOf(callSid: string): CallInfo {
    return { callSid, status: this.#status.get(callSid) ?? "in-progress" };
  }
}

function matching<T extends Ends & { readonly createdMs: number }>(all: readonly T[], sought: Sought): T[] {
  const { to, from, sinceMs } = sought;
  return all.filter((each) => each.to === to && each.from === from && each.createdMs >= sinceMs);
}

function notFound(operation: string): CarrierError {
  return new CarrierError("not there (any more)", {
    status: 404,
    code: 20_404,
    retryable: false,
    ambiguous: false,
    operation,
  });
}

// ---------------------------------------------------------------- speech model

/** A session that is ready at once and never says a word by itself: a test speaks through its `sink`. */
export class SilentSession implements ModelSession {
  readonly capabilities: ModelCapabilities = { audio: "pcmu", truncation: true, serverInterrupt: true };
  readonly config: ModelSessionConfig;
  readonly sink: ModelSink;
  readonly interrupts: (readonly HeardItem[])[] = [];
  /** What it was asked to say or told, oldest first. */
  readonly told: string[] = [];
  /** Pieces of the caller's audio that came. */
  appends = 0;
  instructions: string;
  speaker: "agent" | "coach" = "agent";
  closed = false;

  constructor(config: ModelSessionConfig, sink: ModelSink) {
    this.config = config;
    this.sink = sink;
    this.instructions = config.instructions;
  }

  appendAudio(): void {
    this.appends++;
  }

  interrupt(items: readonly HeardItem[]): void {
    keep(this.interrupts, items);
  }

  addText(_role: "user" | "system", text: string): void {
    keep(this.told, text);
  }

  speakAs(speaker: "agent" | "coach"): void {
    this.speaker = speaker;
  }

  respond(instructions = ""): void {
    keep(this.told, instructions);
  }

  async setInstructions(instructions: string): Promise<boolean> {
    this.instructions = instructions;
    return true;
  }

  toolResult(_callId: string, output: unknown): void {
    keep(this.told, JSON.stringify(output));
  }

  history(): readonly HistoryItem[] {
    return this.config.history;
  }

  close(): void {
    this.closed = true;
  }
}

export class SilentModel implements SpeechModel {
  readonly provider = "sandbox";
  /** Every session that was opened, oldest first. */
  readonly sessions: SilentSession[] = [];

  open(config: ModelSessionConfig, sink: ModelSink): SilentSession {
    const session = new SilentSession(config, sink);
    keep(this.sessions, session);
    queueMicrotask(() => {
      if (!session.closed) sink.ready({ sessionId: `session-${config.callId}`, expiresAtMs: null });
    });
    return session;
  }
}

// ---------------------------------------------------------------- engine

export const FAKE_ACCOUNT = {
  authToken: "a-token-for-tests-only",
  number: "+15550123",
  twimlAppSid: "AP00000000000000000000000000000002",
} as const;

const STOP_LIMIT_MS = 5_000;

export interface FakeEngine {
  readonly engine: Engine;
  readonly carrier: InstantCarrier;
  readonly model: SilentModel;
  readonly store: MemoryStore;
  readonly pushes: KeptPushes;
  /** Every caller hangs up, and the engine stops. */
  stop(): Promise<void>;
}

/** The whole engine on fake ports, listening on a free port of loopback. */
export function startFakeEngine(
  overrides: Partial<Omit<EngineOptions, "carrier" | "model" | "store" | "pushes">> = {},
): FakeEngine {
  const carrier = new InstantCarrier();
  const model = new SilentModel();
  const store = new MemoryStore();
  const pushes = new KeptPushes();
  const engine = startEngine({
    port: 0,
    hostname: "127.0.0.1",
    publicUrl: null,
    account: FAKE_ACCOUNT,
    deployment: deploymentSchema.parse({}),
    provider: model.provider,
    consoleToken: null,
    sandbox: null,
    clock: systemClock,
    ids: seededIds(1),
    log: silentLog,
    recordings: new MemoryRecordings(),
    ...overrides,
    carrier,
    model,
    store,
    pushes,
  });
  const stop = async (): Promise<void> => {
    // Nobody here would hear the farewell of an engine that ends its calls by itself.
    for (const call of engine.supervisor.all()) call.deliver({ type: "caller.gone", reason: "dial_ended" });
    await engine.stop(STOP_LIMIT_MS);
  };
  return { engine, carrier, model, store, pushes, stop };
}
