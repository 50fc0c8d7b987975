/** Logs of real sessions, replayed by the machines as they are, and by machines that were changed. */
import { describe, expect, test } from "bun:test";
import type { ChainedEntry } from "../../../engine/platform/hash-chain.ts";
import { replay, type Replayed } from "../../../engine/audit/replay.ts";
import { MACHINES, type Machines } from "../../../engine/audit/rerun.ts";
import type { AuditEntry } from "../../../engine/ports.ts";
import { callMachine } from "../../../machines/call.machine.ts";
import { incidentMachine } from "../../../machines/incident.machine.ts";
import {
  accepts,
  type Calls,
  escalate,
  handedOver,
  legSid,
  makeCalls,
  ringing,
  streaming,
} from "../call/calls-setup.ts";
import { DOCTOR, inVain, LADDER, NURSE, paging, PAUSE_MS, wait } from "../call/ladder-setup.ts";
import { CALL_SID, settle } from "../call/support.ts";
import { rehashed } from "./log-setup.ts";

const logOf = ({ store }: Calls): ChainedEntry[] => (store.logs.get(CALL_SID) ?? []) as ChainedEntry[];

/** Handed over, and hung up by the operator. */
async function wholeCall(): Promise<ChainedEntry[]> {
  const calls = makeCalls();
  const { session } = await handedOver(calls);
  session.deliver({ type: "op.hangup" });
  await settle();
  return logOf(calls);
}

const withCall = (call: typeof callMachine): Machines => ({ ...MACHINES, call });

/** Number of the n-th entry of this kind and name. */
function seqOf(log: readonly AuditEntry[], kind: string, name: string, nth = 0): number {
  return log.filter((entry) => entry.kind === kind && entry.name === name)[nth]?.seq ?? -1;
}

/** The log with one entry's data changed. */
function changed(log: readonly AuditEntry[], seq: number, data: Record<string, unknown>): ChainedEntry[] {
  const now = log.map((entry) =>
    entry.seq === seq ? { ...entry, data: { ...entry.data, ...data } } : entry,
  );
  return rehashed(now) as ChainedEntry[];
}

const outcomeOf = ({ outcome, divergence, why }: Replayed) => ({ outcome, divergence, why });
const AGREES = { outcome: "agrees", divergence: null, why: null };

describe("the log of a call, replayed by the machines that made it,", () => {
  test("agrees, entry by entry, with its effects and their ids", async () => {
    const log = await wholeCall();
    const replayed = replay(log);
    expect(outcomeOf(replayed)).toEqual(AGREES as never);
    expect(replayed.notes).toEqual([]);
    expect(replayed.events).toBe(log.filter(({ kind }) => kind === "event").length);
    const made = log.filter(({ kind }) => kind === "effect" || kind === "step" || kind === "state").length;
    expect([replayed.compared, made > 40]).toEqual([made, true]);
  });

  test("agrees with what follows it, when somebody is sought on for a caller who has left", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await inVain(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    await wait(calls, PAUSE_MS);
    calls.escalations.deliver(CALL_SID, {
      type: "page.acknowledged",
      label: calls.escalations.pagesTo(NURSE)[0]?.label ?? "",
    });
    await settle();
    await wait(calls, 60_000);
    const log = logOf(calls);
    expect(log.at(-1)?.name).toBe("log.closed");
    expect(outcomeOf(replay(log))).toEqual(AGREES as never);
    expect(log.map(({ name }) => name)).toContain("follow_up.ended");
  });

  test("agrees when the engine stopped in the middle, of the call or of what followed it", async () => {
    const middle = makeCalls();
    const { session } = await ringing(middle);
    middle.followUps.stop();
    session.abandon();
    const after = makeCalls({ deployment: LADDER });
    const followed = await inVain(after);
    followed.session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    await wait(after, PAUSE_MS);
    after.followUps.stop();
    await settle();
    for (const calls of [middle, after]) {
      expect(logOf(calls).some(({ data }) => data["event"] === "xstate.stop")).toBe(true);
      expect(outcomeOf(replay(logOf(calls)))).toEqual(AGREES as never);
    }
  });

  test("agrees although no number is in it: one person on two rungs, and one whom the operator names", async () => {
    const person = { name: "nurse", voice: NURSE, sms: NURSE };
    const rungs = [
      { name: "primary", contacts: [person, { name: "doctor", sms: DOCTOR }] },
      { name: "secondary", contacts: [person] },
    ];
    const escalation = { ...LADDER.escalation, rungs };
    const calls = makeCalls({ deployment: { ...LADDER, escalation } });
    const { session } = await paging(calls);
    session.deliver({ type: "page.acknowledged", label: "sms-2" });
    await settle();
    session.deliver({ type: "op.restore" });
    await settle();
    for (const to of [NURSE, "+15550109"]) {
      session.deliver(escalate(to));
      await settle();
      session.deliver({ type: "op.restore" });
      await settle();
    }
    session.deliver({ type: "op.hangup" });
    await settle();
    const text = JSON.stringify(logOf(calls));
    for (const number of [NURSE, DOCTOR, "+15550109"]) expect(text).not.toContain(number);
    expect(outcomeOf(replay(logOf(calls)))).toEqual(AGREES as never);
    const told = logOf(calls).filter(({ name }) => name === "ladder.tellPaged");
    expect(told.map(({ data }) => data["to"])).toEqual(["[number 2]", "[number 1]"]);
  });

  test("agrees when an event had to wait: its own time counts", async () => {
    const calls = makeCalls();
    const { session } = await streaming(calls);
    session.deliver(escalate());
    await settle();
    await accepts(calls, session);
    // The time of the word decides whether they are overdue.
    const at = calls.clock.now() - 1;
    session.deliver({
      type: "participant.left",
      label: "human-1",
      callSid: legSid(calls),
      reason: "x",
      at,
    } as never);
    await settle();
    session.deliver({ type: "op.hangup" });
    await settle();
    expect(logOf(calls).find(({ name }) => name === "participant.left")?.data["at"]).toBe(at);
    expect(outcomeOf(replay(logOf(calls)))).toEqual(AGREES as never);
  });
});

