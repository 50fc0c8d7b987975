/** A machine's configuration by names: what a diagram, another tool or a later build can compare. */
import type { Chart, State, Transition } from "./graph.ts";
import type { Named } from "./names.ts";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** The configuration of the whole machine, in document order; keys without content are left out. */
export function configOf(chart: Chart): JsonObject {
  return stateConfig(chart.root, chart.root.id);
}

/** What a drawing is known by: `hash`, which makes a hex digest of a text, of the configuration. */
export function chartHash(chart: Chart, hash: (text: string) => string): string {
  return hash(JSON.stringify(configOf(chart)));
}

function stateConfig(state: State, machine: string): JsonObject {
  const events = Map.groupBy(
    state.transitions.filter(({ event }) => event !== null),
    ({ type }) => type,
  );
  const config: Record<string, Json> = { ...ownConfig(state, machine) };
  if (state.invoked.length > 0) {
    config["invoke"] = state.invoked.map(({ src, id }) => (id === null ? { src } : { src, id }));
  }
  Object.assign(config, alwaysConfig(state));
  if (events.size > 0) {
    config["on"] = Object.fromEntries([...events].map(([type, list]) => [type, list.map(transitionJson)]));
  }
  if (state.children.length > 0) {
    config["states"] = Object.fromEntries(
      state.children.map((child) => [child.key, stateConfig(child, machine)]),
    );
  }
  return config;
}

/** What a state is and does, without what it waits for and what is inside it. */
export function ownConfig(state: State, machine: string): JsonObject {
  const config: Record<string, Json> = {};
  // Others have the id that their place gives them.
  if (state.path.length === 0 || state.id !== [machine, ...state.path].join(".")) config["id"] = state.id;
  if (state.type !== "atomic" && state.type !== "compound") config["type"] = state.type;
  if (state.description !== null) config["description"] = state.description;
  if (state.tags.length > 0) config["tags"] = state.tags;
  if (state.history !== null) {
    config["history"] = state.history.kind;
    config["target"] = state.history.targets.map((id) => `#${id}`);
  }
  if (state.initial !== null) config["initial"] = `#${state.initial}`;
  if (state.entry.length > 0) config["entry"] = state.entry.map(nameJson);
  if (state.exit.length > 0) config["exit"] = state.exit.map(nameJson);
  return config;
}

export function alwaysConfig({ transitions }: State): JsonObject {
  const always = transitions.filter(({ event }) => event === null);
  return always.length > 0 ? { always: always.map(transitionJson) } : {};
}

export function transitionJson({ targets, guard, actions, reenter }: Transition): JsonObject {
  const [first] = targets;
  return {
    ...(guard ? { guard: nameJson(guard) } : {}),
    ...(targets.length > 1 ? { target: targets.map((id) => `#${id}`) } : {}),
    ...(targets.length === 1 && first !== undefined ? { target: `#${first}` } : {}),
    ...(reenter ? { reenter } : {}),
    ...(actions.length > 0 ? { actions: actions.map(nameJson) } : {}),
  };
}

function nameJson({ name, given }: Named): Json {
  return given === undefined ? name : { type: name, params: JSON.parse(JSON.stringify(given)) as Json };
}
