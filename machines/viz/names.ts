/** How actions, guards and events are called in a drawing. Names only: functions have no text. */

/** A named guard or action, with the parameters that it is given. */
export interface Named {
  readonly name: string;
  /** Values of its parameters, flat: `{ names: ["a", "b"] }` is `["a", "b"]`. */
  readonly params: readonly string[];
  /** The parameters as they are given; absent when there are none or a function makes them. */
  readonly given?: unknown;
}

const UNNAMED = "inline";

/** An action or a guard as XState holds it: a name, an object with `type`, or a function. */
export function named(value: unknown): Named {
  if (typeof value === "string") return { name: value, params: [] };
  if (typeof value === "function") return { name: combined(value) ?? functionName(value), params: [] };
  if (typeof value === "object" && value !== null) {
    const { type, params } = value as { type?: unknown; params?: unknown };
    if (typeof type === "string") {
      const given = params === undefined || typeof params === "function" ? {} : { given: params };
      return { name: type, params: leaves(params), ...given };
    }
  }
  return { name: UNNAMED, params: [] };
}

/** `not("a")`, `and(["a", "b"])` and `or(…)` are functions that carry their operands. */
function combined(value: object): string | null {
  const { guards } = value as { guards?: unknown };
  if (!Array.isArray(guards)) return null;
  return `${functionName(value)}(${guards.map((guard) => full(named(guard))).join(", ")})`;
}

function functionName(value: object): string {
  const { type, name } = value as { type?: unknown; name?: unknown };
  if (typeof type === "string" && type !== "") return type;
  return typeof name === "string" && name !== "" ? name : UNNAMED;
}

function leaves(params: unknown): string[] {
  if (params === undefined || params === null) return [];
  if (typeof params === "function") return ["…"];
  if (typeof params !== "object") return [typeof params === "string" ? params : JSON.stringify(params)];
  return Object.values(params).flatMap((value) => leaves(value));
}

/** `failedEffect(carrier.mute)`: the whole of it, for tooltips. */
export const full = ({ name, params }: Named): string =>
  params.length === 0 ? name : `${name}(${params.join(", ")})`;

/** A guard in a label: one with parameters is told apart by them, and its name is in the tooltip. */
export const short = ({ name, params }: Named): string => (params.length === 0 ? name : params.join(", "));

const INTERNAL: readonly [RegExp, string][] = [
  [/^xstate\.after\.([^.]+)\..*$/, "after $1"],
  [/^xstate\.done\.actor\.(.*)$/, "done $1"],
  [/^xstate\.error\.actor\.(.*)$/, "error $1"],
  [/^xstate\.snapshot\.(.*)$/, "snapshot $1"],
  [/^xstate\.done\.state\..*$/, "done"],
];

/** What XState's own event types mean; all others are their own name. */
export function eventName(type: string): string {
  const rule = INTERNAL.find(([pattern]) => pattern.test(type));
  return rule ? type.replace(rule[0], rule[1]) : type;
}

/** Whether XState itself put this action there, to start or cancel an `after` timer. */
export function isTimerPlumbing(action: unknown): boolean {
  const type = typeof action === "object" && action !== null ? (action as { type?: unknown }).type : action;
  const name = typeof type === "string" ? type : named(action).name;
  return name === "xstate.raise" || name === "xstate.cancel";
}