describe("a machine that was changed is reported at the first entry that it would not have made:", () => {
  test("a guard", async () => {
    const log = await wholeCall();
    const cause = log.findLast(
      ({ name, data }) => name === "participant.joined" && data["label"] === "human-1",
    );
    const { outcome, divergence } = replay(
      log,
      withCall(callMachine.provide({ guards: { humanJoined: () => false } })),
    );
    const seq = (cause?.seq ?? 0) + 1;
    expect(outcome).toBe("diverges");
    expect(divergence).toMatchObject({
      seq,
      what: "edge",
      cause: { seq: cause?.seq, name: "participant.joined" },
      how: "call, at participant.joined: took call.escalating (2) [humanJoined] → call.coaching, and now takes no further edge",
      since: null,
      logged: { kind: "step", name: "call" },
      came: { kind: "step", name: "call" },
    });
  });

  test("a target", async () => {
    const log = await wholeCall();
    const { config } = callMachine;
    const streamingState = config.states?.streaming as { readonly on: Readonly<Record<string, unknown>> };
    const on = { ...streamingState.on, "op.escalate": { target: "#call.removed" } };
    const states = { ...config.states, streaming: { ...streamingState, on } };
    const other = callMachine.constructor as new (...args: unknown[]) => typeof callMachine;
    const mutant = new other({ ...config, states }, callMachine.implementations);
    const { divergence } = replay(log, withCall(mutant));
    expect(divergence?.cause.name).toBe("op.escalate");
    expect(divergence?.seq).toBe(seqOf(log, "event", "op.escalate") + 1);
    expect(divergence?.since).toContain("call, at op.escalate: took call.streaming on op.escalate");
    expect(divergence?.since).toEndWith("and now takes call.streaming on op.escalate → call.removed");
  });

  test("an effect that is not asked for", async () => {
    const log = await wholeCall();
    const { divergence } = replay(
      log,
      withCall(callMachine.provide({ actions: { greetOnce: () => undefined } })),
    );
    expect(divergence).toMatchObject({
      seq: seqOf(log, "effect", "model.greet"),
      what: "effect",
      since: null,
    });
    expect(divergence?.how).toStartWith("effect model.greet was, ");
  });

  test("an effect with other fields", async () => {
    const log = await wholeCall();
    const mutant = callMachine.provide({
      actions: { muteAi: callMachine.implementations.actions["unmuteAi"] as never },
    });
    const { divergence } = replay(log, withCall(mutant));
    expect(divergence).toMatchObject({
      seq: seqOf(log, "effect", "carrier.mute"),
      what: "effect",
      since: null,
    });
    expect(divergence?.how).toBe("effect carrier.mute: muted was true, and now is false");
  });

  test("an effect more, which is missing in the log before the next event", async () => {
    const log = await wholeCall();
    const closeGate = callMachine.implementations.actions["closeGate"] as never;
    const mutant = callMachine.provide({ actions: { noteTold: closeGate, noteHandover: closeGate } });
    const { divergence } = replay(log, withCall(mutant));
    expect(divergence).toMatchObject({ what: "effect", came: { kind: "effect", name: "media.gate" } });
  });

  test("a child's guard, with the child's path", async () => {
    const log = await wholeCall();
    const ladder = callMachine.implementations.actors["ladder"] as unknown as typeof incidentMachine;
    const page = (ladder.implementations.actors as Record<string, unknown>)["page"] as typeof incidentMachine;
    const deaf = page.provide({ guards: { accepted: () => false } } as never);
    const mutant = callMachine.provide({
      actors: { ladder: ladder.provide({ actors: { page: deaf } } as never) },
    } as never);
    const { divergence } = replay(log, withCall(mutant));
    expect(divergence?.cause.name).toBe("human.answered");
    expect(divergence?.since).toContain("ladder-1/human-1, at human.answered: took page.voice.briefing");
  });

  test("a failure of the machine itself", async () => {
    const log = await wholeCall();
    const throws = (): never => {
      throw new Error("a guard that throws");
    };
    const { divergence } = replay(log, withCall(callMachine.provide({ guards: { callerJoined: throws } })));
    expect(divergence?.cause.name).toBe("call.begun");
    expect(divergence?.how).toContain('status was "active", and now is "error"');
  });
});

