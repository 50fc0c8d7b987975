/**
 * A machine as SCXML 1.0 (https://www.w3.org/TR/scxml/): states, parallel states, ends, histories, initial
 * states, transitions, entry and exit, invoked actors. Guards and actions are calls of functions of their names
 * in the `ecmascript` data model. An event `a` matches `a.b` too in SCXML, which it does not in XState, and
 * sends of timers are all that is written of what XState adds by itself.
 */
import { lineage } from "./graph.ts";
import type { Chart, State, Transition } from "./graph.ts";
import type { Named } from "./names.ts";
import { delayOf } from "./source.ts";
import type { Heading } from "./svg.ts";
import { escape } from "./text.ts";

/** `<name>.scxml`. */
export function scxmlOf(chart: Chart, { name, title, hash }: Heading): string {
  const root = idOf(chart.root.id);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<!-- ${comment(title)}; content hash ${hash} -->`,
    `<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" datamodel="ecmascript" name="${escape(name)}" initial="${root}">`,
    ...stateLines(chart, chart.root, "  "),
    "</scxml>",
    "",
  ].join("\n");
}

function stateLines(chart: Chart, state: State, indent: string): string[] {
  const inside = `${indent}  `;
  const id = idOf(state.id);
  if (state.history) {
    return [
      `${indent}<history id="${id}" type="${state.history.kind}">`,
      `${inside}<transition target="${historyTargets(chart, state).map(idOf).join(" ")}"/>`,
      `${indent}</history>`,
    ];
  }
  const tag = state.type === "final" || state.type === "parallel" ? state.type : "state";
  const initial = state.initial === null ? "" : ` initial="${idOf(state.initial)}"`;
  // An end takes nothing: it has entry and exit only.
  const live =
    tag === "final"
      ? []
      : [
          ...state.invoked.map(
            ({ src, id: given }, index) =>
              `${inside}<invoke type="xstate" src="${escape(src)}" id="${actorId(state, given ?? `${index}.${state.id}`)}"/>`,
          ),
          ...state.transitions.flatMap((transition) => transitionLines(chart, state, transition, inside)),
          ...state.children.flatMap((child) => stateLines(chart, child, inside)),
        ];
  const lines = [
    ...(state.description === null ? [] : [`${inside}<!-- ${comment(state.description)} -->`]),
    ...entryLines(state, inside),
    ...live,
  ];
  const open = `${indent}<${tag} id="${id}"${initial}`;
  return lines.length === 0 ? [`${open}/>`] : [`${open}>`, ...lines, `${indent}</${tag}>`];
}

/** Inside its parent, as SCXML wants them: XState leads to a parallel parent itself, which means all its regions. */
function historyTargets(chart: Chart, { id, history }: State): string[] {
  const parent = chart.states.get(chart.parents.get(id) ?? "");
  const regions = (parent?.children ?? []).filter(({ type }) => type !== "history");
  return (history?.targets ?? []).flatMap((target) =>
    target === parent?.id ? regions.map((region) => region.id) : [target],
  );
}

function entryLines(state: State, indent: string): string[] {
  const timers = [...new Set(state.transitions.map(({ type }) => type))].flatMap((type) => {
    const delay = delayOf(type, state.id);
    return delay === null ? [] : [{ type, delay }];
  });
  const sends = timers.map(({ type, delay }) => {
    const when = /^\d+$/.test(delay) ? `delay="${delay}ms"` : `delayexpr="${escape(delay)}"`;
    return `<send event="${eventOf(type, state)}" id="${idOf(type)}" ${when}/>`;
  });
  const cancels = timers.map(({ type }) => `<cancel sendid="${idOf(type)}"/>`);
  const block = (tag: string, lines: readonly string[]): string[] =>
    lines.length === 0
      ? []
      : [`${indent}<${tag}>`, ...lines.map((line) => `${indent}  ${line}`), `${indent}</${tag}>`];
  return [
    ...block("onentry", [...state.entry.map(script), ...sends]),
    ...block("onexit", [...state.exit.map(script), ...cancels]),
  ];
}

function transitionLines(chart: Chart, state: State, transition: Transition, indent: string): string[] {
  const { type, guard, targets, reenter, actions } = transition;
  const inward = targets.every((target) => target !== state.id && lineage(chart, target).includes(state.id));
  const internal = targets.length > 0 && inward && !reenter && state.type === "compound";
  const open = [
    "<transition",
    type === "" ? "" : ` event="${eventOf(type, state)}"`,
    guard ? ` cond="${escape(call(guard))}"` : "",
    targets.length > 0 ? ` target="${targets.map(idOf).join(" ")}"` : "",
    internal ? ' type="internal"' : "",
  ].join("");
  if (actions.length === 0) return [`${indent}${open}/>`];
  return [
    `${indent}${open}>`,
    ...actions.map((action) => `${indent}  ${script(action)}`),
    `${indent}</transition>`,
  ];
}

const script = (action: Named): string => `<script>${escape(call(action))};</script>`;

/** `failedEffect({"names":["carrier.mute"]})`. A combined guard, `and(a, not(b))`, reads as one already. */
function call({ name, given }: Named): string {
  if (name.endsWith(")")) return name;
  const fn = /^[A-Za-z_$][\w$]*$/.test(name) ? name : `globalThis[${JSON.stringify(name)}]`;
  return `${fn}(${given === undefined ? "" : JSON.stringify(given)})`;
}

/** SCXML's own names of what XState generates; an actor's end is told under the id that it has here. */
function eventOf(type: string, state: State): string {
  const own = state.invoked.map(({ id }, index) => id ?? `${index}.${state.id}`);
  const ended = /^xstate\.(done|error)\.actor\.(.*)$/.exec(type);
  if (ended) {
    const [, end, actor = ""] = ended;
    const id = own.includes(actor) ? actorId(state, actor) : token(actor);
    return end === "done" ? `done.invoke.${id}` : `error.platform.${id}`;
  }
  const done = /^xstate\.done\.state\.(.*)$/.exec(type)?.[1];
  return done === undefined ? token(type) : `done.state.${idOf(done)}`;
}

/** Ids of actors are ids of the document too: several states may call theirs alike. */
const actorId = (state: State, id: string): string => idOf(`${state.id}-${id}`);

/** An id in XML's letters. */
const idOf = (id: string): string => id.replace(/[^\w.-]/g, "_").replace(/^[^A-Za-z_]/, "_$&");

/** Spaces would tell several events apart. */
const token = (type: string): string => escape(type.replace(/\s+/g, "_"));

const comment = (text: string): string => escape(text).replace(/--+/g, "–").replace(/-$/, "–");
