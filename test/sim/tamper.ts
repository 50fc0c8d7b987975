/** How deliberate bugs are put into an engine from outside. */
import { type CallLogic, callLogicOn } from "../../engine/call/deadline.ts";
import type { EngineOptions } from "../../engine/engine.ts";
import type { Carrier, Clock, Store } from "../../engine/ports.ts";
import type { ladderMachine } from "../../machines/ladder.machine.ts";
import type { pageMachine } from "../../machines/page.machine.ts";
import type { Tampering } from "./world.ts";

export interface Mutant {
  readonly name: string;
  /** Of a world in which it is found: looked at first, for the search takes most of the time. Worlds change with the engine. */
  readonly seed: number;
  /** Rules of which at least one must be broken. */
  readonly rules: readonly string[];
  readonly tampering?: Tampering;
  /** Changes what cannot be handed in; the result undoes it. */
  readonly patch?: () => () => void;
}

type LadderLogic = typeof ladderMachine;
type PageLogic = typeof pageMachine;

/** The call with other guards and actions. */
export const withLogic = (provided: Parameters<CallLogic["provide"]>[0]): Tampering => ({
  logic: (clock) => callLogicOn(clock).provide(provided),
});

function ladderOf(logic: CallLogic): LadderLogic {
  return (logic.implementations.actors as { readonly ladder: LadderLogic }).ladder;
}

type LadderProvided = Parameters<LadderLogic["provide"]>[0];

/** The call's ladders with other guards, actions and actors. */
export const withLadder = (provided: LadderProvided | ((clock: Clock) => LadderProvided)): Tampering => ({
  logic: (clock) => {
    const logic = callLogicOn(clock);
    const changes = typeof provided === "function" ? provided(clock) : provided;
    return logic.provide({ actors: { ladder: ladderOf(logic).provide(changes) } });
  },
});

/** The same for the pages of its ladders. */
export const withPages = (provided: Parameters<PageLogic["provide"]>[0]): Tampering => ({
  logic: (clock) => {
    const logic = callLogicOn(clock);
    const ladder = ladderOf(logic);
    const { page } = ladder.implementations.actors as { readonly page: PageLogic };
    return logic.provide({
      actors: { ladder: ladder.provide({ actors: { page: page.provide(provided) } }) },
    });
  },
});

export const withCarrier = (change: (carrier: Carrier, clock: Clock) => Partial<Carrier>): Tampering => ({
  engine: (options) => ({
    ...options,
    carrier: inPlaceOf(options.carrier, change(options.carrier, options.clock)),
  }),
});

export const withStore = (change: (store: Store) => Partial<Store>): Tampering => ({
  engine: (options: EngineOptions) => ({
    ...options,
    store: inPlaceOf(options.store, change(options.store)),
  }),
});

/** The same object with some methods replaced. */
function inPlaceOf<T extends object>(real: T, changes: Partial<T>): T {
  return new Proxy(real, {
    get: (target, name) => {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Replaces a method of a class. */
export function replaced<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (real: T[K]) => T[K],
): () => () => void {
  return () => {
    const real = prototype[name];
    prototype[name] = make(real);
    return () => {
      prototype[name] = real;
    };
  };
}

export const nothing = (): void => undefined;