describe("a log that says something else than what was", () => {
  test("is reported at that entry, be it an edge, a state or an effect", async () => {
    const log = await wholeCall();
    const step = log.findLast(({ kind, data }) => kind === "step" && (data["edges"] as unknown[]).length > 1);
    const state = seqOf(log, "state", "coaching");
    const effect = seqOf(log, "effect", "carrier.addAi");
    const end = seqOf(log, "note", "call.ended");
    const cases = [
      [step?.seq ?? 0, { edges: [] }, "edge"],
      [step?.seq ?? 0, { value: "streaming" }, "state"],
      [state, { value: "streaming" }, "state"],
      [effect, { id: "another" }, "effect"],
      [end, { endReason: "caller_hung_up" }, "state"],
    ] as const;
    for (const [seq, data, what] of cases) {
      expect(replay(changed(log, seq, data))).toMatchObject({
        outcome: "diverges",
        divergence: { seq, what },
      });
    }
  });

  test("and what was only told of it, is not compared: results, media and the rest", async () => {
    const log = await wholeCall();
    const result = log.find(({ kind }) => kind === "result")?.seq ?? 0;
    expect(outcomeOf(replay(changed(log, result, { label: "other" })))).toEqual(AGREES as never);
  });
});

describe("a log that cannot be replayed to its end", () => {
  test("says why, and how far it agrees", async () => {
    const log = await wholeCall();
    const without = (data: Record<string, unknown>) => replay(changed(log, 1, data)).why;
    expect(without({ input: null })).toContain("entry 1 does not say all that the call was started with");
    expect(replay(log.slice(1)).why).toContain("does not begin with what the call was started with");
    const event = seqOf(log, "event", "op.escalate");
    expect(replay(changed(log, event, { urgency: "extreme" }))).toMatchObject({
      outcome: "cannot",
      why: `entry ${event}, op.escalate, is no event that this Tandem knows (urgency)`,
    });
    expect(outcomeOf(replay(log.slice(0, event + 2)))).toEqual({
      outcome: "unfinished",
      divergence: null,
      why: null,
    });
    const full = { ...(log[event + 1] as ChainedEntry), kind: "note", name: "log.full", data: {} } as const;
    expect(replay([...log.slice(0, event + 1), full]).why).toBe(
      `it agrees up to entry ${full.seq}, where the log is full`,
    );
  });

  test("only notes that it is of other machines, when these agree", async () => {
    const log = await wholeCall();
    const replayed = replay(changed(log, 1, { machines: "0".repeat(64), engine: "0.0.9" }));
    expect(replayed.outcome).toBe("agrees");
    expect(replayed.notes).toEqual(["it was logged with other machines (Tandem 0.0.9, 000000000000)"]);
  });

  test("of a call that another engine closed agrees as far as the one that died had come", async () => {
    const log = await wholeCall();
    const event = seqOf(log, "event", "op.escalate");
    // Cut off in the middle of what it led to.
    const end = { ...(log.at(-2) as ChainedEntry), seq: event + 2, data: { endReason: "engine_lost" } };
    const closed = { ...(log.at(-1) as ChainedEntry), seq: event + 3 };
    const lost = rehashed([...log.slice(0, event + 1), end, closed]) as ChainedEntry[];
    expect(outcomeOf(replay(lost))).toEqual(AGREES as never);
  });
});
