/** The call with its real ladders and pages, as live actors: what each tells the other fits. */
import { describe, expect, test } from "bun:test";
import { type AnyActorRef, createActor, fromCallback } from "xstate";
import type { DeadlineInput } from "../../machines/call.setup.ts";
import { callMachine } from "../../machines/call.machine.ts";
import type { CallContext, CallEffect } from "../../machines/context.ts";
import type { CallEvent, UnstampedCallEvent } from "../../machines/events.ts";
import { ladderMachine } from "../../machines/ladder.machine.ts";
import type { PageEffect } from "../../machines/ladder.types.ts";
import { pageMachine } from "../../machines/page.machine.ts";
import { CALL_SID, INPUT } from "./driver.ts";
import { WANTED } from "./script.ts";

type Effect = CallEffect | PageEffect;

const CONFERENCE_SID = "CF00000000000000000000000000000001";

class LiveCall {
  readonly #deadlines = new Set<DeadlineInput>();
  readonly #open = new Map<string, Effect>();
  readonly errors: unknown[] = [];
  readonly asked: Effect[] = [];
  readonly #actor;
  #nowMs = INPUT.startedAtMs;

  constructor(saved?: string, before: readonly Effect[] = []) {
    for (const effect of before) this.#open.set(effect.id, effect);
    const deadline = fromCallback<CallEvent, DeadlineInput>(({ input }) => {
      this.#deadlines.add(input);
      return () => void this.#deadlines.delete(input);
    });
    const page = pageMachine.provide({ actors: { deadline } });
    const ladder = ladderMachine.provide({ actors: { deadline, page } });
    this.#actor = createActor(callMachine.provide({ actors: { deadline, ladder } }), {
      input: INPUT,
      ...(saved === undefined ? {} : { snapshot: JSON.parse(saved) as never }),
      inspect: (event) => {
        if (event.type !== "@xstate.actor") return;
        (event.actorRef as AnyActorRef).on("effect", (effect) => this.#ask(effect as Effect));
      },
    });
    this.#actor.subscribe({ error: (error) => void this.errors.push(error) });
    this.#actor.start();
  }

  /** The same call in a new process, as it was stored. */
  restarted(): LiveCall {
    const saved = JSON.stringify(this.#actor.getPersistedSnapshot());
    this.#actor.stop();
    const next = new LiveCall(saved, [...this.#open.values()]);
    next.#nowMs = this.#nowMs;
    return next;
  }

  get value(): unknown {
    return this.#actor.getSnapshot().value;
  }

  get context(): CallContext {
    return this.#actor.getSnapshot().context;
  }

  get children(): readonly string[] {
    return Object.keys(this.#actor.getSnapshot().children).filter((id) => id.startsWith("ladder"));
  }

  happens(event: UnstampedCallEvent): this {
    this.#actor.send({ ...event, at: ++this.#nowMs } as CallEvent);
    return this;
  }

  /** Answers everything that is open, and what comes of that. */
  answered(): this {
    for (let [effect] = this.#open.values(); effect; [effect] = this.#open.values()) {
      this.#open.delete(effect.id);
      const label = (effect.input as { readonly label?: string }).label ?? null;
      const head = { type: "effect.done", id: effect.id, name: effect.name, label } as const;
      this.happens({ ...head, callSid: `CA-${label}`, conferenceSid: CONFERENCE_SID });
      if (effect.name === "page.hangUp") this.#ended(effect.input.label);
    }
    return this;
  }

  /** Time goes on to a deadline, which passes. */
  passes(name: DeadlineInput["name"]): this {
    const due = [...this.#deadlines].find((each) => each.name === name);
    if (!due) throw new Error(`no deadline ${name} runs`);
    this.#nowMs = Math.max(this.#nowMs, due.atMs);
    return this.happens({ type: "deadline", name, ...(due.of === undefined ? {} : { of: due.of }) });
  }

  joins(label: string, callSid = `CA-${label}`): this {
    return this.happens({ type: "participant.joined", label, callSid, conferenceSid: CONFERENCE_SID });
  }

  /** Called, they pick up and press 1. */
  accepts(label: string): this {
    const head = { type: "leg.status", label, callSid: `CA-${label}` } as const;
    this.happens({ ...head, status: "ringing" }).happens({ ...head, status: "in-progress" });
    return this.happens({ type: "human.answered", label, answer: "accepted" });
  }

  #ended(label: string): void {
    this.happens({ type: "leg.status", label, callSid: `CA-${label}`, status: "canceled" });
  }

  #ask(effect: Effect): void {
    this.asked.push(effect);
    if (!/^(model\.(?!role)|media\.(?!flush)|page\.withdraw)/.test(effect.name))
      this.#open.set(effect.id, effect);
  }
}

function escalated(): LiveCall {
  const call = new LiveCall().joins("caller", CALL_SID).answered().happens({ type: "model.ready" });
  call.happens({ type: "ai.streamStarted", label: "ai-1", streamSid: "MZ1", streamCallSid: "CA-ai-1" });
  return call.happens(WANTED).answered();
}

const labels = (call: LiveCall): unknown =>
  call.context.incidents[0]?.pages.map((page) => [page.label, page.result]);

describe("a call with its ladder", () => {
  test("goes from the first rung, which does not answer, to the second, who joins, and back", () => {
    const call = escalated();
    expect(call.value).toEqual({ escalating: { ladder: "paging", link: "live" } });
    expect(labels(call)).toEqual([
      ["human-1", null],
      ["sms-2", null],
    ]);
    call.passes("rung").answered();
    expect(call.context.incidents[0]).toMatchObject({ rung: 1, phase: "paging" });
    call.accepts("human-3").answered();
    expect(call.value).toEqual({ escalating: { ladder: "joining", link: "live" } });
    call.joins("human-3").answered();
    expect(call.value).toEqual({ coaching: { whisper: "active", caller: "together" } });
    expect(call.context.incidents[0]).toMatchObject({
      phase: "owned",
      outcome: "owned",
      clear: true,
      owner: { contactName: "doctor", label: "human-3" },
    });
    expect(call.children).toEqual([]);
    const left = { type: "participant.left", label: "human-3", callSid: "CA-human-3" } as const;
    call.happens({ ...left, reason: "participant_hung_up" }).answered();
    expect(call.value).toEqual({ streaming: "live" });
    call.happens({ type: "caller.gone", reason: "hung_up" }).answered();
    expect([call.value, call.context.handover, call.errors]).toEqual(["ended", "coached", []]);
  });

  test("numbers the pages of the next incident on", () => {
    const call = escalated().accepts("human-1").answered().joins("human-1").answered();
    call.happens(WANTED).answered();
    expect(call.context.incidents[1]?.pages.map((page) => page.label)).toEqual(["human-3", "sms-4"]);
  });

  test("ends its pages before it ends, when the caller leaves", () => {
    const call = escalated().happens({ type: "caller.gone", reason: "hung_up" });
    expect(call.value).toEqual({ wrapUp: "clearing" });
    expect(call.context.incidents[0]).toMatchObject({ phase: "over", outcome: "caller_left" });
    call.answered();
    expect(call.value).toBe("ended");
    expect(call.context.incidents[0]?.clear).toBe(true);
  });

  test("looks on for somebody when the owner did not come", () => {
    const call = escalated().accepts("human-1").answered();
    call.happens({ type: "leg.status", label: "human-1", callSid: "CA-human-1", status: "completed" });
    expect(call.value).toEqual({ escalating: { ladder: "paging", link: "live" } });
    expect(call.context.incidents[0]).toMatchObject({ phase: "paging", owner: null, rung: 1 });
  });

  test("goes on in another process where it was", () => {
    const call = escalated().restarted();
    expect(call.children).toEqual(["ladder-1"]);
    call.accepts("human-1").answered().joins("human-1").answered();
    expect(call.value).toEqual({ coaching: { whisper: "active", caller: "together" } });
    expect(call.context.incidents[0]?.phase).toBe("owned");
    expect(call.errors).toEqual([]);
  });
});
