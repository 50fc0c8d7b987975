import { expect, test } from "bun:test";
import { UserTurns } from "../../../engine/media/user-turns.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";

const START_MS = 1_700_000_000_000;

function setUp() {
  const clock = new VirtualClock(START_MS);
  return { clock, turns: new UserTurns(clock) };
}

test("a text that comes when somebody speaks again already belongs to its own turn", () => {
  const { clock, turns } = setUp();
  turns.began("a");
  clock.advance(1000);
  turns.ended("a");
  clock.advance(500);
  turns.began("b");
  expect(turns.of("a")).toEqual({ atMs: START_MS, startMs: 0, endMs: 1000 });
  expect(turns.of("b")).toEqual({ atMs: START_MS + 1500, startMs: 1500, endMs: null });
});

test("of a provider that names no items the last turn counts, and without any it is now", () => {
  const { clock, turns } = setUp();
  clock.advance(10);
  expect(turns.of("x")).toEqual({ atMs: START_MS + 10, startMs: 10, endMs: 10 });
  turns.began();
  clock.advance(10);
  turns.ended();
  expect(turns.of("x")).toEqual({ atMs: START_MS + 10, startMs: 10, endMs: 20 });
});

test("no more turns are kept than wait for a text: the last one stands in for those that went", () => {
  const { clock, turns } = setUp();
  for (let n = 0; n < 20; n++) {
    turns.began(`item-${n}`);
    clock.advance(10);
    turns.ended(`item-${n}`);
  }
  expect(turns.of("item-4").startMs).toBe(40);
  expect(turns.of("item-3").startMs).toBe(190);
});
