/**
 * The machines of an engine as plain data: all that a drawing shows, and nothing that runs. Kept under the hash
 * that a call's log names its machines by, so that a later engine can still show the chart the call went by.
 */
import { z } from "zod";
import { catalog } from "../../machines/viz/catalog.ts";
import { chartOf } from "../../machines/viz/graph.ts";
import type { State } from "../../machines/viz/graph.ts";

const Named = z.object({ name: z.string(), params: z.array(z.string()), given: z.json().optional() });

const Transition = z.object({
  key: z.string(),
  source: z.string(),
  type: z.string(),
  event: z.string().nullable(),
  guard: Named.nullable(),
  actions: z.array(Named),
  targets: z.array(z.string()),
  reenter: z.boolean(),
});

const StateNode: z.ZodType<State> = z.object({
  id: z.string(),
  key: z.string(),
  path: z.array(z.string()),
  type: z.enum(["atomic", "compound", "parallel", "final", "history"]),
  description: z.string().nullable(),
  history: z.object({ kind: z.enum(["shallow", "deep"]), targets: z.array(z.string()) }).nullable(),
  initial: z.string().nullable(),
  entry: z.array(Named),
  exit: z.array(Named),
  invoked: z.array(z.object({ src: z.string(), id: z.string().nullable() })),
  tags: z.array(z.string()),
  transitions: z.array(Transition),
  children: z.array(z.lazy(() => StateNode)),
});

/** What is kept stays as it was: a field that is added here needs a default. */
const Definitions = z.record(
  z.string().regex(/^[a-z][a-z-]*$/),
  z.object({ title: z.string(), root: StateNode }),
);

export interface MachineDefinition {
  /** One line on what the machine decides. */
  readonly title: string;
  /** The machine itself, with all that is inside it. */
  readonly root: State;
}

/** By machine: `call`, `ladder`, `page`, `incident`. */
export type MachineDefinitions = Readonly<Record<string, MachineDefinition>>;

let current: MachineDefinitions | null = null;

/** Those of this engine. */
export function currentDefinitions(): MachineDefinitions {
  current ??= Object.fromEntries(
    catalog.map(({ name, title, machine }) => [name, { title, root: chartOf(machine).root }]),
  );
  return current;
}

/** `null`: the text is not what {@link currentDefinitions} gives as JSON, in this version or in one like it. */
export function readDefinitions(text: string): MachineDefinitions | null {
  try {
    return Definitions.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
