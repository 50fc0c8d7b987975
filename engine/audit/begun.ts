/**
 * The first entry of a log: all that a call's machines were started with. Numbers and addresses are replaced by
 * their stand-ins; names and which channels a contact has are kept, since machines go by them.
 */
import { z } from "zod";
import type { CallInput } from "../../machines/context.ts";
import type { LadderContact } from "../../machines/ladder.types.ts";
import { MACHINE_HASH } from "../call/machine-hash.ts";
import { VERSION } from "../platform/version.ts";
import type { StandIns } from "./stand-ins.ts";

export const CALL_BEGUN = "call.begun";

const ms = z.number().nonnegative();
const count = z.number().int().nonnegative();

const Contact = z.object({
  name: z.string(),
  voice: z.string().nullable(),
  sms: z.string().nullable(),
  push: z.string().nullable(),
});

const Input = z.object({
  callSid: z.string(),
  conferenceName: z.string(),
  startedAtMs: ms,
  afterHandover: z.enum(["coach", "remove"]),
  limits: z.object({
    arriveTimeoutMs: ms,
    maxCallMs: ms,
    modelReadyTimeoutMs: ms,
    rejoinTimeoutMs: ms,
    readdTimeoutMs: ms,
    maxReadds: count,
    releaseTimeoutMs: ms,
    goodbyeTimeoutMs: ms,
    drainTimeoutMs: ms,
  }),
  policy: z.object({
    rungs: z.array(z.object({ name: z.string(), contacts: z.array(Contact) })),
    ackTimeoutMs: ms,
    repeat: count,
    againAfterMs: ms,
    ringTimeoutMs: ms,
    briefingTimeoutMs: ms,
    joinTimeoutMs: ms,
    textCaller: z.boolean(),
  }),
}) satisfies z.ZodType<CallInput>;

const Begun = z.object({
  agent: z.string(),
  /** Tandem's version, and {@link MACHINE_HASH}. */
  engine: z.string(),
  machines: z.string(),
  input: Input,
});

export type Begun = z.infer<typeof Begun>;

/** What the note says. `input` may have more than is asked for: the context of a machine that has not begun. */
export function begunNote(agent: string, input: CallInput, standIns: StandIns): Begun {
  const { callSid, conferenceName, startedAtMs, afterHandover, limits, policy } = input;
  const named = (value: string | null): string | null => (value === null ? null : standIns.of(value));
  const contact = ({ name, voice, sms, push }: LadderContact) => ({
    name,
    voice: named(voice),
    sms: named(sms),
    push: named(push),
  });
  const rungs = policy.rungs.map(({ name, contacts }) => ({ name, contacts: contacts.map(contact) }));
  return {
    agent,
    engine: VERSION,
    machines: MACHINE_HASH,
    input: {
      callSid,
      conferenceName,
      startedAtMs,
      afterHandover,
      limits,
      policy: { ...policy, rungs },
    },
  };
}

/** `null`: it says not, or not as it does now, with what the machines were started. */
export function readBegun(data: unknown): Begun | null {
  const parsed = Begun.safeParse(data);
  return parsed.success ? parsed.data : null;
}
