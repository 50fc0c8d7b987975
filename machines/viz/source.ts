/**
 * A machine as source that other tools import: `createMachine` with the whole configuration, and stand-ins for
 * what it names. Stand-in guards answer no, and actors do nothing, until somebody fills them in.
 */
import { alwaysConfig, ownConfig, transitionJson } from "./config.ts";
import type { Json, JsonObject } from "./config.ts";
import type { Chart, State, Transition } from "./graph.ts";
import { jsonText } from "./json-text.ts";
import type { Named } from "./names.ts";
import type { Heading } from "./svg.ts";

/** `<name>.machine.ts`: runs with `xstate` 5 alone. */
export function sourceOf(chart: Chart, { title, hash }: Heading): string {
  const states = [...chart.states.values()];
  const named = (list: readonly Named[]): string[] => [...new Set(list.map(({ name }) => name))].toSorted();
  const actions = named([
    ...states.flatMap(({ entry, exit }) => [...entry, ...exit]),
    ...chart.transitions.flatMap((transition) => transition.actions),
  ]);
  const guards = named(chart.transitions.flatMap(({ guard }) => (guard ? [guard] : [])));
  const actors = [...new Set(states.flatMap(({ invoked }) => invoked.map(({ src }) => src)))].toSorted();
  const delays = [...new Set(chart.transitions.flatMap(delayName))].toSorted();
  const standIns = [
    ...block("actions", actions, "() => undefined"),
    ...block("guards", guards, "() => false"),
    ...block("actors", actors, "fromCallback(() => undefined)"),
    ...block("delays", delays, "1000"),
  ];
  return [
    `/** ${title.replaceAll("*/", "* /")}. Made by \`bun run viz --export\`; content hash ${hash}. */`,
    `import { createMachine${actors.length > 0 ? ", fromCallback" : ""} } from "xstate";`,
    "",
    `export const machine = createMachine(${jsonText(importableOf(chart.root)).trimEnd()}, {`,
    ...standIns,
    "});",
    "",
  ].join("\n");
}

/** The configuration as `createMachine` takes it: with names for functions, and whole otherwise. */
export const importableOf = (root: State): JsonObject => stateSource(root, root.id);

function block(kind: string, names: readonly string[], standIn: string): string[] {
  if (names.length === 0) return [];
  return [`  ${kind}: {`, ...names.map((name) => `    ${JSON.stringify(name)}: ${standIn},`), "  },"];
}

function stateSource(state: State, machine: string): JsonObject {
  const config: Record<string, Json> = { ...ownConfig(state, machine) };
  const initial = state.children.find(({ id }) => id === state.initial);
  // Here XState takes the name of a child only.
  if (initial) config["initial"] = initial.key;
  const waited = Map.groupBy(
    state.transitions.filter(({ event }) => event !== null),
    ({ type }) => type,
  );
  const take = (type: string): JsonObject[] => {
    const list = (waited.get(type) ?? []).map(transitionJson);
    waited.delete(type);
    return list;
  };
  const put = (to: Record<string, Json>, key: string, list: readonly Json[]): void => {
    if (list.length > 0) to[key] = list;
  };
  const invoke = state.invoked.map(({ src, id }, index) => {
    const actor = id ?? `${index}.${state.id}`;
    const invoked: Record<string, Json> = id === null ? { src } : { src, id };
    put(invoked, "onDone", take(`xstate.done.actor.${actor}`));
    put(invoked, "onError", take(`xstate.error.actor.${actor}`));
    put(invoked, "onSnapshot", take(`xstate.snapshot.${actor}`));
    return invoked;
  });
  put(config, "invoke", invoke);
  Object.assign(config, alwaysConfig(state));
  put(config, "onDone", take(`xstate.done.state.${state.id}`));
  const after: Record<string, Json> = {};
  for (const type of waited.keys()) {
    const delay = delayOf(type, state.id);
    if (delay !== null) put(after, delay, take(type));
  }
  const on = [...waited].map(([type, list]): [string, Json] => [type, list.map(transitionJson)]);
  if (on.length > 0) config["on"] = Object.fromEntries(on);
  if (Object.keys(after).length > 0) config["after"] = after;
  const states = state.children.map((child): [string, Json] => [child.key, stateSource(child, machine)]);
  if (states.length > 0) config["states"] = Object.fromEntries(states);
  return config;
}

/** Milliseconds, or a delay's name, of a timer's event in the state that it belongs to. */
export function delayOf(type: string, state: string): string | null {
  const [start, end] = ["xstate.after.", `.${state}`];
  return type.startsWith(start) && type.endsWith(end) ? type.slice(start.length, -end.length) : null;
}

function delayName({ type, source }: Transition): string[] {
  const delay = delayOf(type, source);
  return delay === null || /^\d+$/.test(delay) ? [] : [delay];
}
