/**
 * What the actions of the call machine are made with. An action either records a fact or asks for one named
 * side effect by emitting a {@link CallEffect}; nothing here acts on the world, and nothing throws.
 */
import { fromCallback, setup } from "xstate";
import { guards } from "./call.guards.ts";
import type {
  CallContext,
  CallEffect,
  CallInput,
  CallMessage,
  EffectInputs,
  EffectName,
  Notice,
  PendingEffect,
} from "./context.ts";
import { ANSWERED_EFFECTS } from "./context.ts";
import type { CallEvent, DeadlineName } from "./events.ts";
import { ladderMachine } from "./ladder.machine.ts";
import type { LadderMessage } from "./ladder.types.ts";

/** What a deadline is started with: the absolute time lives in data, so that a restart keeps it. */
export interface DeadlineInput {
  readonly name: DeadlineName;
  /** Id of the child actor whose it is; the call's own when left out. */
  readonly of?: string;
  readonly atMs: number;
  /** Comes again every so often; once when left out. */
  readonly everyMs?: number;
}

export const base = setup({
  types: {
    context: {} as CallContext,
    events: {} as CallMessage,
    input: {} as CallInput,
    emitted: {} as CallEffect,
  },
  actors: {
    /** Replaced by the engine with one that runs on its clock; by itself it never fires. */
    deadline: fromCallback<CallEvent, DeadlineInput>(() => undefined),
    /** One for each incident. */
    ladder: ladderMachine,
  },
  guards,
});

/** What these actions use of XState's `enqueue`, which is typed by each machine's own actions. */
export interface Enqueue {
  assign(patch: Partial<CallContext>): void;
  emit(effect: CallEffect): void;
  sendTo(id: string, message: LadderMessage): void;
}

/**
 * Asks for effect number `context.effectCount + 1` and returns the context that follows. XState types
 * `enqueue` by each machine's own actions, which do not exist yet where these are made.
 */
export function ask<N extends EffectName>(
  enqueuer: object,
  context: CallContext,
  name: N,
  input: EffectInputs[N],
): CallContext {
  const enqueue = enqueuer as Enqueue;
  const effectCount = context.effectCount + 1;
  const id = `${context.callSid}/${effectCount}/${name}`;
  const answered = ANSWERED_EFFECTS.has(name);
  const pending = answered ? { ...context.pending, [id]: pendingOf(name, input) } : context.pending;
  enqueue.assign({ effectCount, pending });
  enqueue.emit({ type: "effect", id, name, input } as CallEffect);
  return { ...context, effectCount, pending };
}

function pendingOf<N extends EffectName>(name: N, input: EffectInputs[N]): PendingEffect {
  const fields = input as {
    readonly label?: string;
    readonly muted?: boolean;
    readonly hold?: boolean;
    readonly role?: string;
    readonly callSidToCoach?: string;
  };
  return {
    name,
    label: fields.label ?? null,
    value: name === "model.role" ? fields.role === "coach" : (fields.muted ?? fields.hold ?? null),
    callSidToCoach: fields.callSidToCoach ?? null,
  };
}

export function effect<N extends EffectName>(
  name: N,
  input: (context: CallContext, event: CallMessage) => EffectInputs[N] | null,
) {
  return base.enqueueActions(({ context, event, enqueue }) => {
    const value = input(context, event);
    if (value !== null) ask(enqueue, context, name, value);
  });
}

export const ofAi =
  <T>(make: (label: string) => T) =>
  (context: CallContext) =>
    context.aiLabel === null ? null : make(context.aiLabel);

export const tell = (notice: Notice) => effect("model.tell", () => ({ notice }));

export const answerTool = (notice: Notice, respond: boolean) =>
  effect("model.toolResult", (_context, event) =>
    event.type === "tool.escalate" || event.type === "tool.endCall" || event.type === "tool.takeBack"
      ? { toolCallId: event.toolCallId, notice, respond }
      : null,
  );

/** The time of an event; those of XState's own making have none. */
export function timeOf(context: CallContext, event: unknown): number {
  const at = (event as { readonly at?: unknown }).at;
  return typeof at === "number" ? at : context.startedAtMs;
}
