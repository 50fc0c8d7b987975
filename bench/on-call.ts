/** A caller, the AI and people on call with phones of their own, all over real sockets in this process. */
import type { Phone, PhoneEvent } from "../adapters/sandbox/phone/phone.ts";
import { InvariantError } from "../engine/errors.ts";
import { ULAW_SILENCE } from "../engine/media/g711.ts";
import type { Clock } from "../engine/ports.ts";
import {
  CALLER,
  NUMBER,
  startWorld,
  type TestPhone,
  type World,
  type WorldOptions,
} from "../test/support/world.ts";

/** A person's phone, and when each of its events came. */
export interface Person {
  readonly phone: Phone;
  readonly name: string;
  /** Of the present call, oldest first. */
  readonly log: { readonly event: PhoneEvent; readonly atMs: number }[];
  /** Something audible has come since their phone rang last. */
  hears: boolean;
}

export interface OnCall {
  readonly world: World;
  readonly caller: TestPhone;
  readonly people: readonly Person[];
  /** The caller is answered by the AI. */
  begin(): Promise<string>;
  /** The ladder is walked, as an operator asks. */
  escalate(callSid: string): Promise<void>;
  /** The caller hangs up, and nothing is left of the call. */
  end(callSid: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startOnCall(
  clock: Clock,
  options: WorldOptions,
  numbers: Readonly<Record<string, string>>,
  onFrame: (frame: Uint8Array) => void = () => undefined,
): Promise<OnCall> {
  const world = await startWorld(options);
  const caller = await world.phone(CALLER, { onFrame });
  const people: Person[] = [];
  for (const [name, number] of Object.entries(numbers)) {
    const log: Person["log"] = [];
    const { phone } = await world.phone(number, {
      onEvent: (event) => {
        log.push({ event, atMs: clock.monotonicMs() });
        if (event.type === "incoming") person.hears = false;
      },
      onFrame: (frame) => void (person.hears ||= !isSilent(frame)),
    });
    const person: Person = { name, phone, log, hears: false };
    phone.register();
    people.push(person);
  }
  return {
    world,
    caller,
    people,
    begin: async () => {
      for (const { log } of people) log.length = 0;
      const callSid = await caller.phone.dial(NUMBER);
      await world.until("streaming", () => world.engine.supervisor.get(callSid)?.state === "streaming");
      return callSid;
    },
    escalate: async (callSid) => {
      const answer = await world.command(callSid, { command: "escalate" });
      if (answer.status !== 202) throw new InvariantError(`the engine answered ${answer.status}`);
    },
    end: async (callSid) => {
      caller.phone.hangUp();
      await world.until("the call is over", () => world.engine.supervisor.get(callSid) === null);
      await world.until("no leg is left", () => world.carrier.state().calls.length === 0);
      await world.until("nobody is on the phone", () => people.every(({ phone }) => phone.state === "idle"));
    },
    stop: () => world.stop(),
  };
}

export const isSilent = (frame: Uint8Array): boolean => frame.every((byte) => byte === ULAW_SILENCE);
