import { createActor, type Snapshot, type SnapshotFrom } from "xstate";
import type { CallEvent } from "../../machines/events.ts";
import type { SavedMachine } from "../../machines/migrations.ts";
import type { PostCallEffect, PostCallInput } from "../../machines/postcall.facts.ts";
import type { postCallMachine } from "../../machines/postcall.machine.ts";
import { CALL_RESTORED, LOG_CLOSED } from "../audit/chain.ts";
import { CallFeed } from "../call/call-feed.ts";
import type { CallStart } from "../call/call-input.ts";
import { hostDeadlines, type PostCallLogic } from "../call/deadline.ts";
import type { EffectAnswer } from "../call/effect-answer.ts";
import { EffectRunner } from "../call/effect-runner.ts";
import { EventQueue } from "../call/event-queue.ts";
import type { FeedMessage } from "../call/live-index.ts";
import { Recorder } from "../call/recorder.ts";
import type { Unfinished } from "../call/restore.ts";
import { type SavedPostCall, sealState } from "../call/snapshot.ts";
import { SnapshotKeeper } from "../call/snapshot-keeper.ts";
import type { Journal } from "../effects/journal.ts";
import { errorText } from "../errors.ts";
import { postCallKey } from "../platform/call-key.ts";
import type { CallRow, Clock, Log, Snapshot as StoredState, Store } from "../ports.ts";
import type { Tracing } from "../tracing/tracing.ts";
import type { PostCallAnswer, PostCallEffects } from "./effects.ts";
import { type Extracted, factsOf, givenUp, type PostCallFacts, type Reading } from "./facts.ts";

export interface PostCallServices {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly journal: Pick<Journal, "of">;
  readonly effects: PostCallEffects;
  readonly logic: PostCallLogic;
  readonly tracing?: Tracing | null;
  readonly feed: (message: FeedMessage) => void;
}

export interface PostCallSeed {
  readonly start: CallStart;
  /** The call's row with {@link PostCall.facts} in it; not to be asked for before there are some. */
  readonly row: () => CallRow;
  readonly policies: Pick<PostCallInput, "extract" | "deliver">;
  readonly reading: Reading;
}

/**
 * Goes on once a call is over: has its transcript read, and hands its row on. Like a call it has one queue and a
 * log, its effects are journaled, and another engine can go on with it.
 */
export class PostCall {
  readonly #services: PostCallServices;
  readonly #seed: PostCallSeed;
  readonly #log: Log;
  readonly #queue: EventQueue;
  readonly #recorder: Recorder;
  readonly #runner: EffectRunner<PostCallEffect>;
  readonly #keeper: SnapshotKeeper;
  readonly #actor;
  readonly #over = new AbortController();
  readonly #onOver: (postCall: PostCall) => void;
  #snapshot: SnapshotFrom<typeof postCallMachine>;
  #extracted: Extracted | null;
  #lost = false;

  /** With `unfinished` it is one that another engine left; {@link PostCall.resume} goes on with it. */
  constructor(
    services: PostCallServices,
    seed: PostCallSeed,
    onOver: (postCall: PostCall) => void,
    unfinished?: Unfinished<SavedPostCall>,
  ) {
    const { clock, store, journal, effects, logic, feed } = services;
    const { callSid } = seed.start;
    const saved = unfinished?.saved;
    const key = postCallKey(callSid);
    this.#services = services;
    this.#seed = seed;
    this.#onOver = onOver;
    this.#extracted = saved?.extracted ?? null;
    this.#log = services.log.child({ callSid });
    this.#queue = new EventQueue({ clock, log: this.#log, handle: (event) => this.#handle(event) });
    this.#recorder = unfinished?.recorder ?? new Recorder(key, clock, store);
    this.#keeper = new SnapshotKeeper({ callSid: key, clock, store, take: () => this.#take() });
    const callFeed = new CallFeed(callSid, clock, feed);
    this.#runner = new EffectRunner<PostCallEffect>({
      clock,
      log: this.#log,
      recorder: this.#recorder,
      journal: journal.of(key),
      perform: (effect, turn) => effects.run(effect, seed.row, this.#over.signal, turn),
      tell: (name, outcome) => callFeed.effect(name, outcome),
      deliver: (answer) => this.#answered(answer),
      spans: services.tracing?.call(callSid).effects,
    });
    const inspect = this.#runner.listener();
    const input = { callSid, atMs: clock.now(), ...seed.policies };
    const snapshot = saved && { snapshot: saved.machine as unknown as Snapshot<unknown> };
    this.#actor = createActor(logic, { input, clock, inspect, ...snapshot });
    hostDeadlines(this.#actor, { deliver: (event) => this.#queue.push(event), over: this.#over.signal });
    this.#actor.subscribe({ error: (error) => this.#onActorError(error) });
    this.#snapshot = this.#actor.getSnapshot();
  }

