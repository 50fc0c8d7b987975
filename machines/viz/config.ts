/** A machine's configuration by names: what a diagram, another tool or a later build can compare. */
import type { Chart, State, Transition } from "./graph.ts";
import type { Named } from "./names.ts";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** The configuration of the whole machine, in document order; keys without content are left out. */
export function configOf(chart: Chart): JsonObject {
  return { id: chart.root.id, ...stateConfig(chart.root) };
}

function stateConfig(state: State): JsonObject {
  const events = Map.groupBy(
    state.transitions.filter(({ event }) => event !== null),
    ({ type }) => type,
  );
  const always = state.transitions.filter(({ event }) => event === null);
  const config: Record<string, Json> = {};
  if (state.type !== "atomic" && state.type !== "compound") config["type"] = state.type;
  if (state.description !== null) config["description"] = state.description;
  if (state.tags.length > 0) config["tags"] = state.tags;
  if (state.initial !== null) config["initial"] = `#${state.initial}`;
  if (state.entry.length > 0) config["entry"] = state.entry.map(nameJson);
  if (state.exit.length > 0) config["exit"] = state.exit.map(nameJson);
  if (state.invoked.length > 0) {
    config["invoke"] = state.invoked.map(({ src, id }) => (id === null ? { src } : { src, id }));
  }
  if (always.length > 0) config["always"] = always.map(transitionJson);
  if (events.size > 0) {
    config["on"] = Object.fromEntries([...events].map(([type, list]) => [type, list.map(transitionJson)]));
  }
  if (state.children.length > 0) {
    config["states"] = Object.fromEntries(state.children.map((child) => [child.key, stateConfig(child)]));
  }
  return config;
}

function transitionJson({ targets, guard, actions, reenter }: Transition): JsonObject {
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
