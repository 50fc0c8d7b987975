/** The people on call in a script, and their phones. */
import { z } from "zod";
import type { Clock } from "../../../engine/ports.ts";
import type { Phone, PhoneEvent } from "../phone/phone.ts";
import { fetchWithin } from "./engine-api.ts";
import type { Actor } from "./script.ts";

/** Somebody of the deployment's ladder who has a phone, in its order. */
export interface OnCallPerson {
  /** Name of the rung: `primary`, `fallback 1`. */
  readonly rung: string;
  readonly name: string;
  readonly number: string;
}

/** A person whose phone is connected. */
export interface Person {
  readonly who: Actor;
  readonly number: string;
  readonly phone: Phone;
  /** Texts of the SMS that have come since then, oldest first. */
  readonly sms: readonly string[];
}

const MAX_SMS = 100;
const storedMessages = z.array(z.object({ messageSid: z.string() }));

type Connect = (who: Actor, number: string, onEvent: (event: PhoneEvent) => void) => Promise<Phone>;

export class People {
  readonly #onCall: readonly OnCallPerson[];
  readonly #carrierUrl: string;
  readonly #clock: Clock;
  readonly #connect: Connect;
  readonly #present = new Map<Actor, Person>();

  /** `connect` connects a phone of this number, which is the person's. */
  constructor(options: {
    readonly onCall: readonly OnCallPerson[];
    readonly carrierUrl: string;
    readonly clock: Clock;
    readonly connect: Connect;
  }) {
    this.#onCall = options.onCall;
    this.#carrierUrl = options.carrierUrl;
    this.#clock = options.clock;
    this.#connect = options.connect;
  }

  /** Those whose phones are connected. */
  get present(): readonly Person[] {
    return [...this.#present.values()];
  }

  get(who: Actor): Person | null {
    return this.#present.get(who) ?? null;
  }

  /** The number of somebody on call, or what to tell the person who wrote the script. */
  numberOf(who: Actor): { readonly number: string } | { readonly problem: string } {
    const found =
      who === "on-call" ? this.#onCall[0] : this.#onCall.find((person) => actorOf(person.rung) === who);
    if (found) return { number: found.number };
    const known = [...new Set(this.#onCall.map((person) => actorOf(person.rung)))];
    return {
      problem:
        known.length === 0
          ? "the deployment has nobody on call with a phone: no contact has a voice number"
          : `the deployment has nobody called ${who} with a phone; it has ${known.join(", ")}`,
    };
  }

  /** Connects the phone of somebody on call; what went wrong, or `null`. */
  async register(who: Actor): Promise<string | null> {
    const found = this.numberOf(who);
    if ("problem" in found) return found.problem;
    const { number } = found;
    const sms: string[] = [];
    // A phone that is connected gets the SMS that came before, too: those are of earlier calls.
    const before = await this.#messageSids(number);
    const phone = await this.#connect(who, number, (event) => {
      if (event.type === "sms" && !before.has(event.messageSid) && sms.length < MAX_SMS) sms.push(event.body);
    });
    phone.register();
    this.#present.set(who, { who, number, phone, sms });
    return null;
  }

  async #messageSids(number: string): Promise<ReadonlySet<string>> {
    const url = `${this.#carrierUrl}/sandbox/messages?number=${encodeURIComponent(number)}`;
    const { body } = await fetchWithin(this.#clock, url, {});
    return new Set(storedMessages.parse(JSON.parse(body)).map(({ messageSid }) => messageSid));
  }
}

function actorOf(rung: string): Actor {
  return rung.trim().toLowerCase().replaceAll(/\s+/g, "-");
}