  get callSid(): string {
    return this.#seed.start.callSid;
  }

  get facts(): PostCallFacts {
    const facts = factsOf(this.#snapshot.context, this.#extracted, this.#seed.reading);
    return this.#lost ? givenUp(facts, "lost") : facts;
  }

  /** The row is the caller's to save. */
  begin(): void {
    const { policies, reading } = this.#seed;
    this.#recorder.write("note", "postcall.begun", { ...policies, model: reading.model });
    this.#queue.hold(() => {
      this.#actor.start();
      this.#snapshot = this.#actor.getSnapshot();
      this.#keeper.save();
    });
  }

  /** Goes on where the engine before was: pauses keep their times. */
  resume({ saved, snapshotSeq, downMs }: Unfinished<SavedPostCall>): void {
    this.#recorder.write("note", CALL_RESTORED, { snapshotSeq, downMs });
    this.#queue.resume(saved.seen);
    this.#queue.hold(() => {
      this.#actor.start();
      this.#snapshot = this.#actor.getSnapshot();
      this.#log.info("postcall.restored", { state: this.#snapshot.value, downMs });
      this.#runner.resume(saved.effects as readonly PostCallEffect[]);
    });
  }

  /** The engine stops, and another will go on: what is under way has no result, and is done again under its id. */
  handOver(): void {
    if (this.#over.signal.aborted) return;
    this.#recorder.write("note", "call.handed_over", {});
    this.#runner.handOver();
    this.#keeper.save();
    this.#keeper.stop();
    this.#queue.close();
    this.#over.abort();
  }

  /** The engine stops, and nobody will go on: the row says so. */
  giveUp(): void {
    if (this.#over.signal.aborted) return;
    this.#lost = true;
    this.#end("postcall.given_up");
  }

  #answered(answer: EffectAnswer): void {
    const { text, ...event } = answer as PostCallAnswer;
    if (text !== undefined) this.#extracted = JSON.parse(text) as Extracted;
    this.#queue.push(event);
  }

  #handle(event: CallEvent): void {
    this.#recorder.write("event", event.type, event);
    this.#actor.send(event);
    this.#snapshot = this.#actor.getSnapshot();
    if (this.#snapshot.status === "error") return;
    if (this.#snapshot.status === "done") this.#end("postcall.ended");
    else {
      this.#keeper.save();
      this.#services.store.saveCall(this.#seed.row());
    }
  }

  #take(): StoredState {
    const saved: SavedPostCall = {
      kind: "post_call",
      start: this.#seed.start,
      savedAtMs: this.#services.clock.now(),
      machine: this.#actor.getPersistedSnapshot() as unknown as SavedMachine,
      effects: this.#runner.waiting,
      seen: this.#queue.seen,
      pages: { texts: [], codes: [] },
      known: this.#recorder.known,
      personal: this.#seed.row().protected,
      extracted: this.#extracted,
    };
    return sealState(saved, this.#recorder.entries);
  }

  #onActorError(error: unknown): void {
    this.#log.error("postcall.actor_failed", { error: errorText(error) });
    if (this.#over.signal.aborted) return;
    this.#lost = true;
    this.#end("postcall.failed");
  }

  #end(note: string): void {
    const { extraction, delivery } = this.facts;
    this.#keeper.drop();
    this.#queue.close();
    this.#over.abort();
    this.#actor.stop();
    const outcome = { extraction: extraction?.status ?? null, delivery: delivery?.status ?? null };
    this.#recorder.write("note", note, outcome);
    this.#recorder.write("note", LOG_CLOSED, {});
    this.#services.store.saveCall(this.#seed.row());
    if (extraction?.status === "failed") {
      this.#log.warn("postcall.not_extracted", { reason: extraction.reason, attempts: extraction.attempts });
    }
    if (delivery?.status === "dead") {
      this.#log.error("postcall.not_delivered", { reason: delivery.reason, attempts: delivery.attempts });
    }
    this.#log.info("postcall.ended", outcome);
    this.#onOver(this);
  }
}
