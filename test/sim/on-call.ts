/** The people on call: what they do when they are rung, texted or pushed, as the plan has it. */
import type { PhoneLine, RingHandle, RingOutcome } from "../../adapters/sandbox/types.ts";
import { Line } from "./people.ts";
import { numberOf, personWith, type Reaction, type Reply, type Step } from "./plan.ts";
import { humanSpeech } from "./voices.ts";
import { NUMBER, type World } from "./world.ts";

/** Who is told what they do. */
export interface OnCallAudience {
  rang(number: string, callSid: string): void;
  /** Somebody, or a machine, picked up. */
  pickedUp(callSid: string, machine: boolean): void;
  pressed(callSid: string, key: string): void;
  /** Somebody gets a text, or a push. */
  gotText(number: string, body: string): void;
  gotPush(id: string, ackUrl: string): void;
  /** Somebody sends a text. */
  texted(number: string, body: string): void;
  said(what: string): void;
}

type OnOutcome = (outcome: RingOutcome, line: PhoneLine | null) => void;
type Later = (delayMs: number, fn: () => void) => RingHandle;

/** How long a browser waits for a page. */
const LINK_PATIENCE_MS = 5000;
const CODE = /\(([A-Z]\d{1,3})\)/;
const LINK = /https?:\/\/\S+\/ack\/[\w-]+/;

export class OnCall {
  readonly #world: World;
  readonly #audience: OnCallAudience;
  readonly #later: Later;
  /** How often each has been rung, texted and pushed. */
  readonly #count = new Map<string, number>();
  readonly #engaged = new Set<string>();
  readonly #pushes = new Set<string>();

  constructor(world: World, audience: OnCallAudience, later: Later) {
    this.#world = world;
    this.#audience = audience;
    this.#later = later;
    const { phones } = world.carrier;
    phones.ring = (number, { callSid }, onOutcome) => this.#ring(number, callSid, onOutcome);
    phones.deliverSms = ({ to, body }) => this.#text(to, body);
    world.onPush = (person, body) => this.#push(person, body);
  }

  #nth<T>(what: string, all: readonly T[] | undefined): T | undefined {
    const nth = this.#count.get(what) ?? 0;
    this.#count.set(what, nth + 1);
    return all?.[nth];
  }

  #ring(number: string, callSid: string, onOutcome: OnOutcome): RingHandle {
    this.#audience.rang(number, callSid);
    const reaction = this.#nth(number, this.#world.plan.people[personWith(number)]?.rings);
    if (this.#engaged.has(number)) return this.#later(300, () => onOutcome("busy", null));
    if (!reaction || reaction.outcome === "ignore") return { cancel: () => undefined };
    const { outcome, afterMs } = reaction;
    if (outcome === "busy" || outcome === "decline") {
      return this.#later(afterMs, () => onOutcome(outcome === "busy" ? "busy" : "declined", null));
    }
    return this.#pickUp(number, callSid, reaction, onOutcome);
  }

  #pickUp(
    number: string,
    callSid: string,
    { outcome, afterMs, steps }: Reaction,
    onOutcome: OnOutcome,
  ): RingHandle {
    this.#engaged.add(number);
    const free = (): void => void this.#engaged.delete(number);
    const machine = outcome === "voicemail";
    const ringing = this.#later(afterMs, () => {
      const line = new Line(number, free);
      this.#audience.pickedUp(callSid, machine);
      if (machine) line.say(humanSpeech("chat", 2000));
      onOutcome(machine ? "voicemail" : "answered", line);
      this.#steps(line, callSid, steps);
    });
    const cancel = (): void => {
      ringing.cancel();
      free();
    };
    return { cancel };
  }

  #steps(line: Line, callSid: string, [step, ...rest]: readonly Step[]): void {
    if (!step) return;
    this.#later(step.afterMs, () => {
      if (line.over) return;
      this.#audience.said(`${line.number} ${step.do} ${step.do === "press" ? step.key : ""}`);
      if (step.do === "press") {
        this.#audience.pressed(callSid, step.key);
        line.press(step.key);
      } else if (step.do === "say") line.say(humanSpeech(step.line, step.ms));
      else line.leave();
      this.#steps(line, callSid, rest);
    });
  }

  /** Of what they are sent, they answer only what pages them. */
  #text(to: string, body: string): void {
    const code = CODE.exec(body)?.[1];
    this.#audience.said(`${to} gets "${body}"`);
    this.#audience.gotText(to, body);
    if (code === undefined || !body.includes("Reply 1")) return;
    const replies = this.#nth(`${to}/text`, this.#world.plan.people[personWith(to)]?.texts);
    this.#replies(personWith(to), code, LINK.exec(body)?.[0] ?? null, replies ?? []);
  }

  #push(person: number, body: string): void {
    const { id, ackUrl } = JSON.parse(body) as { readonly id: string; readonly ackUrl: string };
    this.#audience.said(`${person} gets a push`);
    this.#audience.gotPush(id, ackUrl);
    // Whoever got it before is not shown it again.
    if (this.#pushes.has(id) && this.#world.plan.crashes) return;
    this.#pushes.add(id);
    const replies = this.#nth(`${person}/push`, this.#world.plan.people[person]?.pushes);
    this.#replies(person, "", ackUrl, replies ?? []);
  }

  #replies(person: number, code: string, link: string | null, [reply, ...rest]: readonly Reply[]): void {
    if (!reply) return;
    this.#later(reply.afterMs, () => {
      this.#reply(person, code, link, reply);
      this.#replies(person, code, link, rest);
    });
  }

  #reply(person: number, code: string, link: string | null, reply: Reply): void {
    const { carrier, network } = this.#world;
    if (reply.do === "reply") {
      const body = reply.named ? `${reply.body} ${code}` : reply.body;
      this.#audience.said(`${person} texts ${body}`);
      this.#audience.texted(numberOf(person), body);
      carrier.phones.onSms({ from: numberOf(person), to: NUMBER, body });
      return;
    }
    if (link === null) return;
    this.#audience.said(`${person} opens a link to ${reply.do}`);
    const form = new URLSearchParams(reply.do === "decline" ? { decline: "1" } : {});
    const init = reply.do === "look" ? {} : { method: "POST", body: form.toString() };
    const abort = new AbortController();
    const patience = this.#later(LINK_PATIENCE_MS, () => abort.abort());
    void network.fetch(link, { ...init, signal: abort.signal }).then(
      ({ status }) => {
        patience.cancel();
        this.#audience.said(`${person}'s link to ${reply.do}: ${status}`);
      },
      () => undefined,
    );
  }
}
