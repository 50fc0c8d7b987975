/** What can happen next in a call: the edges that leave the states which its actors are in. */
import { type AnyActorRef, type AnyMachineSnapshot, getNextTransitions } from "xstate";
import type { CallContext } from "../../machines/context.ts";
import type { UnstampedCallEvent } from "../../machines/events.ts";
import { edgeOf, type TakenEdge } from "../audit/observer.ts";
import { type CommandName, COMMANDS, OF_PARTICIPANT } from "./commands.ts";

export interface NextSteps {
  /** What of the commands has an effect now. */
  readonly commands: readonly CommandName[];
  /** Labels of those of whom a command that is about one participant has an effect now. */
  readonly participants: Readonly<Partial<Record<CommandName, readonly string[]>>>;
  /** By actor, as the log names them; whether a guard holds is not known before its event comes. */
  readonly actors: readonly { readonly actor: string; readonly edges: readonly TakenEdge[] }[];
}

/** As much of a call, or of what goes on after it, as is asked. */
export interface Acting {
  readonly standing: unknown;
  accepts(event: UnstampedCallEvent): boolean;
}

/** Of a call that is over. */
export const NOTHING_NEXT: NextSteps = { commands: [], participants: {}, actors: [] };

const MAX_ACTORS = 50;

export function nextSteps(acting: Acting): NextSteps {
  const root = acting.standing as AnyMachineSnapshot;
  const actors = machinesIn(root.machine.id, root).slice(0, MAX_ACTORS);
  // What goes on after a call has no participants.
  const labels = Object.keys((root.context as Partial<CallContext>).legs ?? {});
  const participants = Object.fromEntries(
    [...OF_PARTICIPANT].map((name) => [
      name,
      labels.filter((label) => acting.accepts({ type: `op.${name}`, label } as UnstampedCallEvent)),
    ]),
  ) as NextSteps["participants"];
  return {
    commands: COMMANDS.filter((name) =>
      OF_PARTICIPANT.has(name) ? participants[name]?.length : acting.accepts(eventOf(name)),
    ),
    participants,
    actors: actors.map(({ actor, snapshot }) => ({
      actor,
      edges: getNextTransitions(snapshot).map((transition) => edgeOf(transition)),
    })),
  };
}

function eventOf(name: CommandName): UnstampedCallEvent {
  const fields = name === "escalate" ? { to: null, reason: null, urgency: "normal" } : {};
  return { type: `op.${name}`, ...fields } as UnstampedCallEvent;
}

interface Standing {
  readonly actor: string;
  readonly snapshot: AnyMachineSnapshot;
}

/** The actors below are named by their path, without the root. */
function machinesIn(actor: string, snapshot: AnyMachineSnapshot, path = ""): Standing[] {
  const below = Object.entries(snapshot.children as Record<string, AnyActorRef | undefined>);
  return [
    { actor, snapshot },
    ...below.flatMap(([id, child]) => {
      const inner: unknown = child?.getSnapshot();
      if (!isOfMachine(inner) || inner.status !== "active") return [];
      return machinesIn(`${path}${id}`, inner, `${path}${id}/`);
    }),
  ];
}

function isOfMachine(snapshot: unknown): snapshot is AnyMachineSnapshot {
  return typeof snapshot === "object" && snapshot !== null && "machine" in snapshot && "children" in snapshot;
}
