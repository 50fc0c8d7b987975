/** Effects of all actors of a system are carried out, noted and answered. */
import { describe, expect, test } from "bun:test";
import { createActor, emit, sendTo, setup, type Snapshot } from "xstate";
import { answerOf, type EffectAnswer, type NamedEffect } from "../../../engine/call/effect-answer.ts";
import { EffectRunner, hearEffects } from "../../../engine/call/effect-runner.ts";
import { Recorder } from "../../../engine/call/recorder.ts";
import { Journal, type Turn } from "../../../engine/effects/journal.ts";
import { CarrierError, PushError } from "../../../engine/errors.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { MemoryStore } from "../../support/fake-ports.ts";
import { CALL_SID, keptLog, settle, START_MS } from "./support.ts";

const effect = (id: string) => emit({ type: "effect", id, name: "page.sms", input: { label: id } } as never);

const page = setup({}).createMachine({
  entry: effect("on entry"),
  on: { GO: { actions: effect("page") } },
});

const ladder = setup({ actors: { page } }).createMachine({
  entry: effect("ladder on entry"),
  invoke: { src: "page", id: "human-1" },
  on: { GO: { actions: sendTo("human-1", { type: "GO" }) } },
});

/** A call with a ladder with a page, as three levels of actors. */
const call = setup({ actors: { ladder } }).createMachine({
  initial: "talking",
  states: {
    talking: { on: { ESCALATE: "escalating" } },
    escalating: {
      entry: effect("call"),
      invoke: { src: "ladder", id: "ladder-1" },
      on: { GO: { actions: sendTo("ladder-1", { type: "GO" }) } },
    },
  },
});

function start(snapshot?: Snapshot<unknown>) {
  const heard: string[] = [];
  const inspect = hearEffects((each: NamedEffect) => void heard.push(each.id));
  const actor = createActor(call, { inspect, ...(snapshot && { snapshot }) });
  return { actor: actor.start(), heard };
}

describe("the effects of a system of actors", () => {
  test("are heard from the root and from children that are spawned later, once each", () => {
    const { actor, heard } = start();
    actor.send({ type: "ESCALATE" });
    expect(heard.toSorted()).toEqual(["call", "ladder on entry", "on entry"]);
    actor.send({ type: "GO" });
    expect(heard.filter((id) => id === "page")).toEqual(["page"]);
  });

  test("are heard from children that were restored", () => {
    const before = start();
    before.actor.send({ type: "ESCALATE" });
    const snapshot = JSON.parse(JSON.stringify(before.actor.getPersistedSnapshot())) as Snapshot<unknown>;
    const { actor, heard } = start(snapshot);
    expect(heard).toEqual([]);
    actor.send({ type: "GO" });
    expect(heard).toEqual(["page"]);
  });
});

function makeRunner(perform: (effect: NamedEffect, turn: Turn) => Promise<EffectAnswer> | null) {
  const clock = new VirtualClock(START_MS);
  const store = new MemoryStore();
  const { log, lines } = keptLog(clock);
  const told: string[] = [];
  const answers: EffectAnswer[] = [];
  const runner = new EffectRunner({
    clock,
    log,
    recorder: new Recorder(CALL_SID, clock, store),
    journal: new Journal({ store, clock, log }).of(CALL_SID),
    perform,
    tell: (name, outcome) => void told.push(`${name} ${outcome}`),
    deliver: (answer) => void answers.push(answer),
  });
  const entries = () => store.logs.get(CALL_SID)?.map(({ kind, name, data }) => ({ kind, name, data })) ?? [];
  return { clock, runner, told, answers, entries, lines };
}

const SMS: NamedEffect = {
  id: `${CALL_SID}/sms-2/1/page.sms`,
  name: "page.sms",
  input: { label: "sms-2", incident: 1, to: "+15550100" },
};

describe("an effect that is carried out", () => {
  test("is noted with its result, and answered by the event of its id, without a number", async () => {
    const { clock, runner, told, answers, entries } = makeRunner((each) =>
      answerOf(each, clock, () => Promise.resolve({ callSid: "CA9" })),
    );
    runner.run(SMS);
    await settle();
    expect(answers).toEqual([
      { type: "effect.done", at: START_MS, id: SMS.id, name: "page.sms", label: "sms-2", callSid: "CA9" },
    ]);
    expect(told).toEqual(["page.sms started", "page.sms done"]);
    expect(entries().map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "effect page.sms",
      "result effect.done",
    ]);
    expect(entries()[0]?.data).toEqual({ id: SMS.id, label: "sms-2", incident: 1, to: "[number 1]" });
  });

  test("tells the status and code of what failed, and no number", async () => {
    const refused = new CarrierError("the number +15550100 is not reachable", {
      status: 400,
      code: 21_211,
      retryable: false,
      ambiguous: false,
      operation: "sendMessage",
    });
    const { clock, runner, told, answers } = makeRunner((each) =>
      answerOf(each, clock, () =>
        Promise.reject(
          each.name === "page.sms" ? refused : new PushError("no", { status: 410, retryable: false }),
        ),
      ),
    );
    runner.run(SMS);
    runner.run({ ...SMS, name: "page.push" });
    await settle();
    expect(answers).toMatchObject([
      {
        type: "effect.failed",
        id: SMS.id,
        status: 400,
        code: 21_211,
        message: "the number [number] is not reachable",
      },
      { type: "effect.failed", name: "page.push", status: 410, code: 0 },
    ]);
    expect(told).toContain("page.sms failed");
  });

  test.each([
    ["carrier.mute", 404, "info"],
    ["carrier.coach", 404, "info"],
    // Twilio knows nothing of what was to be made: that is not somebody who has just left.
    ["carrier.addAi", 404, "warn"],
    ["page.sms", 404, "warn"],
    ["carrier.mute", 400, "warn"],
    ["carrier.mute", 503, "warn"],
  ])("%s that fails with %d is told at %s", async (name, status, level) => {
    const code = status === 404 ? 20_404 : 1;
    const failure = { status, code, retryable: false, ambiguous: false, operation: "any" };
    const { clock, runner, lines } = makeRunner((each) =>
      answerOf(each, clock, () => Promise.reject(new CarrierError("no", failure))),
    );
    runner.run({ ...SMS, name });
    await settle();
    const told = lines.filter(({ event }) => event === "effect.failed");
    expect(told).toMatchObject([{ level, name, status, code }]);
  });

  test("that nobody answers is only noted", async () => {
    const { runner, told, answers } = makeRunner(() => null);
    runner.run(SMS);
    await settle();
    expect(answers).toEqual([]);
    expect(told).toEqual(["page.sms started"]);
  });

  test("that throws is answered as failed: nobody waits for ever", async () => {
    const { runner, answers, lines } = makeRunner(() => {
      throw new Error("a bug");
    });
    runner.run(SMS);
    await settle();
    expect(answers).toMatchObject([{ type: "effect.failed", id: SMS.id, message: "it could not be begun" }]);
    expect(lines.map((line) => line.event)).toContain("effect.threw");
  });
});
