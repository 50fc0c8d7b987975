/** The machines that `bun run viz` draws, in the order of the documentation. */
import type { AnyStateMachine } from "xstate";
import { callMachine } from "../call.machine.ts";
import { incidentMachine } from "../incident.machine.ts";
import { ladderMachine } from "../ladder.machine.ts";
import { pageMachine } from "../page.machine.ts";
import { postCallMachine } from "../postcall.machine.ts";

export interface CatalogEntry {
  /** File name of the drawings, without its ending: kebab-case, unique. */
  readonly name: string;
  /** One line on what the machine decides. */
  readonly title: string;
  readonly machine: AnyStateMachine;
  /** `false`: its states in one row would not fit a page, and its chart is short enough by itself. */
  readonly overview?: false;
}

export const catalog: readonly CatalogEntry[] = [
  { name: "call", title: "One phone call, from the first ring to its row", machine: callMachine },
  {
    name: "ladder",
    title: "One incident: rung after rung is paged until somebody owns it",
    machine: ladderMachine,
  },
  { name: "page", title: "One attempt to reach one contact by one channel", machine: pageMachine },
  { name: "incident", title: "An incident that outlives its call", machine: incidentMachine },
  { name: "postcall", title: "What is done once a call is over", machine: postCallMachine, overview: false },
];
