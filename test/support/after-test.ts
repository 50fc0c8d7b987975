/**
 * Loaded before the tests: a hook that a helper registers by itself is run for the first file only that imports it.
 */
import { afterEach } from "bun:test";

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** What a test began is stopped after it, in the order it was begun. */
export function stopAfterTest(stop: () => unknown): void {
  stops.push(stop);
}
