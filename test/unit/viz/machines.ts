/** Small machines for the drawing tests. */
import { and, fromPromise, not, setup } from "xstate";

/** A parallel state, two ends, a timer, an invoked actor, a wildcard, and names that XML must escape. */
export const sampler = setup({
  actors: { fetching: fromPromise(() => Promise.resolve(1)) },
  actions: { note: () => undefined, 'say "<hi>" & go': () => undefined },
  guards: {
    isReady: () => true,
    isOld: () => false,
    above: (_, params: { limit: number }) => params.limit > 1,
  },
}).createMachine({
  id: "sampler",
  initial: "idle",
  on: { "*": { actions: "note" } },
  states: {
    idle: {
      description: "Nothing <yet> & nobody.",
      on: {
        go: { guard: and(["isReady", not("isOld")]), target: "busy" },
        "a<b>&'c'": { actions: 'say "<hi>" & go' },
      },
      after: { 5000: "lost" },
    },
    busy: {
      type: "parallel",
      onDone: "won",
      states: {
        left: {
          initial: "one",
          states: {
            one: { always: { guard: { type: "above", params: { limit: 3 } }, target: "two" } },
            two: { type: "final" },
          },
        },
        right: {
          initial: "fetch",
          states: {
            fetch: { invoke: { id: "load", src: "fetching", onDone: "got", onError: "#sampler.lost" } },
            got: { type: "final" },
          },
        },
      },
    },
    won: { type: "final" },
    lost: { type: "final" },
  },
});

/** What the other does not have: history, several targets, re-entering, ends of states, a named delay. */
export const recorder = setup({
  delays: { soon: 10 },
  actions: { log: () => undefined },
}).createMachine({
  id: "recorder",
  initial: "off",
  on: { "key.*": { actions: { type: "log", params: { level: "debug" } } } },
  states: {
    off: { on: { on: "work.last", first: "work.before" } },
    work: {
      type: "parallel",
      on: { off: "off", both: { target: [".a.two", ".b"] }, again: { target: "work", reenter: true } },
      states: {
        a: {
          initial: "one",
          onDone: "#recorder.off",
          entry: "log",
          exit: "log",
          states: {
            one: { after: { soon: "two" } },
            two: { on: { next: "end", stay: { target: "two", reenter: true } } },
            end: { type: "final" },
            back: { type: "history", target: "two" },
          },
        },
        b: {},
        last: { type: "history", history: "deep" },
        before: { type: "history", target: "a.two" },
      },
    },
  },
});
