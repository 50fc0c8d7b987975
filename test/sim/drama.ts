/** Performs a plan in a world: the caller calls, people react to their phones, things go wrong. */
import type { PhoneLine, RingHandle, RingOutcome } from "../../adapters/sandbox/types.ts";
import type { VirtualClock } from "../../engine/platform/clock.ts";
import { Line } from "./people.ts";
import type { Act, Fault, Plan, Reaction, Step } from "./plan.ts";
import { callerSpeech, humanSpeech } from "./voices.ts";
import { CONSOLE_TOKEN, NUMBER, type World } from "./world.ts";

export const CALLER = "+15550142";

/** Who is told what the people do and hear. */
export interface Audience {
  /** The caller hears a frame, of silence or of more. */
  ear(audible: boolean): void;
  callerSpoke(): void;
  callerLeft(): void;
  rang(number: string, callSid: string): void;
  /** Somebody, or a machine, picked up. */
  pickedUp(callSid: string, machine: boolean): void;
  said(what: string): void;
}

export class Drama {
  readonly #world: World;
  readonly #audience: Audience;
  readonly #clock: VirtualClock;
  readonly #plan: Plan;
  readonly #rings = new Map<string, number>();
  readonly #engaged = new Set<string>();
  readonly #webhooksLost = new Set<Fault & { kind: "webhookLost" }>();
  readonly #timers = new Set<unknown>();
  #caller: Line | null = null;
  callSid = "";
  #over = false;

  constructor(world: World, audience: Audience) {
    this.#world = world;
    this.#audience = audience;
    this.#clock = world.clock;
    this.#plan = world.plan;
    world.carrier.phones.ring = (number, info, onOutcome) => this.#ring(number, info.callSid, onOutcome);
    world.network.onRequest = (_method, url) => {
      for (const { match, phase } of this.#webhooksLost) if (url.includes(match)) return `lost-${phase}`;
      return null;
    };
  }

  get callerIsThere(): boolean {
    return this.#caller !== null && !this.#caller.over;
  }

  begin(): void {
    const caller = new Line(
      CALLER,
      () => this.#audience.callerLeft(),
      (audible) => this.#audience.ear(audible),
    );
    this.#caller = caller;
    this.callSid = this.#world.carrier.phones.onDial(caller, NUMBER).callSid;
    for (const act of this.#plan.acts) this.#at(act.atMs, () => this.#act(act));
    for (const fault of this.#plan.faults) {
      this.#at(fault.atMs, () => this.#strike(fault, true));
      this.#at(fault.atMs + fault.forMs, () => this.#strike(fault, false));
    }
    this.#at(this.#plan.endMs, () => caller.leave());
  }

  /** Everything that was wrong is right again, and nobody does anything any more. */
  end(): void {
    this.#over = true;
    for (const timer of this.#timers) this.#clock.clearTimeout(timer);
    this.#timers.clear();
    for (const fault of this.#plan.faults) this.#strike(fault, false);
  }

  #at(atMs: number, fn: () => void): void {
    this.#later(atMs - this.#clock.monotonicMs(), () => {
      if (!this.#over) fn();
    });
  }

  #act(act: Act): void {
    const caller = this.#caller;
    if (!caller || caller.over) return;
    this.#audience.said(`caller ${act.do}`);
    if (act.do === "say") {
      caller.say(callerSpeech(act.line, act.ms));
      this.#audience.callerSpoke();
    } else if (act.do === "hangUp") caller.leave();
    else {
      const url = `${this.#world.engine.origin}/api/calls/${this.callSid}/commands`;
      const body = JSON.stringify(act.command);
      void this.#world.network
        .fetch(url, { method: "POST", body, headers: { authorization: `Bearer ${CONSOLE_TOKEN}` } })
        .then(({ status }) => this.#audience.said(`operator ${body} ${status}`));
    }
  }

  #ring(
    number: string,
    callSid: string,
    onOutcome: (outcome: RingOutcome, line: PhoneLine | null) => void,
  ): RingHandle | null {
    this.#audience.rang(number, callSid);
    const nth = this.#rings.get(number) ?? 0;
    this.#rings.set(number, nth + 1);
    const reaction = this.#plan.people[number]?.[nth];
    if (this.#engaged.has(number)) return this.#later(300, () => onOutcome("busy", null));
    if (!reaction || reaction.outcome === "ignore") return { cancel: () => undefined };
    return this.#react(number, callSid, reaction, onOutcome);
  }

  #react(
    number: string,
    callSid: string,
    { outcome, afterMs, steps }: Reaction,
    onOutcome: (outcome: RingOutcome, line: PhoneLine | null) => void,
  ): RingHandle {
    if (outcome === "busy" || outcome === "decline") {
      return this.#later(afterMs, () => onOutcome(outcome === "busy" ? "busy" : "declined", null));
    }
    this.#engaged.add(number);
    const free = (): void => void this.#engaged.delete(number);
    const ringing = this.#later(afterMs, () => {
      const line = new Line(number, free);
      this.#audience.pickedUp(callSid, outcome === "voicemail");
      if (outcome === "voicemail") line.say(humanSpeech(2000));
      onOutcome(outcome === "voicemail" ? "voicemail" : "answered", line);
      this.#steps(line, steps);
    });
    return {
      cancel: () => {
        ringing.cancel();
        free();
      },
    };
  }

  #steps(line: Line, [step, ...rest]: readonly Step[]): void {
    if (!step) return;
    this.#later(step.afterMs, () => {
      if (line.over) return;
      this.#audience.said(`${line.number} ${step.do} ${step.do === "press" ? step.key : ""}`);
      if (step.do === "press") line.press(step.key);
      else if (step.do === "say") line.say(humanSpeech(step.ms));
      else line.leave();
      this.#steps(line, rest);
    });
  }

  #later(delayMs: number, fn: () => void): RingHandle {
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, delayMs);
    this.#timers.add(timer);
    return {
      cancel: () => {
        this.#timers.delete(timer);
        this.#clock.clearTimeout(timer);
      },
    };
  }

  #strike(fault: Fault, on: boolean): void {
    const { carrier, model, network } = this.#world;
    this.#audience.said(`fault ${fault.kind} ${on ? "begins" : "ends"}`);
    switch (fault.kind) {
      case "callbacks": {
        const { dropRate, duplicateRate, delayMs } = fault;
        carrier.faults.set({
          callbacks: on ? { dropRate, duplicateRate, delayMs: [delayMs[0], delayMs[1]] } : null,
        });
        return;
      }
      case "rest": {
        const { status, phase, times, match } = fault;
        carrier.faults.set({ rest: on ? { status, phase, times, match } : null });
        return;
      }
      case "restTimeout": {
        const { phase, times, match } = fault;
        carrier.faults.set({ restTimeout: on ? { phase, times, match } : null });
        return;
      }
      case "mediaDrop":
        if (on) network.drop("/twilio/media");
        return;
      case "modelDrop":
        if (on) network.drop("/v1/realtime");
        return;
      case "modelRefuse":
        model.faults.set({ refuseUpgrade: on ? { status: 503, times: fault.times } : null });
        return;
      case "modelSlow":
        model.faults.set({ firstAudioDelayMs: on ? fault.firstAudioDelayMs : null });
        return;
      case "marksLost":
        carrier.faults.set({ marks: on ? { lossRate: fault.rate } : null });
        return;
      case "webhookLost":
        if (on) this.#webhooksLost.add(fault);
        else this.#webhooksLost.delete(fault);
    }
  }
}
