/** A parent for one actor of a machine that reports to its parent, so that its paths can be run live. */
import { type AnyActorLogic, type AnyActorRef, createActor, type InspectionEvent, setup } from "xstate";

/** Runs `events` through an actor of `logic`, and returns it as they leave it. */
export function runUnderParent(
  logic: AnyActorLogic,
  input: unknown,
  events: readonly { readonly type: string }[],
  inspect: (event: InspectionEvent) => void = () => undefined,
): AnyActorRef {
  const parent = setup({ actors: { child: logic } }).createMachine({
    invoke: { src: "child", id: "child", input: () => input },
  });
  const actor = createActor(parent, { inspect });
  actor.start();
  const child = actor.getSnapshot().children["child"] as AnyActorRef;
  for (const event of events) sendWhileActive(child, event);
  return child;
}

/** XState warns of events to an actor that has ended. */
export function sendWhileActive(actor: AnyActorRef, event: { readonly type: string }): void {
  if ((actor.getSnapshot() as { readonly status: string }).status === "active") actor.send(event);
}
