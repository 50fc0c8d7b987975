/** Performs a plan in a world: callers call, an operator commands, things go wrong. */
import type { RingHandle } from "../../adapters/sandbox/types.ts";
import type { VirtualClock } from "../../engine/platform/clock.ts";
import { OnCall, type OnCallAudience } from "./on-call.ts";
import { Line } from "./people.ts";
import { type Act, CALLERS, type CallerPlan, type Fault, type Plan } from "./plan.ts";
import { callerSpeech } from "./voices.ts";
import { CONSOLE_TOKEN, NUMBER, type World } from "./world.ts";

/** Who is told what the people do and hear. */
export interface Audience extends OnCallAudience {
  dialled(callSid: string, number: string): void;
  /** A caller hears a frame, of silence or of more. */
  ear(callSid: string, audible: boolean): void;
  callerSpoke(callSid: string): void;
  callerLeft(callSid: string): void;
}

export class Drama {
  readonly #world: World;
  readonly #audience: Audience;
  readonly #clock: VirtualClock;
  readonly #plan: Plan;
  readonly #webhooksLost = new Set<Fault & { kind: "webhookLost" }>();
  readonly #timers = new Set<unknown>();
  #over = false;

  constructor(world: World, audience: Audience) {
    this.#world = world;
    this.#audience = audience;
    this.#clock = world.clock;
    this.#plan = world.plan;
    new OnCall(world, audience, (delayMs, fn) => this.#later(delayMs, fn));
    world.network.onRequest = (_method, url) => {
      for (const { match, phase } of this.#webhooksLost) if (url.includes(match)) return `lost-${phase}`;
      return null;
    };
  }

  begin(): void {
    for (const [index, caller] of this.#plan.callers.entries()) {
      this.#at(caller.atMs, () => this.#call(CALLERS[index] ?? "", caller));
    }
    for (const fault of this.#plan.faults) {
      this.#at(fault.atMs, () => this.#strike(fault, true));
      this.#at(fault.atMs + fault.forMs, () => this.#strike(fault, false));
    }
  }

  #call(number: string, { acts, endMs }: CallerPlan): void {
    const audience = this.#audience;
    let callSid = "";
    const line = new Line(
      number,
      () => audience.callerLeft(callSid),
      (audible) => audience.ear(callSid, audible),
    );
    ({ callSid } = this.#world.carrier.phones.onDial(line, NUMBER));
    audience.dialled(callSid, number);
    for (const act of acts) this.#later(act.atMs, () => this.#act(line, callSid, act));
    this.#later(endMs, () => line.leave());
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

  #act(caller: Line, callSid: string, act: Act): void {
    if (caller.over) return;
    this.#audience.said(`${caller.number} ${act.do}`);
    if (act.do === "say") {
      caller.say(callerSpeech(act.line, act.ms));
      this.#audience.callerSpoke(callSid);
    } else if (act.do === "hangUp") caller.leave();
    else {
      const url = `${this.#world.engine.origin}/api/calls/${callSid}/commands`;
      const body = JSON.stringify(act.command);
      void this.#world.network
        .fetch(url, { method: "POST", body, headers: { authorization: `Bearer ${CONSOLE_TOKEN}` } })
        .then(
          ({ status }) => this.#audience.said(`operator ${body} ${status}`),
          () => this.#audience.said(`operator ${body} reaches nobody`),
        );
    }
  }

  #later(delayMs: number, fn: () => void): RingHandle {
    if (this.#over) return { cancel: () => undefined };
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
      case "mediaStall":
        if (on) network.stall("/twilio/media", fault.stallMs);
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
      case "texts":
        carrier.faults.set({ sms: on ? { status: fault.status, times: fault.times } : null });
        return;
      case "pushes":
        this.#world.pushAnswers = on ? Array.from({ length: fault.times }, () => fault.status) : [];
        return;
      case "webhookLost":
        if (on) this.#webhooksLost.add(fault);
        else this.#webhooksLost.delete(fault);
    }
  }
}
